import Foundation
import Synchronization
import VaultModel

@testable import VaultStore

/// The files of this machine, with a disk or a process that fails at a chosen operation.
final class FaultyFiles: StoreFiles {
    enum Fault: Sendable, Hashable {
        /// The operation fails with this `errno`, a write half done; later ones succeed.
        case error(Int32)
        /// The process is killed, a write half done: this operation and all later ones fail.
        case crash
    }

    /// What a crash leaves on the disk, in two copies of the directory.
    struct Remains: Sendable {
        /// The process was killed: all that it wrote is there.
        let killed: LocalPath
        /// The power failed: what was not synced is gone, or zeros.
        let powerless: LocalPath
    }

    /// A change of a directory that is not durable yet.
    private enum Entry {
        case created(LocalPath)
        case renamed(LocalPath, to: LocalPath, replaced: [UInt8]?)
        case removed(LocalPath, [UInt8])

        var directory: LocalPath {
            switch self {
            case .created(let path), .removed(let path, _), .renamed(_, let path, _): path.parent
            }
        }
    }

    private struct State {
        var operations = 0
        var isDead = false
        /// The durable bytes of files that were written to, by inode.
        var durable: [UInt64: [UInt8]] = [:]
        var entries: [Entry] = []
        var remains: Remains?
    }

    private let system = SystemFiles()
    private let directory: LocalPath
    private let failing: Int
    private let fault: Fault
    private let state = Mutex(State())

    /// - Parameters:
    ///   - directory: the vault's.
    ///   - failing: the number of the operation that fails, from 1.
    init(_ directory: LocalPath, failing: Int, with fault: Fault) {
        self.directory = directory
        self.failing = failing
        self.fault = fault
    }

    var operations: Int { state.withLock { $0.operations } }
    var hasReachedFault: Bool { operations >= failing }
    var remains: Remains? { state.withLock { $0.remains } }

    func create(_ path: LocalPath) throws(VaultError) -> OpenFile {
        try step("create", path)
        let file = try system.create(path)
        let inode = try file.status.inode
        state.withLock { state in
            state.durable[inode] = []
            state.entries.append(.created(path))
        }
        return file
    }

    func write(_ parts: [UnsafeRawBufferPointer], to file: OpenFile, at offset: UInt64) throws(VaultError) {
        try track(file)
        do {
            try step("write", file.path)
        } catch {
            let bytes = parts.flatMap { Array($0) }
            let half = BufferSlice(copying: Array(bytes[..<(bytes.count / 2)]))
            try? half.withUnsafeBytes { (half) throws(VaultError) in try system.write([half], to: file, at: offset) }
            throw error
        }
        try system.write(parts, to: file, at: offset)
    }

    func sync(_ file: OpenFile) throws(VaultError) {
        try step("sync", file.path)
        try system.sync(file)
        let (inode, bytes) = (try file.status.inode, contents(of: file))
        state.withLock { $0.durable[inode] = bytes }
    }

    func truncate(_ file: OpenFile, to length: UInt64) throws(VaultError) {
        try track(file)
        try step("cut", file.path)
        try system.truncate(file, to: length)
    }

    func seal(_ file: OpenFile) throws(VaultError) {
        try step("seal", file.path)
        try system.seal(file)
    }

    func rename(_ from: LocalPath, to: LocalPath) throws(VaultError) {
        try step("rename", from)
        let replaced = try? to.contents()
        try system.rename(from, to: to)
        state.withLock { $0.entries.append(.renamed(from, to: to, replaced: replaced)) }
    }

    func remove(_ path: LocalPath) throws(VaultError) {
        try step("remove", path)
        let bytes = try? path.contents()
        try system.remove(path)
        state.withLock { $0.entries.append(.removed(path, bytes ?? [])) }
    }

    func makeDirectory(_ path: LocalPath) throws(VaultError) {
        try step("make the directory", path)
        try system.makeDirectory(path)
    }

    func syncDirectory(_ path: LocalPath) throws(VaultError) {
        try step("sync", path)
        try system.syncDirectory(path)
        state.withLock { $0.entries.removeAll { $0.directory == path } }
    }

