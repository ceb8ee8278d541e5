import Synchronization
import VaultModel

@testable import VaultStore

/// The files of this machine, with a list of what the store has them do.
final class RecordedFiles: StoreFiles {
    private let system = SystemFiles()
    private let recorded = Mutex<[String]>([])

    /// Each operation, with the bytes that it writes.
    var operations: [String] { recorded.withLock { $0 } }

    private func note(_ operation: String) {
        recorded.withLock { $0.append(operation) }
    }

    func create(_ path: LocalPath) throws(VaultError) -> OpenFile {
        note("create")
        return try system.create(path)
    }

    func write(_ parts: [UnsafeRawBufferPointer], to file: OpenFile, at offset: UInt64) throws(VaultError) {
        note("write \(parts.reduce(0) { $0 + $1.count })")
        try system.write(parts, to: file, at: offset)
    }

    func sync(_ file: OpenFile) throws(VaultError) {
        note("sync")
        try system.sync(file)
    }

    func truncate(_ file: OpenFile, to length: UInt64) throws(VaultError) {
        note("truncate")
        try system.truncate(file, to: length)
    }

    func seal(_ file: OpenFile) throws(VaultError) {
        note("seal")
        try system.seal(file)
    }

    func rename(_ from: LocalPath, to: LocalPath) throws(VaultError) {
        note("rename")
        try system.rename(from, to: to)
    }

    func remove(_ path: LocalPath) throws(VaultError) {
        note("remove")
        try system.remove(path)
    }

    func makeDirectory(_ path: LocalPath) throws(VaultError) {
        note("make a directory")
        try system.makeDirectory(path)
    }

    func syncDirectory(_ path: LocalPath) throws(VaultError) {
        note("sync a directory")
        try system.syncDirectory(path)
    }

    func willCommit() throws(VaultError) { note("commit") }
    func didCommit() throws(VaultError) {}
}
