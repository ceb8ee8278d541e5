/// A difference between a local tree and a prefix of a vault.
package struct Difference: Sendable {
    package enum Change: String, Sendable {
        /// Only the tree has it.
        case added
        /// Only the vault has it.
        case removed
        case changed
    }

    package var name: Name
    package var change: Change
}

/// Compares a local tree with what a vault holds, by content; files whose times and inode tell that
/// they are unchanged since they were saved are not read.
package struct Compare {
    private var join: TreeJoin
    private let options: TreeOptions

    /// - Throws: what opening the root throws; `invalid` for a pattern that is a path of this machine.
    package init(
        _ vault: any Vault, _ root: LocalPath, _ prefix: NamePrefix, _ options: TreeOptions
    ) throws(VaultError) {
        try options.filter.check(below: root)
        join = try TreeJoin(vault, root, prefix, options)
        self.options = options
    }

    /// The next difference; nil behind the last.
    ///
    /// - Throws: where a file or directory cannot be read; the comparison can go on behind it.
    package mutating func next() async throws(VaultError) -> Difference? {
        while let pair = try await join.next() {
            switch pair {
            case .local(_, let name): return Difference(name: name, change: .added)
            case .vault(let entry): return Difference(name: entry.name, change: .removed)
            case .both(let local, let entry):
                guard let isEqual = try isEqualOrGone(local, entry) else {
                    return Difference(name: entry.name, change: .removed)
                }
                if !isEqual { return Difference(name: entry.name, change: .changed) }
            case .failed(_, let error): throw error
            case .skipped: break
            }
        }
        return nil
    }

    /// - Returns: nil for a file that has vanished since the walk.
    private func isEqualOrGone(_ local: TreeEntry, _ entry: Entry) throws(VaultError) -> Bool? {
        do throws(VaultError) {
            return try isEqual(local, entry)
        } catch {
            guard error.code == .notFound, local.isGone else { throw error }
            return nil
        }
    }

    private func isEqual(_ local: TreeEntry, _ entry: Entry) throws(VaultError) -> Bool {
        guard local.status.isSameKind(as: entry) else { return false }
        if local.status.kind == .directory { return true }
        if !options.checksum, local.status.isUnchanged(since: entry) { return true }
        // Some file systems tell no size.
        guard local.status.size == entry.size || local.status.size == 0 else { return false }
        return try LocalDigest.content(local) == entry.content
    }
}
