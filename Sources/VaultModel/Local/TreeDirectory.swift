import Glibc
import Synchronization

/// A directory of a local tree that is walked or changed.
///
/// It is opened without following links. Where many directories are in use, it is closed while it rests and opened
/// again from the directory above it, so that neither the depth of a tree nor the number of its directories is bounded
/// by the files that a process may have open.
package final class TreeDirectory: Sendable {
    package let path: LocalPath
    /// The directory above it; nil at the top of the tree.
    private let parent: TreeDirectory?
    private let component: [UInt8]
    let identity: FileIdentity
    private let state: Mutex<State>

    private struct State {
        var file: OpenFile?
        /// Whether it has been used since the pool looked last.
        var isUsed = true
    }

    private static let flags = O_RDONLY | O_DIRECTORY

    /// Opens the top of a tree; a link there is followed.
    package init(root path: LocalPath) throws(VaultError) {
        let file = try OpenFile(path, flags: TreeDirectory.flags)
        self.path = path
        (parent, component) = (nil, [])
        identity = try file.status.identity
        state = Mutex(State(file: file))
        OpenDirectories.shared.add(self)
    }

    /// Opens a directory of `parent`.
    ///
    /// - Throws: `notFound` or `invalid` where the component is no directory.
    package init(_ component: [UInt8], in parent: TreeDirectory) throws(VaultError) {
        path = parent.path.appending(component)
        (self.parent, self.component) = (parent, component)
        let file = try OpenFile(
            path, at: parent.open(), component: component, flags: TreeDirectory.flags | O_NOFOLLOW)
        identity = try file.status.identity
        state = Mutex(State(file: file))
        OpenDirectories.shared.add(self)
    }

    deinit {
        if state.withLock({ $0.file != nil }) { OpenDirectories.shared.forgetOne() }
    }

    /// The open directory. Whoever holds the result keeps it open.
    ///
    /// - Throws: `notFound` where none has its place by now, `conflict` where another directory has.
    package func open() throws(VaultError) -> OpenFile {
        let open = state.withLock { state in
            state.isUsed = true
            return state.file
        }
        if let open { return open }
        let file =
            if let parent {
                try OpenFile(path, at: parent.open(), component: component, flags: TreeDirectory.flags | O_NOFOLLOW)
            } else {
                try OpenFile(path, flags: TreeDirectory.flags)
            }
        guard try file.status.identity == identity else {
            throw VaultError(
                .conflict, "'\(path)' was replaced by another directory while it was read.", path: path)
        }
        let isFirst = state.withLock { state in
            defer { if state.file == nil { state.file = file } }
            return state.file == nil
        }
        if isFirst { OpenDirectories.shared.add(self) }
        return file
    }

    /// Whether it is open at the moment.
    var isOpen: Bool { state.withLock { $0.file != nil } }

    /// Closes the directory unless it has been used since this was last asked.
    ///
    /// - Parameter always: closes it all the same.
    /// - Returns: whether it is closed now; nil where it was closed already.
    fileprivate func closeIfUnused(always: Bool) -> Bool? {
        state.withLock { state in
            if state.file == nil { return nil }
            if state.isUsed, !always {
                state.isUsed = false
                return false
            }
            state.file = nil
            return true
        }
    }
}

/// The directories of trees that a process has open, as many as its limit has room for.
final class OpenDirectories: Sendable {
    static let shared = OpenDirectories(max: OpenFileLimit.share(4, max: 4096))

    private struct Entry {
        weak var directory: TreeDirectory?
    }

    private struct State {
        /// In the order in which they were opened; some are closed or gone by now.
        var entries: [Entry] = []
        var head = 0
        var count = 0
    }

    private let max: Int
    private let state = Mutex(State())

    init(max: Int) {
        self.max = max
    }

    func add(_ directory: TreeDirectory) {
        state.withLock { state in
            state.entries.append(Entry(directory: directory))
            state.count += 1
        }
        while state.withLock({ $0.count > max }), closeNext(always: false) {}
        state.withLock { state in
            guard state.entries.count > 4 * max + 64 else { return }
            state.entries.removeFirst(state.head)
            state.head = 0
            state.entries.removeAll { $0.directory == nil }
        }
    }

    /// Counts a directory out that is gone.
    func forgetOne() {
        state.withLock { $0.count -= 1 }
    }

    /// Closes all directories that can be opened again, where a file could not be opened for want of descriptors.
    ///
    /// - Returns: whether any was open.
    func closeAll() -> Bool {
        let before = state.withLock { $0.count }
        while closeNext(always: true) {}
        return before > 0
    }

    /// Closes the directory that rests longest.
    ///
    /// - Returns: whether there may be more.
    private func closeNext(always: Bool) -> Bool {
        // The last reference may go here, and its `deinit` takes the lock.
        let next = state.withLock { state -> TreeDirectory?? in
            guard state.head < state.entries.count else { return nil }
            defer { state.head += 1 }
            return .some(state.entries[state.head].directory)
        }
        guard let next else { return false }
        switch next?.closeIfUnused(always: always) {
        case true?: state.withLock { $0.count -= 1 }
        case false?: state.withLock { $0.entries.append(Entry(directory: next)) }
        case nil: break
        }
        return true
    }
}
