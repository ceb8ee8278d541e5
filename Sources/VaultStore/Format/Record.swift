package import VaultModel

/// The header in front of every record of a pack.
///
/// 72 bytes, numbers little-endian: the letters `MVR1`, the kind (1), the encoding (1), two zero
/// bytes, the vault's id (16), the plain and the stored length of the payload (4 each), the SHA-256 of
/// the plain payload (32), and the first 8 bytes of the SHA-256 of all this.
package struct RecordHeader: Sendable, Hashable {
    package static let byteCount = 72

    package enum Kind: UInt8, Sendable {
        case chunk = 1
        case listNode = 2
        case journalGroup = 3
    }

    /// How the payload is stored. 1 (zstd) and 2 (encrypted) are reserved.
    package enum Encoding: UInt8, Sendable {
        case plain = 0
    }

    package var kind: Kind
    package var encoding: Encoding
    package var vault: UniqueID
    package var plainLength: UInt32
    package var storedLength: UInt32
    package var digest: Digest

    package init(kind: Kind, vault: UniqueID, length: UInt32, digest: Digest) {
        self.kind = kind
        encoding = .plain
        self.vault = vault
        plainLength = length
        storedLength = length
        self.digest = digest
    }

    package var encoded: [UInt8] {
        var bytes = ByteWriter(reserving: RecordHeader.byteCount)
        bytes.write(RecordHeader.magic)
        bytes.write(kind.rawValue)
        bytes.write(encoding.rawValue)
        bytes.write(UInt16(0))
        bytes.write(vault.bytes)
        bytes.write(plainLength)
        bytes.write(storedLength)
        bytes.write(digest)
        bytes.write(headerChecksum(bytes.bytes))
        return bytes.bytes
    }

    static let magic = Array("MVR1".utf8)

    /// The header that starts `bytes`; nil where none does, or a damaged one.
    package init?(decoding bytes: [UInt8]) {
        guard bytes.count >= RecordHeader.byteCount, bytes.starts(with: RecordHeader.magic),
            headerChecksum(Array(bytes[..<64])) == Array(bytes[64..<72])
        else { return nil }
        var reader = ByteReader(bytes)
        do {
            _ = try reader.readBytes(4)
            guard let kind = Kind(rawValue: try reader.read()), let encoding = Encoding(rawValue: try reader.read()),
                try reader.read(UInt16.self) == 0, let vault = UniqueID(try reader.readBytes(16))
            else { return nil }
            self.kind = kind
            self.encoding = encoding
            self.vault = vault
            plainLength = try reader.read()
            storedLength = try reader.read()
            digest = try reader.readDigest()
        } catch {
            return nil
        }
        guard storedLength == plainLength, plainLength <= StoreLimits.recordBytesMax else { return nil }
    }
}

/// The header of a pack file.
///
/// 64 bytes: the letters `MVPK`, the format (4 bytes, little-endian), the vault's id (16), the pack's
/// id (16), 16 zero bytes, and the first 8 bytes of the SHA-256 of all this.
package struct PackHeader: Sendable, Hashable {
    package static let byteCount = 64
    static let format: UInt32 = 1

    package var vault: UniqueID
    package var pack: PackID

    package var encoded: [UInt8] {
        var bytes = ByteWriter(reserving: PackHeader.byteCount)
        bytes.write(Array("MVPK".utf8))
        bytes.write(PackHeader.format)
        bytes.write(vault.bytes)
        bytes.write(pack.value.bytes)
        bytes.write([UInt8](repeating: 0, count: 16))
        bytes.write(headerChecksum(bytes.bytes))
        return bytes.bytes
    }

    package init(vault: UniqueID, pack: PackID) {
        self.vault = vault
        self.pack = pack
    }

    /// The header that starts `bytes`; nil where none of a known format does.
    init?(decoding bytes: [UInt8]) {
        guard bytes.count >= PackHeader.byteCount, bytes.starts(with: "MVPK".utf8),
            headerChecksum(Array(bytes[..<56])) == Array(bytes[56..<64]),
            let vault = UniqueID(Array(bytes[8..<24])), let pack = UniqueID(Array(bytes[24..<40]))
        else { return nil }
        var reader = ByteReader(Array(bytes[4..<8]))
        guard let format: UInt32 = try? reader.read(), format == PackHeader.format else { return nil }
        self.vault = vault
        self.pack = PackID(pack)
    }
}

private func headerChecksum(_ bytes: [UInt8]) -> [UInt8] {
    Array(Digest(of: bytes).bytes[..<8])
}
