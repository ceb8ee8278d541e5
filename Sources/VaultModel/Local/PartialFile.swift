import Glibc

/// A file of a large content on its way, under a name that tells the content: when the process is killed, the next one
/// goes on with it.
struct PartialFile {
    let name: [UInt8]
    let file: OpenFile
    /// Whether nothing has been written to it.
    let isFresh: Bool

    /// Opens the unfinished file of `content` that is to become `component`, or makes it. It is locked while it is open.
    ///
    /// - Parameter path: the file that it becomes, for messages.
    init(_ content: Content, as component: [UInt8], in directory: OpenFile, path: LocalPath) throws(VaultError) {
        let digest = Digest(of: content.digest.bytes + component)
        let name = UniqueID(Array(digest.bytes.prefix(16))).map { LocalWriter.temporaryName($0) }
        if let name, let found = PartialFile.found(name, in: directory, path: path) {
            (self.name, file, isFresh) = (name, found, false)
            return
        }
        var chosen = name ?? LocalWriter.temporaryName(UniqueID())
        let made: OpenFile
        do throws(VaultError) {
            made = try PartialFile.make(chosen, in: directory, path: path)
        } catch {
            // Somebody else is at it, or it is nobody's to go on with.
            guard error.code == .exists else { throw error }
            chosen = LocalWriter.temporaryName(UniqueID())
            made = try PartialFile.make(chosen, in: directory, path: path)
        }
        (self.name, file, isFresh) = (chosen, made, true)
    }

    private static func make(_ name: [UInt8], in directory: OpenFile, path: LocalPath) throws(VaultError) -> OpenFile {
        let file = try OpenFile(
            path, at: directory, component: name, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
            throw VaultError(.exists, "Another process works on '\(path)'.", path: path)
        }
        return file
    }

    /// A file that a killed process has left, and that nobody else can have touched.
    private static func found(_ name: [UInt8], in directory: OpenFile, path: LocalPath) -> OpenFile? {
        guard
            let file = try? OpenFile(
                path, at: directory, component: name, flags: O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
        else { return nil }
        var status = stat()
        guard fstat(file.descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(),
            status.st_nlink == 1, status.st_mode & 0o077 == 0, flock(file.descriptor, LOCK_EX | LOCK_NB) == 0,
            // Its last holder may have finished it between the opening and the lock.
            let now = try? FileStatus(of: name, in: directory), now.inode == UInt64(status.st_ino)
        else { return nil }
        return file
    }
}
