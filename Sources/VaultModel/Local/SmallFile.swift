package import Glibc

/// Small files of the program itself, such as keys and settings: read whole, written whole or not at all.
package enum SmallFile {
    /// What becomes of a file that is there already.
    package enum Existing: Sendable {
        case isReplaced
        case isKept
    }

    /// The content of a regular file, or of the one that a link leads to.
    ///
    /// - Throws: `invalid` for what is no regular file or has more than `bytesMax` bytes.
    package static func read(_ path: LocalPath, bytesMax: Int) throws(VaultError) -> [UInt8] {
        // A pipe that nobody writes to would never open.
        try read(OpenFile(path, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY), bytesMax: bytesMax)
    }

    /// The content of a file that was opened and is read for the first time.
    package static func read(_ file: OpenFile, bytesMax: Int) throws(VaultError) -> [UInt8] {
        let path = file.path
        guard try file.status.kind == .file else {
            throw VaultError(.invalid, "'\(path)' is not a regular file.", path: path)
        }
        // One byte more tells a file that is too long.
        let buffer = Buffer(byteCount: bytesMax + 1)
        let count = try file.read(into: buffer.memory)
        guard count <= bytesMax else {
            throw VaultError(.invalid, "'\(path)' has more than \(bytesMax) bytes.", path: path)
        }
        return Array(buffer.memory[..<count])
    }

    /// Writes a file that appears complete, durable and with exactly this mode, also to other processes.
    ///
    /// - Throws: `exists` where a file is there that is to be kept.
    package static func write(
        _ bytes: [UInt8], to path: LocalPath, mode: mode_t, _ existing: Existing
    ) throws(VaultError) {
        let temporary = path.parent.appending(".minivault-\(UniqueID())")
        do throws(VaultError) {
            let file = try OpenFile(temporary, flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode & 0o600)
            try BufferSlice(copying: bytes).withUnsafeBytes { (bytes) throws(VaultError) in try file.write(bytes, at: 0)
            }
            // The process's mask has no say in it.
            try retrying("set the mode of", path) { fchmod(file.descriptor, mode) }
            try retrying("sync", path) { fsync(file.descriptor) }
            try place(temporary, as: path, existing)
        } catch {
            _ = temporary.withCString { unlink($0) }
            throw error
        }
        let directory = try OpenFile(path.parent, flags: O_RDONLY | O_DIRECTORY)
        try retrying("sync", path.parent) { fsync(directory.descriptor) }
    }

    private static func place(
        _ temporary: LocalPath, as path: LocalPath, _ existing: Existing
    ) throws(VaultError) {
        try retrying("write", path) {
            temporary.withCString { temporary in
                path.withCString { path in
                    // Only a new link, not a rename, refuses to replace what is there.
                    switch existing {
                    case .isReplaced: rename(temporary, path)
                    case .isKept: link(temporary, path)
                    }
                }
            }
        }
        if existing == .isKept { _ = temporary.withCString { unlink($0) } }
    }

    /// Removes a file; one that is not there is no error.
    ///
    /// - Returns: whether it was there.
    @discardableResult
    package static func remove(_ path: LocalPath) throws(VaultError) -> Bool {
        do throws(VaultError) {
            try retrying("remove", path) { path.withCString { unlink($0) } }
            return true
        } catch  where error.code == .notFound {
            return false
        }
    }

    /// Makes a directory that only its owner may enter, and those above it, where they are missing.
    package static func makeDirectory(_ path: LocalPath) throws(VaultError) {
        if path.withCString({ mkdir($0, 0o700) }) == 0 { return }
        switch errno {
        case EEXIST: return
        case ENOENT where path.parent != path:
            try makeDirectory(path.parent)
            let status = path.withCString { mkdir($0, 0o700) }
            // Another process may have made it in the meantime.
            if status != 0, errno != EEXIST { throw VaultError(system: errno, "make the directory", path) }
        default: throw VaultError(system: errno, "make the directory", path)
        }
    }
}
