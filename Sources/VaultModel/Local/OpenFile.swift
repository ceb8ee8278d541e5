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
        func open() throws(VaultError) -> Int32 {
            try retrying("open", path) {
                relative.withCString { openat(directory?.descriptor ?? AT_FDCWD, $0, flags | O_CLOEXEC, mode) }
            }
        }
        let descriptor: Int32
        do throws(VaultError) {
            descriptor = try open()
        } catch {
            // Directories that rest can give up their descriptors.
            guard error.code == .unavailable, OpenDirectories.shared.closeAll() else { throw error }
            descriptor = try open()
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

    /// Reads from `offset` until `memory` is full or the file ends; returns the number of bytes read.
    package func read(
        into memory: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(VaultError) -> Int {
        var count = 0
        while count < memory.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: memory[count...])
            let read = try retrying("read", path) {
                pread(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(count))
            }
            if read == 0 { break }
            count += read
        }
        return count
    }

    /// Writes all of `bytes` at `offset`, but for long runs of zeros: in a file that has nothing there they are holes,
    /// once the file has its size.
    package func writeSparsely(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(VaultError) {
        var start = 0
        while start < bytes.count {
            let (data, hole) = bytes.dataAndHole(from: start, at: offset)
            if data > start {
                let part = UnsafeRawBufferPointer(rebasing: bytes[start..<data])
                try write(part, at: offset + UInt64(start))
            }
            start = hole
        }
    }

    /// Writes all of `bytes` where the file is written next: into a device or a pipe.
    package func append(_ bytes: UnsafeRawBufferPointer) throws(VaultError) {
        var count = 0
        while count < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[count...])
            count += try retrying("write to", path) { Glibc.write(descriptor, rest.baseAddress, rest.count) }
        }
    }

    /// Cuts the file to `size` bytes, or fills it up with a hole.
    package func resize(to size: UInt64) throws(VaultError) {
        try retrying("write", path) { ftruncate(descriptor, off_t(clamping: size)) }
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

extension UnsafeRawBufferPointer {
    /// Blocks of a file that can be holes, and the bytes of the shortest hole that is worth its place in the file's map.
    private static let blockBytes = 4096
    private static let holeBytes = 4 * blockBytes

    /// The end of the data that begins at `start`, and the end of the zeros behind it, which are long enough for a hole
    /// or none.
    ///
    /// - Parameter offset: that of the first byte in the file, in whose blocks zeros are looked for.
    fileprivate func dataAndHole(from start: Int, at offset: UInt64) -> (data: Int, hole: Int) {
        let block = UnsafeRawBufferPointer.blockBytes
        let misfit = Int((offset + UInt64(start)) % UInt64(block))
        var position = start + (misfit == 0 ? 0 : block - misfit)
        while position + block <= count {
            var end = position
            while end + block <= count, isZero(from: end, count: block) { end += block }
            if end - position >= UnsafeRawBufferPointer.holeBytes {
                // Zeros before and behind, of blocks that are not whole here, belong to the hole.
                while position > start, self[position - 1] == 0 { position -= 1 }
                if count - end < block, isZero(from: end, count: count - end) { end = count }
                return (position, end)
            }
            position = end + block
        }
        return (count, count)
    }

    private func isZero(from start: Int, count: Int) -> Bool {
        guard let base = baseAddress, count > 0, self[start] == 0 else { return false }
        // Bytes that equal those before them are all the first one.
        return memcmp(base + start, base + start + 1, count - 1) == 0
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

    /// The identity that tells the file from all others that are there now.
    package var identity: FileIdentity { FileIdentity(device: device, inode: inode) }

    package init(_ status: stat) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .file
        case S_IFLNK: kind = .link
        case S_IFDIR: kind = .directory
        default: kind = .other
        }
        // A file system of somebody else's making may say less than nothing.
        size = UInt64(clamping: status.st_size)
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

    /// Nanoseconds since 1970 UTC; the nearest that can be told for times before 1677 and after 2262.
    fileprivate static func nanoseconds(_ time: timespec) -> Int64 {
        let (seconds, isBeyond) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isBeyondToo) = seconds.addingReportingOverflow(Int64(time.tv_nsec))
        return isBeyond || isBeyondToo ? (time.tv_sec < 0 ? .min : .max) : sum
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

/// The device and inode of a file.
package struct FileIdentity: Hashable, Sendable {
    package var device: UInt64
    package var inode: UInt64

    package init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }
}

/// The time, nanoseconds since 1970 UTC.
package func currentNanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return FileStatus.nanoseconds(time)
}
