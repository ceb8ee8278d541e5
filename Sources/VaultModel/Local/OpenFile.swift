package import Glibc
import Synchronization

/// An open file descriptor, closed when the last reference goes.
package final class OpenFile: Sendable {
    package let descriptor: Int32
    package let path: LocalPath
    /// Lets one task write at a time: the kernel would let the others spin for the file's own lock.
    private let writing = Mutex<Void>(())

    /// Takes over an open descriptor.
    package init(descriptor: Int32, path: LocalPath) {
        self.descriptor = descriptor
        self.path = path
    }

    /// Opens `path`, or its last component relative to `directory`, with `O_CLOEXEC`.
    package convenience init(
        _ path: LocalPath, at directory: OpenFile? = nil, component: [UInt8]? = nil, flags: Int32, mode: mode_t = 0o666
    ) throws(VaultError) {
        let relative = component.map { LocalPath($0) } ?? path
        let descriptor = try retrying("open", path) {
            relative.withCString { openat(directory?.descriptor ?? AT_FDCWD, $0, flags | O_CLOEXEC, mode) }
        }
        self.init(descriptor: descriptor, path: path)
    }

    deinit {
        close(descriptor)
    }

    package var status: FileStatus {
        get throws(VaultError) {
            var status = stat()
            try retrying("look at", path) { fstat(descriptor, &status) }
            return FileStatus(status)
        }
    }

    /// Reads until `memory` is full or the file ends; returns the number of bytes read.
    package func read(into memory: UnsafeMutableRawBufferPointer) throws(VaultError) -> Int {
        var count = 0
        while count < memory.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: memory[count...])
            let read = try retrying("read", path) { Glibc.read(descriptor, rest.baseAddress, rest.count) }
            if read == 0 { break }
            count += read
        }
        return count
    }

    /// Writes all of `bytes` at `offset`.
    package func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(VaultError) {
        try writing.withLock { (_) throws(VaultError) in
            var count = 0
            while count < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[count...])
                count += try retrying("write", path) {
                    pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(count))
                }
            }
        }
    }
}

/// What a local file is, as far as a vault is concerned.
package struct FileStatus: Sendable, Hashable {
    package enum Kind: Sendable {
        case file
        case link
        case directory
        /// A socket, a pipe or a device.
        case other
    }

    package var kind: Kind
    package var size: UInt64
    package var mode: UInt32
    /// Nanoseconds since 1970 UTC.
    package var modified: Int64
    /// Of the inode's last status change, nanoseconds since 1970 UTC.
    package var changed: Int64
    package var inode: UInt64
    package var device: UInt64

    package init(_ status: stat) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .file
        case S_IFLNK: kind = .link
        case S_IFDIR: kind = .directory
        default: kind = .other
        }
        size = UInt64(status.st_size)
        mode = UInt32(status.st_mode & 0o7777)
        modified = FileStatus.nanoseconds(status.st_mtim)
        changed = FileStatus.nanoseconds(status.st_ctim)
        inode = UInt64(status.st_ino)
        device = UInt64(status.st_dev)
    }

    /// The status of what `path` is, or of what it points to.
    package init(of path: LocalPath, followsLinks: Bool = false) throws(VaultError) {
        var status = stat()
        try retrying("look at", path) {
            path.withCString { fstatat(AT_FDCWD, $0, &status, followsLinks ? 0 : AT_SYMLINK_NOFOLLOW) }
        }
        self.init(status)
    }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000).partialValue &+ Int64(time.tv_nsec)
    }

    /// What a save keeps of this file.
    ///
    /// - Parameter now: nanoseconds since 1970 UTC, before the file was read. A file that changed less
    ///   than two seconds before is not recognised later: it could change again within one tick.
    package func attributes(now: Int64) -> Attributes {
        let isSettled = max(modified, changed) < now - Limits.racyNanoseconds
        return Attributes(
            mode: mode, modified: modified,
            origin: isSettled ? Attributes.Origin(changed: changed, inode: inode) : nil
        )
    }

    /// Whether a file with this status is what `entry` was saved from, unchanged since.
    package func isUnchanged(since entry: Entry) -> Bool {
        entry.size == size && entry.attributes.modified == modified && entry.attributes.mode == mode
            && entry.attributes.origin == Attributes.Origin(changed: changed, inode: inode)
    }
}

/// The time, nanoseconds since 1970 UTC.
package func currentNanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
