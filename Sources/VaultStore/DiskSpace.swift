import Glibc
import VaultModel

/// The room that a disk has.
enum DiskSpace {
    /// Bytes that this user may still store on the disk of `directory`; nil where the system does not tell.
    static func free(in directory: LocalPath) -> UInt64? {
        var status = statvfs()
        // Some file systems tell nothing, and say so by zeros.
        guard directory.withCString({ statvfs($0, &status) }) == 0, status.f_blocks > 0 else { return nil }
        // Some file systems say that they have no end.
        let (bytes, isEndless) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return isEndless ? .max : bytes
    }

    /// Whether the disk lacks the room for the memory that the processes at a database in `directory` share through a file.
    ///
    /// SQLite maps that file. It makes sure of one block of each 4 KiB, which is too little on a file system with smaller
    /// blocks: a page that has no room there ends the process that touches it.
    static func isShort(in directory: LocalPath) -> Bool {
        var status = statvfs()
        guard directory.withCString({ statvfs($0, &status) }) == 0, status.f_frsize < 4096 else { return false }
        return free(in: directory).map { $0 < UInt64(4 * StoreLimits.sharedMemoryBytes) } ?? false
    }
}
