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

    /// The save of a file of at most one chunk; nil where it is too large for that.
    ///
    /// A file that keeps changing is saved as it was read last, and the save says so.
    ///
    /// - Parameter isStrict: whether a file that keeps changing is refused.
    /// - Throws: `conflict` for one that is refused.
    package static func small(
        _ file: OpenFile, as name: Name, isStrict: Bool = false
    ) throws(VaultError) -> SmallSave? {
        var attempt = 1
        while true {
            let now = currentNanoseconds()
            let before = try file.status
            guard before.size <= UInt64(Limits.smallFileBytesMax),
                let bytes = try content(file, expecting: Int(before.size))
            else { return nil }
            // The size is not compared: some file systems tell one that is none, and what the file gives counts.
            let isChanged = try file.status.differs(from: before)
            if isChanged, attempt < Limits.saveAttemptsMax {
                attempt += 1
                try rewind(file)
                continue
            }
            if isChanged, isStrict { throw changed(file.path) }
            let chunk =
                bytes.count == 0 ? nil : Chunk(digest: bytes.withUnsafeBytes { Digest(of: $0) }, bytes: bytes)
            var intent = SaveIntent(name: name, attributes: before.attributes(now: now))
            intent.changedWhileRead = isChanged
            return SmallSave(intent: intent, chunk: chunk)
        }
    }

    /// The content of a file up to its end; nil where that is more than one chunk.
    private static func content(_ file: OpenFile, expecting size: Int) throws(VaultError) -> BufferSlice? {
        // One byte more tells a file that has grown.
        let buffer = Buffer(byteCount: size + 1)
        let count = try file.read(into: buffer.memory)
        if count <= size { return BufferSlice(buffer, 0..<count) }
        let longer = Buffer(byteCount: Limits.smallFileBytesMax + 1)
        longer.memory.copyMemory(
            from: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer.memory)[..<count]))
        let rest = UnsafeMutableRawBufferPointer(rebasing: longer.memory[count...])
        let total = count + (try file.read(into: rest))
        return total <= Limits.smallFileBytesMax ? BufferSlice(longer, 0..<total) : nil
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
