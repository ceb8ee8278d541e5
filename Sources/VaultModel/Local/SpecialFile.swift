import Glibc

/// A device, a pipe or one of the process's own descriptors under a path, such as `/dev/stdout`: it is written into, and
/// never replaced by a file. What a path such as `/dev/stdin` gives is read as a stream.
enum SpecialFile {
    /// Opens what is at `path`, for writing.
    ///
    /// A pipe is opened once somebody reads from it.
    ///
    /// - Returns: nil where there is a regular file, a directory or nothing.
    /// - Throws: `cancelled` while nobody reads from a pipe; `invalid` for a socket; what opening it throws.
    static func open(_ path: LocalPath) async throws(VaultError) -> OpenFile? {
        if let stream = try ownStream(at: path) { return stream }
        guard let status = try? FileStatus(of: path, followsLinks: true), status.kind == .other else { return nil }
        while true {
            if let file = try openAtOnce(path) { return file }
            if Task.isCancelled { throw .cancelled }
            try await mappingErrors { try await Task.sleep(for: .milliseconds(20)) }
        }
    }

    /// A copy of the descriptor of this process that `path` names; nil for any other path.
    static func ownStream(at path: LocalPath) throws(VaultError) -> OpenFile? {
        guard let descriptor = ownDescriptor(of: path) else { return nil }
        let copy = try retrying("open", path) { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) }
        return OpenFile(descriptor: copy, path: path)
    }

    /// Opens a device or a pipe in a directory, following no link.
    ///
    /// - Throws: `unavailable` for a pipe that nobody reads from, `invalid` for a socket.
    static func open(_ component: [UInt8], in directory: OpenFile, path: LocalPath) throws(VaultError) -> OpenFile {
        guard let file = try openAtOnce(path, component, at: directory) else {
            throw VaultError(.unavailable, "Nobody reads from the pipe '\(path)'.", path: path)
        }
        return file
    }

    /// - Returns: nil for a pipe that nobody reads from.
    /// - Throws: `invalid` for a socket, and for a device without hardware or terminal.
    private static func openAtOnce(
        _ path: LocalPath, _ component: [UInt8]? = nil, at directory: OpenFile? = nil
    ) throws(VaultError) -> OpenFile? {
        let relative = component.map { LocalPath($0) } ?? path
        let links = directory == nil ? 0 : O_NOFOLLOW
        let descriptor = relative.withCString {
            openat(directory?.descriptor ?? AT_FDCWD, $0, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | links)
        }
        if descriptor < 0 {
            guard errno == ENXIO else { throw VaultError(system: errno, "open", path) }
            var status = stat()
            let flags = links == 0 ? 0 : AT_SYMLINK_NOFOLLOW
            let found = relative.withCString { fstatat(directory?.descriptor ?? AT_FDCWD, $0, &status, flags) }
            if found == 0, status.st_mode & S_IFMT == S_IFIFO { return nil }
            throw VaultError(
                .invalid, "'\(path)' takes no bytes: it is a socket, or a device that is not there.", path: path)
        }
        let file = OpenFile(descriptor: descriptor, path: path)
        // From here on a full pipe is waited for.
        let flags = fcntl(descriptor, F_GETFL)
        try retrying("open", path) { fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK) }
        return file
    }

    /// The descriptor of this process that `path` names, itself or through links.
    private static func ownDescriptor(of path: LocalPath) -> Int32? {
        var path = path
        for _ in 0..<8 {
            let text = String(decoding: path.bytes, as: UTF8.self)
            for directory in ["/dev/fd/", "/proc/self/fd/", "/proc/\(getpid())/fd/"] where text.hasPrefix(directory) {
                return Int32(text.dropFirst(directory.count))
            }
            var target = [CChar](repeating: 0, count: Int(PATH_MAX))
            let count = path.withCString { readlink($0, &target, target.count) }
            guard count > 0, target[0] == CChar(UInt8(ascii: "/")) else { return nil }
            path = LocalPath(target[..<count].map { UInt8(bitPattern: $0) })
        }
        return nil
    }
}
