import Glibc
package import VaultModel

/// Whose a data directory is.
///
/// Root manages users beside a server that runs as another user: what root makes there must be that user's, or
/// the server could not open it.
package struct DataOwner {
    /// Nil where nothing needs to be given away: to one's own directory, or without the power to.
    private let owner: (user: uid_t, group: gid_t)?

    package init(_ directory: LocalPath) throws(VaultError) {
        var status = stat()
        try retrying("look at", directory) { directory.withCString { stat($0, &status) } }
        owner = geteuid() == 0 && status.st_uid != 0 ? (status.st_uid, status.st_gid) : nil
    }

    /// Gives what has just been made in a directory to whoever the directory belongs to, as far as that can be.
    package static func inherit(_ path: LocalPath) {
        // Only root has something to give away.
        guard geteuid() == 0, let owner = try? DataOwner(path.parent) else { return }
        try? owner.takeAlone(path)
    }

    /// Gives a file, or a directory with all that is in it, to the owner; never what a link points to.
    package func take(_ path: LocalPath) throws(VaultError) {
        guard owner != nil else { return }
        try takeAlone(path)
        guard try FileStatus(of: path).kind == .directory else { return }
        for name in try DirectoryListing(path).names { try take(path.appending(name)) }
    }

    /// Gives a file or a directory without what is in it to the owner.
    package func takeAlone(_ path: LocalPath) throws(VaultError) {
        guard let owner else { return }
        try retrying("give away", path) { path.withCString { lchown($0, owner.user, owner.group) } }
    }
}
