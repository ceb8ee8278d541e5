package import VaultModel

extension StoredVault {
    /// Looks whether the catalog and the packs are those of one vault: by the newest journal group, or by a pack's header
    /// where there is none.
    ///
    /// - Throws: `integrity` where they are not.
    package func checkIdentity() async throws(VaultError) {
        if try await isHeadThere() { return }
        throw VaultError(
            .integrity,
            "The catalog and the packs of '\(place)' do not belong together, or the newest pack is damaged: restore the "
                + "whole directory of the vault from one backup.")
    }

    private func isHeadThere() async throws(VaultError) -> Bool {
        if let digest = try await catalog.journalHead().digest {
            guard let location = try await catalog.journalLocations([digest])[0] else { return false }
            return try await recordReader.payload(digest, at: location) != nil
        }
        guard let pack = try await packs.list().keys.first else { return true }
        let buffer = Buffer(byteCount: PackHeader.byteCount)
        let count = try await packs.read(pack, at: 0, into: buffer.memory)
        return PackHeader(decoding: BufferSlice(buffer, 0..<count).bytes)?.vault == id
    }
}
