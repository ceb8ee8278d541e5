import Glibc

/// Reads local files, links and directories into saves.
package enum LocalReader {
    /// Opens a regular file for reading, following no link at its end and waiting for no pipe.
    ///
    /// - Throws: `invalid` for what is no regular file any more.
    package static func open(
        _ path: LocalPath, at directory: OpenFile? = nil, component: [UInt8]? = nil
    ) throws(VaultError) -> OpenFile {
        let file = try OpenFile(
            path, at: directory, component: component, flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
        guard try file.status.kind == .file else {
            throw VaultError(.invalid, "'\(path)' is no longer a regular file.", path: path)
        }
        return file
    }

    /// The save of a file of at most one chunk; nil where it has grown too large for that.
    ///
    /// - Throws: `conflict` for a file that kept changing while it was read.
    package static func small(_ file: OpenFile, as name: Name) throws(VaultError) -> SmallSave? {
        for _ in 0..<Limits.saveAttemptsMax {
            let now = currentNanoseconds()
            let before = try file.status
            guard before.size <= UInt64(Limits.smallFileBytesMax) else { return nil }
            let bytes = try content(file, size: Int(before.size))
            guard let bytes, try !file.status.differs(from: before) else {
                try rewind(file)
                continue
            }
            let chunk =
                bytes.count == 0 ? nil : Chunk(digest: bytes.withUnsafeBytes { Digest(of: $0) }, bytes: bytes)
            return SmallSave(
                intent: SaveIntent(name: name, attributes: before.attributes(now: now)), chunk: chunk)
        }
        throw changed(file.path)
    }

    /// The whole content of a file; nil where it does not have the size that was seen.
    private static func content(_ file: OpenFile, size: Int) throws(VaultError) -> BufferSlice? {
        // One byte more tells a file that has grown.
        let buffer = Buffer(byteCount: size + 1)
        let count = try file.read(into: buffer.memory)
        return count == size ? BufferSlice(buffer, 0..<size) : nil
    }

    /// The save of a symbolic link: its content is where it points to.
    package static func link(
        _ path: LocalPath, at directory: OpenFile? = nil, component: [UInt8]? = nil, as name: Name,
        status: FileStatus
    ) throws(VaultError) -> SmallSave {
        let relative = component.map { LocalPath($0) } ?? path
        var target = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = try retrying("read the link", path) {
            relative.withCString { readlinkat(directory?.descriptor ?? AT_FDCWD, $0, &target, target.count) }
        }
        let bytes = BufferSlice(copying: target[..<count].map { UInt8(bitPattern: $0) })
        return SmallSave(
            intent: SaveIntent(
                name: name, kind: .link, attributes: status.attributes(now: currentNanoseconds())),
            chunk: Chunk(digest: bytes.withUnsafeBytes { Digest(of: $0) }, bytes: bytes))
    }

    /// The save of a directory with nothing in it.
    package static func directory(as name: Name, status: FileStatus) -> SmallSave {
        SmallSave(
            intent: SaveIntent(
                name: name, kind: .directory, attributes: status.attributes(now: currentNanoseconds())),
            chunk: nil)
    }

    static func rewind(_ file: OpenFile) throws(VaultError) {
        try retrying("read", file.path) { lseek(file.descriptor, 0, SEEK_SET) }
    }

    static func changed(_ path: LocalPath) -> VaultError {
        VaultError(
            .conflict, "'\(path)' changed while it was read; nothing of it was saved.", path: path,
            isRetryable: true)
    }
}
