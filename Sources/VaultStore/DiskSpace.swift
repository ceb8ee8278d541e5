import Glibc
import VaultModel

/// The room that a disk has, and that of the memory which SQLite's processes share through a file on it.
enum DiskSpace {
    /// Bytes that this user may still store on the disk of `directory`; nil where the system does not tell.
    static func free(in directory: LocalPath) -> UInt64? {
        var status = statvfs()
        guard directory.withCString({ statvfs($0, &status) }) == 0 else { return nil }
        // Some file systems say that they have no end.
        let (bytes, isEndless) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return isEndless ? .max : bytes
    }

    /// Whether the disk lacks the room for the shared memory of a database in `directory`. A page of a mapped file that
    /// the disk has no room for ends the process that touches it.
    static func isShort(in directory: LocalPath) -> Bool {
        free(in: directory).map { $0 < UInt64(4 * StoreLimits.sharedMemoryBytes) } ?? false
    }

    /// Gives the shared memory of an open database its room. SQLite itself touches one byte of each 4 KiB, which is too
    /// little on a file system with smaller blocks.
    static func allocateSharedMemory(of database: LocalPath) {
        let path = LocalPath(database.bytes + Array("-shm".utf8))
        guard let file = try? OpenFile(path, flags: O_RDWR | O_NOFOLLOW), let size = try? file.status.size else {
            return
        }
        _ = posix_fallocate(file.descriptor, 0, off_t(max(size, UInt64(StoreLimits.sharedMemoryBytes))))
    }
}