    func willCommit() throws(VaultError) {
        try step("commit", directory)
    }

    func didCommit() throws(VaultError) {
        // A commit that took effect does not fail, but its process may die.
        if fault == .crash { try step("commit", directory) } else { state.withLock { $0.operations += 1 } }
    }

    // MARK: Failing

    private func step(_ doing: String, _ path: LocalPath) throws(VaultError) {
        let failure: VaultError? = state.withLock { state in
            state.operations += 1
            if state.isDead { return VaultError(system: EIO, doing, path) }
            guard state.operations == failing else { return nil }
            switch fault {
            case .error(let number):
                return VaultError(system: number, doing, path)
            case .crash:
                state.isDead = true
                state.remains = takeRemains(state)
                return VaultError(system: EIO, doing, path)
            }
        }
        if let failure { throw failure }
    }

    /// Remembers what is durable of a file that was there before.
    private func track(_ file: OpenFile) throws(VaultError) {
        let inode = try file.status.inode
        if state.withLock({ $0.durable[inode] != nil }) { return }
        let bytes = contents(of: file)
        state.withLock { $0.durable[inode] = bytes }
    }

    private func contents(of file: OpenFile) -> [UInt8] {
        guard let size = try? file.status.size else { return [] }
        let buffer = Buffer(byteCount: Int(size))
        let count = pread(file.descriptor, buffer.memory.baseAddress, Int(size), 0)
        return Array(buffer.memory[..<max(0, count)])
    }

    // MARK: Remains

    private func takeRemains(_ state: State) -> Remains {
        let killed = LocalPath(directory.bytes + Array("-killed".utf8))
        let powerless = LocalPath(directory.bytes + Array("-powerless".utf8))
        for copy in [killed, powerless] { copyVault(directory, to: copy) }
        for (source, bytes) in directory.files().compactMap({ path in
            (try? FileStatus(of: path)).flatMap { state.durable[$0.inode] }.map { (path, $0) }
        }) {
            let copy = moved(source, to: powerless)
            // File systems differ: the length may be durable before the bytes are.
            let zeros = failing % 2 == 0 ? max(0, ((try? copy.contents().count) ?? 0) - bytes.count) : 0
            try? copy.setContents(bytes + [UInt8](repeating: 0, count: zeros))
        }
        for entry in state.entries.reversed() { undo(entry, in: powerless) }
        return Remains(killed: killed, powerless: powerless)
    }

    private func undo(_ entry: Entry, in copy: LocalPath) {
        let files = FileManager.default
        switch entry {
        case .created(let path):
            try? files.removeItem(atPath: moved(path, to: copy).text)
        case .renamed(let from, let to, let replaced):
            let (from, to) = (moved(from, to: copy), moved(to, to: copy))
            try? files.removeItem(atPath: from.text)
            try? files.moveItem(atPath: to.text, toPath: from.text)
            if let replaced { try? to.setContents(replaced) }
        case .removed(let path, let bytes):
            try? moved(path, to: copy).setContents(bytes)
        }
    }

    private func moved(_ path: LocalPath, to copy: LocalPath) -> LocalPath {
        LocalPath(copy.bytes + path.bytes.dropFirst(directory.bytes.count))
    }
}

/// Copies a vault's directory, without what a new process makes anew; its reserve takes up no space.
func copyVault(_ from: LocalPath, to: LocalPath) {
    let files = FileManager.default
    guard let paths = files.enumerator(atPath: from.text) else { return }
    try? files.createDirectory(atPath: to.text, withIntermediateDirectories: true)
    let reserve = to.appending("reserve").text
    _ = files.createFile(atPath: reserve, contents: nil)
    truncate(reserve, off_t(StoreLimits.reserveBytes))
    for case let path as String in paths where !path.hasSuffix("-shm") && path != "reserve" {
        let (source, target) = (from.appending(path).text, to.appending(path).text)
        if paths.fileAttributes?[.type] as? FileAttributeType == .typeDirectory {
            try? files.createDirectory(atPath: target, withIntermediateDirectories: true)
        } else {
            try? files.copyItem(atPath: source, toPath: target)
        }
    }
}
