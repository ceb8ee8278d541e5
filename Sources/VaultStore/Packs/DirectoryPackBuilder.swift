import VaultModel

/// A pack of a directory that one commit writes alone.
final class DirectoryPackBuilder: PackBuilder {
    private let pack: WritingPack
    private let path: LocalPath
    private let directory: LocalPath
    private let vault: UniqueID
    private let files: any StoreFiles

    /// - Parameters:
    ///   - path: where the pack's file is.
    ///   - directory: that of the vault.
    init(_ pack: WritingPack, at path: LocalPath, in directory: LocalPath, vault: UniqueID, files: any StoreFiles) {
        self.pack = pack
        self.path = path
        self.directory = directory
        self.vault = vault
        self.files = files
    }

    func append(_ record: PackRecord) throws(VaultError) -> PackLocation {
        do throws(VaultError) {
            return try write(record)
        } catch {
            throw error.inVault(directory)
        }
    }

    private func write(_ record: PackRecord) throws(VaultError) -> PackLocation {
        guard let offset = pack.reserve(record.storedBytes, upTo: StoreLimits.packBytesMax) else {
            throw VaultError(.internal, "A pack that failed takes no records.")
        }
        let location = PackLocation(pack: pack.id, offset: offset, length: UInt32(record.bytes.count))
        let header = RecordHeader(
            kind: record.kind, vault: vault, length: UInt32(record.bytes.count), digest: record.digest)
        let headerBytes = BufferSlice(copying: header.encoded)
        try headerBytes.withUnsafeBytes { (header) throws(VaultError) in
            try record.bytes.withUnsafeBytes { (payload) throws(VaultError) in
                try pack.write([header, payload], at: offset, end: location.end)
            }
        }
        return location
    }

    func finish() async throws(VaultError) -> (any Sendable)? {
        do throws(VaultError) {
            try await pack.makeDurable(pack.end)
        } catch {
            throw error.inVault(directory)
        }
        // Nobody takes it over to go on with it.
        try? files.seal(pack.file)
        return pack
    }

    func discard() async {
        try? files.remove(path)
    }
}
