package import Glibc

/// The place that a file of a tree goes to: a component of a directory.
struct LocalPlace: Sendable {
    /// Nil where the directory is not there and is not made.
    var directory: TreeDirectory?
    var component: [UInt8]
    var path: LocalPath
    /// The directory of a vault or a server that the place is in, where nothing is changed; nil elsewhere.
    var store: (path: LocalPath, kind: StoreGuard.Kind)?
}

/// The directories of a tree that is changed, opened and made one below the other without following
/// links. Keeps those open that lead to the last file.
package struct LocalDirectories {
    let root: LocalPath
    private let makesMissing: Bool
    private let stores: StoreGuard
    private var open: [(component: [UInt8], directory: TreeDirectory)] = []
    private let top: TreeDirectory?

    init(_ root: LocalPath, makesMissing: Bool, stores: StoreGuard) throws(VaultError) {
        self.root = root
        self.makesMissing = makesMissing
        self.stores = stores
        do {
            top = try TreeDirectory(root: root)
        } catch  where !makesMissing && error.code == .notFound {
            top = nil
        }
    }

    /// Makes `path`, and the directories above it, where they are missing.
    ///
    /// - Parameters:
    ///   - mode: of `path` itself.
    ///   - modeAbove: of the directories above it.
    package static func make(
        _ path: LocalPath, mode: mode_t = 0o777, modeAbove: mode_t = 0o777
    ) throws(VaultError) {
        if path.withCString({ mkdir($0, mode) }) == 0 { return }
        switch errno {
        case EEXIST: return
        case ENOENT where path.parent != path:
            try make(path.parent, mode: modeAbove, modeAbove: modeAbove)
            try retrying("make the directory", path) { path.withCString { mkdir($0, mode) } }
        default: throw VaultError(system: errno, "make the directory", path)
        }
    }

    /// The place of a file, with the directories above it made if asked to.
    ///
    /// - Throws: `exists` where something that is no directory is in the way.
    mutating func place(of relative: [UInt8]) throws(VaultError) -> LocalPlace {
        let parts = relative.split(separator: slash).map { Array($0) }
        guard let component = parts.last else {
            throw VaultError(.invalid, "An entry has no name below '\(root)'.")
        }
        let above = parts.dropLast()
        let common = zip(open, above).prefix { $0.component == $1 }.count
        open.removeSubrange(common...)
        for part in above.dropFirst(common) {
            guard let next = try descend(part) else {
                return LocalPlace(directory: nil, component: component, path: root.appending(relative))
            }
            if let kind = try stores.kind(of: next) {
                return LocalPlace(
                    directory: nil, component: component, path: root.appending(relative), store: (next.path, kind))
            }
            open.append((part, next))
        }
        return LocalPlace(
            directory: open.last?.directory ?? top, component: component, path: root.appending(relative))
    }

    private func descend(_ part: [UInt8]) throws(VaultError) -> TreeDirectory? {
        guard let parent = open.last?.directory ?? top else { return nil }
        let path = parent.path.appending(part)
        do {
            return try TreeDirectory(part, in: parent)
        } catch  where error.code == .notFound || error.code == .invalid {
            if (try? FileStatus(of: part, in: parent.open())) != nil {
                throw VaultError(.exists, "'\(path)' is in the way: it is no directory.", path: path)
            }
        }
        if !makesMissing { return nil }
        let open = try parent.open()
        // The mode that a directory had is not known, and private content must not become everybody's.
        try retrying("make the directory", path) {
            LocalPath(part).withCString { mkdirat(open.descriptor, $0, 0o700) }
        }
        return try TreeDirectory(part, in: parent)
    }

    /// Removes a file, link or empty directory, and the directories above it that become empty.
    ///
    /// - Parameter kept: directories that stay where they are empty.
    /// - Returns: whether it was removed: not where it is gone already, or a directory with something in it.
    mutating func remove(
        _ relative: [UInt8], isDirectory: Bool, keeping kept: Set<[UInt8]>
    ) throws(VaultError) -> Bool {
        do {
            guard try unlink(relative, isDirectory: isDirectory) else { return false }
        } catch  where error.code == .notFound || (isDirectory && error.code == .exists) {
            return false
        }
        var above = relative[...]
        while let end = above.lastIndex(of: slash) {
            above = above[..<end]
            // The system itself refuses to remove a directory that is not empty.
            guard !kept.contains(Array(above)), (try? unlink(Array(above), isDirectory: true)) == true else { break }
        }
        return true
    }

    private mutating func unlink(_ relative: [UInt8], isDirectory: Bool) throws(VaultError) -> Bool {
        let place = try place(of: relative)
        guard let directory = try place.directory?.open() else { return false }
        try retrying("remove", place.path) {
            LocalPath(place.component).withCString {
                unlinkat(directory.descriptor, $0, isDirectory ? AT_REMOVEDIR : 0)
            }
        }
        return true
    }
}
