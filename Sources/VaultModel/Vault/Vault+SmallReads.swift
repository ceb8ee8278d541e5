extension Vault {
    /// Reads a small content by the steps for any content.
    ///
    /// - Throws: `notFound` for a name that holds nothing, `conflict` for what is longer than said.
    package func readAlone(
        _ read: SmallRead, fetch: (PlacedChunk, ReadID) async throws(VaultError) -> [Chunk]
    ) async throws(VaultError) -> SmallContent {
        let open = try await openRead(read.name, read.selector)
        let result: Result<SmallContent, VaultError>
        do throws(VaultError) {
            let entry = open.entry
            guard entry.isSmall, entry.size <= UInt64(read.length) else { throw .grown(read.name) }
            if entry.size == 0 {
                result = .success(SmallContent(entry: entry, chunk: nil))
            } else {
                let reference = ChunkReference(digest: entry.content.root, span: entry.size)
                let chunk = try await fetch(PlacedChunk(position: 0, reference: reference), open.id).first
                result = .success(SmallContent(entry: entry, chunk: chunk))
            }
        } catch {
            result = .failure(error)
        }
        await closeRead(open.id)
        return try result.get()
    }
}

extension Vault {
    /// Reads a content in one step, where one step is enough.
    ///
    /// - Returns: nil for one that is not small.
    /// - Throws: `notFound` for a name that holds nothing.
    package func readIfSmall(_ name: Name, _ selector: Selector) async throws(VaultError) -> SmallContent? {
        let read = SmallRead(name: name, selector: selector, length: Limits.smallFileBytesMax)
        guard let result = try await self.read([read]).first else { throw .unanswered }
        do throws(VaultError) {
            return try result.get()
        } catch  where error.code == .conflict {
            return nil
        }
    }
}

extension VaultError {
    /// For a vault that gives fewer results than it was asked for.
    static var unanswered: VaultError {
        VaultError(.internal, "The vault did not answer for everything that it was asked for.")
    }

    /// For a small read that finds more than it was to be.
    package static func grown(_ name: Name) -> VaultError {
        VaultError(.conflict, "'\(name)' was replaced by a longer file while it was read.", name: name)
    }
}
