import VaultModel

/// The names that a script has filled without giving them: each by the last part of a path.
///
/// Of two files or trees of one last part the second would take the place of the first, and with `delete` remove it.
struct DerivedNames {
    private struct Key: Hashable {
        var vault: UInt64
        var isTree: Bool
        var name: Name
    }

    /// The directories that the files and trees are in, which tell them apart: they themselves may be made anew.
    private var parents: [Key: FileIdentity] = [:]
    private static let namesMax = 1_000_000

    /// Takes note of a file that is saved under its last part.
    ///
    /// - Throws: `invalid` where the script has saved a file of another directory under the name.
    mutating func add(_ name: Name, of path: LocalPath, in vault: VaultSource) throws(VaultError) {
        try add(Key(vault: vault.number, isTree: false, name: name), path)
    }

    /// Takes note of a tree that is pushed to its last part.
    ///
    /// - Throws: `invalid` where the script has pushed a tree of another directory to the prefix.
    mutating func add(_ prefix: NamePrefix, of path: LocalPath, in vault: VaultSource) throws(VaultError) {
        guard let top = prefix.top else { return }
        try add(Key(vault: vault.number, isTree: true, name: top), path)
    }

    private mutating func add(_ key: Key, _ path: LocalPath) throws(VaultError) {
        // A missing file fails by itself.
        guard let parent = try? FileStatus(of: path.parent, followsLinks: true).identity else { return }
        guard let known = parents[key] else {
            if parents.count < DerivedNames.namesMax { parents[key] = parent }
            return
        }
        if known == parent { return }
        throw VaultError(
            .invalid,
            "'\(path)' would go to '\(key.name)', where this script has \(key.isTree ? "pushed" : "saved") another "
                + "\(key.isTree ? "tree" : "file"): give each a \(key.isTree ? "prefix" : "name") of its own.",
            name: key.name, path: path)
    }
}
