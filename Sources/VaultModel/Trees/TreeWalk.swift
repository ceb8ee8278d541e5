import Glibc

/// Walks a local tree in the order of names, following no links.
///
/// Directories that have something in them that takes part are walked; others that take part are given
/// as entries themselves. What a killed pull left unfinished is passed over, and the directories of vaults and servers
/// are. Holds the sorted names of one directory for each level.
package struct TreeWalk {
    /// What the walk comes to.
    package enum Item: Sendable {
        case entry(TreeEntry)
        /// Something of a kind that is not kept.
        case skipped(path: LocalPath, Reason)
        /// Something that cannot be looked at or into.
        case failed(path: LocalPath, VaultError)
    }

    /// Why something takes no part.
    package enum Reason: Sendable {
        /// A socket, a pipe or a device.
        case special
        /// The directory of a vault or a server.
        case store(StoreGuard.Kind)
    }

    private struct Child {
        var component: [UInt8]
        var isWalked: Bool
        /// Whose directory it is, where it is a vault's or a server's.
        var store: StoreGuard.Kind?
        /// The sockets, pipes and devices in a directory that is not walked.
        var skipped: [[UInt8]] = []
        /// What the child is ordered by: the component as names have it.
        var part: [UInt8]

        init(_ component: [UInt8], isWalked: Bool, skipped: [[UInt8]] = []) {
            self.component = component
            self.isWalked = isWalked
            self.skipped = skipped
            // A directory stands where the names below it stand: as if its own name ended with a slash.
            part = NameEscape.encode(component) + (isWalked ? [slash] : [])
        }
    }

    /// What is in a directory.
    private enum Inside {
        /// Something that is worth a walk.
        case content
        /// Nothing but sockets, pipes and devices.
        case nothing(skipped: [[UInt8]])
        /// A vault or a server.
        case store(StoreGuard.Kind)
    }

    private struct Level {
        var directory: TreeDirectory
        var relative: [UInt8]
        var children: [Child]
        var next = 0
    }

    private let filter: TreeFilter
    private let stores: StoreGuard
    private let root: TreeDirectory
    private var levels: [Level] = []
    private var pending: [Item] = []

    /// - Throws: what opening the root throws: it must be a directory; `invalid` for one of a vault or a server.
    package init(
        _ root: LocalPath, filter: TreeFilter = .everything, stores: StoreGuard = StoreGuard()
    ) throws(VaultError) {
        self.filter = filter
        self.stores = stores
        try stores.check(root)
        self.root = try TreeDirectory(root: root)
        try enter(self.root, relative: [])
    }

    /// Makes sure that the root's path still leads to the directory that is walked.
    ///
    /// - Throws: `conflict` where it does not.
    package func checkRoot() throws(VaultError) {
        let found = try? FileStatus(of: root.path, followsLinks: true).identity
        if found == root.identity { return }
        throw VaultError(
            .conflict, "'\(root.path)' was removed or replaced while it was read: nothing was removed.", path: root.path
        )
    }

    package mutating func next() -> Item? {
        while true {
            if !pending.isEmpty { return pending.removeFirst() }
            guard let level = levels.last else { return nil }
            guard level.next < level.children.count else {
                levels.removeLast()
                continue
            }
            levels[levels.count - 1].next += 1
            if let item = visit(level.children[level.next], in: level) { return item }
        }
    }

    private mutating func visit(_ child: Child, in level: Level) -> Item? {
        let relative = level.relative.isEmpty ? child.component : level.relative + [slash] + child.component
        let path = level.directory.path.appending(child.component)
        do throws(VaultError) {
            if let store = child.store { return .skipped(path: path, .store(store)) }
            if child.isWalked {
                try enter(TreeDirectory(child.component, in: level.directory), relative: relative)
                return nil
            }
            let status = try FileStatus(of: child.component, in: level.directory.open())
            if status.kind == .other { return .skipped(path: path, .special) }
            pending += child.skipped.map { .skipped(path: path.appending($0), .special) }
            return .entry(
                TreeEntry(
                    relative: relative, directory: level.directory, component: child.component, status: status))
        } catch {
            // What was removed since its directory was read is no failure.
            if error.code == .notFound, code(of: child, in: level.directory) == .notFound { return nil }
            return .failed(path: path, error)
        }
    }

    private func code(of child: Child, in directory: TreeDirectory) -> VaultError.Code? {
        do throws(VaultError) {
            _ = try FileStatus(of: child.component, in: directory.open())
            return nil
        } catch {
            return error.code
        }
    }

    private mutating func enter(_ directory: TreeDirectory, relative: [UInt8]) throws(VaultError) {
        var children: [Child] = []
        for child in try DirectoryListing(directory.open()).children where !LocalWriter.isTemporary(child.name) {
            let path = relative.isEmpty ? child.name : relative + [slash] + child.name
            guard try kind(of: child, in: directory) == .directory else {
                if filter.takes(path) { children.append(Child(child.name, isWalked: false)) }
                continue
            }
            let inside = filter.descends(into: path) ? inside(child.name, in: directory, relative: path) : nil
            switch inside {
            case .content?:
                children.append(Child(child.name, isWalked: true))
            case .nothing(let skipped)? where filter.takes(path, isDirectory: true):
                children.append(Child(child.name, isWalked: false, skipped: skipped))
            case .store(let kind)?:
                var store = Child(child.name, isWalked: false)
                store.store = kind
                children.append(store)
            case .nothing?, nil:
                break
            }
        }
        children.sort { $0.part.lexicographicallyPrecedes($1.part) }
        levels.append(Level(directory: directory, relative: relative, children: children))
    }

    private func kind(
        of child: DirectoryListing.Child, in directory: TreeDirectory
    ) throws(VaultError) -> FileStatus.Kind? {
        if let kind = child.kind { return kind }
        do {
            return try FileStatus(of: child.name, in: directory.open()).kind
        } catch  where error.code == .notFound {
            return nil
        }
    }

    /// What is in a directory; one that cannot be opened counts as worth a walk, so that the walk reports it.
    private func inside(_ name: [UInt8], in parent: TreeDirectory, relative: [UInt8]) -> Inside {
        guard let directory = try? TreeDirectory(name, in: parent),
            let children = try? DirectoryListing(directory.open()).children
        else { return .content }
        if let store = stores.kind(of: directory, holding: children) { return .store(store) }
        var skipped: [[UInt8]] = []
        for child in children where !LocalWriter.isTemporary(child.name) {
            let path = relative + [slash] + child.name
            switch child.kind {
            case .directory: if filter.descends(into: path) { return .content }
            case .other: if filter.takes(path) { skipped.append(child.name) }
            case .file, .link, nil: if filter.takes(path) { return .content }
            }
        }
        return .nothing(skipped: skipped)
    }
}

/// A file, link or empty directory of a local tree.
package struct TreeEntry: Sendable {
    /// The path from the root of the tree.
    package var relative: [UInt8]
    /// The directory that it is in.
    package var directory: TreeDirectory
    package var component: [UInt8]
    package var status: FileStatus

    package var path: LocalPath { directory.path.appending(component) }
}

extension FileStatus {
    /// The status of a component of an open directory, following no link.
    init(of component: [UInt8], in directory: OpenFile) throws(VaultError) {
        var status = stat()
        try retrying("look at", directory.path.appending(component)) {
            LocalPath(component).withCString { fstatat(directory.descriptor, $0, &status, AT_SYMLINK_NOFOLLOW) }
        }
        self.init(status)
    }
}

extension TreeWalk.Reason: CustomStringConvertible {
    /// A phrase that follows on "it".
    package var description: String {
        switch self {
        case .special: "is a socket, a pipe or a device"
        case .store(let kind): "is the directory of \(kind)"
        }
    }
}
