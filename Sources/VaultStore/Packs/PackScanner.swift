import VaultModel

/// Reads the records of a pack one behind the other, and finds the next one behind damage.
struct PackScanner: Sendable {
    /// What a scan comes to.
    enum Item: Sendable {
        /// A record whose header is whole; whether its payload is, only reading tells.
        case record(RecordHeader, PackLocation)
        /// Bytes that are no record.
        case gap(Range<UInt64>)
    }

    private static let windowBytes = 1 << 20
    private static let headersBytes = 64 << 10

    private let packs: any PackStore
    private let pack: PackID
    private let vault: UniqueID
    private let length: UInt64
    private var offset: UInt64
    /// What was read last, since headers lie close together where records are small.
    private var window: (start: UInt64, bytes: Buffer, count: Int)?

    /// - Parameters:
    ///   - offset: where a record starts, or the pack ends.
    ///   - length: the bytes of the pack to scan.
    init(
        _ pack: PackID, from offset: UInt64 = UInt64(PackHeader.byteCount), length: UInt64, vault: UniqueID,
        packs: any PackStore
    ) {
        self.pack = pack
        self.length = length
        self.vault = vault
        self.packs = packs
        self.offset = offset
    }

    /// The next record or gap; nil at the end.
    mutating func next() async throws(VaultError) -> Item? {
        guard offset < length else { return nil }
        if let item = try await record(at: offset) { return item }
        let start = offset
        offset += 1
        while offset < length {
            guard let found = try await findMagic(), found < length else { break }
            offset = found
            if try await header(at: offset) != nil { return .gap(start..<offset) }
            offset += 1
        }
        offset = length
        return .gap(start..<length)
    }

    private mutating func record(at offset: UInt64) async throws(VaultError) -> Item? {
        guard let header = try await header(at: offset) else { return nil }
        let location = PackLocation(pack: pack, offset: offset, length: header.storedLength)
        self.offset = location.end
        return .record(header, location)
    }

    private mutating func header(at offset: UInt64) async throws(VaultError) -> RecordHeader? {
        guard let bytes = try await headerBytes(at: offset), let header = RecordHeader(decoding: bytes),
            header.vault == vault,
            offset + UInt64(RecordHeader.byteCount) + UInt64(header.storedLength) <= length
        else { return nil }
        return header
    }

    private mutating func headerBytes(at offset: UInt64) async throws(VaultError) -> [UInt8]? {
        let end = offset + UInt64(RecordHeader.byteCount)
        if let window, window.start <= offset, end <= window.start + UInt64(window.count) {
            let start = Int(offset - window.start)
            return Array(window.bytes.memory[start..<start + RecordHeader.byteCount])
        }
        let bytes = Buffer(
            byteCount: length <= StoreLimits.smallPackBytes ? Int(length - offset) : PackScanner.headersBytes)
        var count: Int
        do throws(VaultError) {
            count = try await packs.read(pack, at: offset, into: bytes.memory)
        } catch  where error.code == .integrity {
            // A bad place on the disk behind the header is no reason not to read that.
            count = try await packs.read(
                pack, at: offset,
                into: UnsafeMutableRawBufferPointer(rebasing: bytes.memory.prefix(RecordHeader.byteCount)))
        }
        window = (offset, bytes, count)
        return count < RecordHeader.byteCount ? nil : Array(bytes.memory[..<RecordHeader.byteCount])
    }

    /// The offset of the next bytes that look like a header.
    private mutating func findMagic() async throws(VaultError) -> UInt64? {
        let window = Buffer(byteCount: PackScanner.windowBytes)
        while offset < length {
            let count = try await packs.read(pack, at: offset, into: window.memory)
            guard count >= RecordHeader.magic.count else { return nil }
            let bytes = window.memory[..<count]
            for index in 0...(count - RecordHeader.magic.count) where bytes[index] == RecordHeader.magic[0] {
                if bytes[index..<index + RecordHeader.magic.count].elementsEqual(RecordHeader.magic) {
                    return offset + UInt64(index)
                }
            }
            offset += UInt64(count - RecordHeader.magic.count + 1)
        }
        return nil
    }
}
