import Glibc

/// The mark of a pull that is under way: a locked file at the top of its tree. A mark that nobody has locked is that of a
/// pull that was killed or interrupted, which may have left unfinished files.
final class PullMark {
    private let root: TreeDirectory
    private let file: OpenFile
    private static let name = LocalWriter.temporaryName(UniqueID(high: 0, low: 0))

    /// - Returns: nil where no file can be made at the top of the tree.
    init?(_ path: LocalPath) {
        guard let root = try? TreeDirectory(root: path), let file = PullMark.open(in: root) else { return nil }
        self.root = root
        self.file = file
    }

    private static func open(in root: TreeDirectory) -> OpenFile? {
        // The last pull to end takes the mark away, perhaps just before it is locked here.
        for _ in 0..<16 {
            guard let directory = try? root.open() else { return nil }
            let path = root.path.appending(name)
            let flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
            if let file = try? OpenFile(
                path, at: directory, component: name, flags: flags | O_CREAT | O_EXCL, mode: 0o600)
            {
                flock(file.descriptor, LOCK_SH)
                return file
            }
            guard let file = try? OpenFile(path, at: directory, component: name, flags: flags) else { continue }
            if flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 {
                // What was killed is remembered until it has been cleared up after, also if this pull is killed too.
                remember(file)
            }
            flock(file.descriptor, LOCK_SH)
            var status = stat()
            if fstat(file.descriptor, &status) == 0, status.st_nlink > 0 { return file }
        }
        return nil
    }

    private static func remember(_ file: OpenFile) {
        // A hole, for which a full disk has room.
        try? file.resize(to: 1)
    }

    /// Takes the mark away, unless other pulls into the tree are under way, and clears up after those that were killed.
    ///
    /// - Parameters:
    ///   - isInterrupted: whether the next pull is to go on with what is unfinished, which then stays, as the mark does.
    ///   - hasPartial: whether this pull has left something unfinished.
    func end(_ stores: StoreGuard, isInterrupted: Bool = false, hasPartial: Bool = false) {
        if hasPartial { PullMark.remember(file) }
        guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0, let directory = try? root.open() else { return }
        if hasPartial || (try? file.status.size) != 0 {
            if isInterrupted { return }
            PullMark.clear(root, stores)
        }
        _ = LocalPath(PullMark.name).withCString { unlinkat(directory.descriptor, $0, 0) }
    }

    /// Removes the unfinished files below a directory that nobody writes to.
    private static func clear(_ root: TreeDirectory, _ stores: StoreGuard) {
        var directories = [root]
        while let directory = directories.popLast() {
            guard let open = try? directory.open(), let children = try? DirectoryListing(open).children else {
                continue
            }
            if stores.kind(of: directory, holding: children) != nil { continue }
            for child in children {
                if LocalWriter.isTemporary(child.name), child.name != name {
                    remove(child.name, in: open)
                } else if child.kind == .directory || child.kind == nil,
                    let below = try? TreeDirectory(child.name, in: directory)
                {
                    directories.append(below)
                }
            }
        }
    }

    private static func remove(_ component: [UInt8], in directory: OpenFile) {
        let path = directory.path.appending(component)
        let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
        if let file = try? OpenFile(path, at: directory, component: component, flags: flags),
            flock(file.descriptor, LOCK_EX | LOCK_NB) != 0
        {
            return
        }
        _ = LocalPath(component).withCString { unlinkat(directory.descriptor, $0, 0) }
    }
}
