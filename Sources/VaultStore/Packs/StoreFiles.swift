import Glibc
package import VaultModel

/// Every operation by which the store changes a disk: the place where tests make disks fail.
package protocol StoreFiles: Sendable {
    /// Creates a file that must not be there, for reading and writing.
    func create(_ path: LocalPath) throws(VaultError) -> OpenFile
    /// Writes `parts` one behind the other at `offset`.
    func write(_ parts: [UnsafeRawBufferPointer], to file: OpenFile, at offset: UInt64) throws(VaultError)
    /// Makes what was written to `file`, and its length, durable (`fdatasync`).
    func sync(_ file: OpenFile) throws(VaultError)
    func truncate(_ file: OpenFile, to length: UInt64) throws(VaultError)
    /// Marks a file as one that nobody writes to again.
    func seal(_ file: OpenFile) throws(VaultError)
    func rename(_ from: LocalPath, to: LocalPath) throws(VaultError)
    func remove(_ path: LocalPath) throws(VaultError)
    /// Makes a directory that may be there already, and its own entry durable.
    func makeDirectory(_ path: LocalPath) throws(VaultError)
    /// Makes the names in a directory durable.
    func syncDirectory(_ path: LocalPath) throws(VaultError)
    /// Is told that a transaction of the catalog is about to be committed.
    func willCommit() throws(VaultError)
    /// Is told that it has been.
    func didCommit() throws(VaultError)
}

/// The files of this machine.
package struct SystemFiles: StoreFiles {
    /// `IOV_MAX` of Linux.
    private static let partsMax = 1024

    package init() {}

    package func create(_ path: LocalPath) throws(VaultError) -> OpenFile {
        let file = try OpenFile(path, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        DataOwner.inherit(path)
        return file
    }

    package func write(
        _ parts: [UnsafeRawBufferPointer], to file: OpenFile, at offset: UInt64
    ) throws(VaultError) {
        var vectors = parts.filter { !$0.isEmpty }.map {
            iovec(iov_base: UnsafeMutableRawPointer(mutating: $0.baseAddress), iov_len: $0.count)
        }[...]
        var position = off_t(offset)
        while !vectors.isEmpty {
            let written = try retrying("write", file.path) {
                vectors.withUnsafeBufferPointer {
                    pwritev(file.descriptor, $0.baseAddress, Int32(min($0.count, SystemFiles.partsMax)), position)
                }
            }
            position += off_t(written)
            var rest = written
            while let first = vectors.first, first.iov_len <= rest {
                rest -= first.iov_len
                vectors.removeFirst()
            }
            if rest > 0 {
                let start = vectors.startIndex
                vectors[start].iov_base += rest
                vectors[start].iov_len -= rest
            }
        }
    }

    package func sync(_ file: OpenFile) throws(VaultError) {
        try retrying("sync", file.path) { fdatasync(file.descriptor) }
    }

    package func truncate(_ file: OpenFile, to length: UInt64) throws(VaultError) {
        try retrying("cut", file.path) { ftruncate(file.descriptor, off_t(length)) }
    }

    package func seal(_ file: OpenFile) throws(VaultError) {
        try retrying("seal", file.path) { fchmod(file.descriptor, 0o400) }
    }

    package func rename(_ from: LocalPath, to: LocalPath) throws(VaultError) {
        try retrying("rename", from) {
            from.withCString { from in to.withCString { Glibc.rename(from, $0) } }
        }
    }

    package func remove(_ path: LocalPath) throws(VaultError) {
        try retrying("remove", path) { path.withCString { unlink($0) } }
    }

    package func makeDirectory(_ path: LocalPath) throws(VaultError) {
        if path.withCString({ mkdir($0, 0o700) }) != 0 {
            guard errno == EEXIST else { throw VaultError(system: errno, "make the directory", path) }
            return
        }
        DataOwner.inherit(path)
        try syncDirectory(path.parent)
    }

    package func syncDirectory(_ path: LocalPath) throws(VaultError) {
        let directory = try OpenFile(path, flags: O_RDONLY | O_DIRECTORY)
        try retrying("sync", path) { fsync(directory.descriptor) }
    }

    package func willCommit() throws(VaultError) {}
    package func didCommit() throws(VaultError) {}
}
