import Glibc
package import VaultModel

/// A directory for one input, in `TMPDIR`, or else in memory where the system offers it; removed with all that is in it
/// when the last reference goes.
package final class ScratchDirectory: Sendable {
    package let path: LocalPath

    package init() {
        let named = getenv("TMPDIR").map { String(cString: $0) }
        let top = [named, "/dev/shm", "/tmp"].compactMap(\.self).first { access($0, W_OK) == 0 } ?? "."
        var template = Array("\(top)/minivault-fuzz-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { preconditionFailure("no directory can be made in \(top)") }
        path = LocalPath(template.dropLast().map { UInt8(bitPattern: $0) })
    }

    deinit { ScratchDirectory.remove(path) }

    /// Removes what is at `path`, through names of any bytes and directories of any mode.
    package static func remove(_ path: LocalPath) {
        guard (try? FileStatus(of: path))?.kind == .directory else {
            _ = path.withCString { unlink($0) }
            return
        }
        _ = path.withCString { chmod($0, 0o700) }
        for name in (try? DirectoryListing(path))?.names ?? [] { remove(path.appending(name)) }
        _ = path.withCString { rmdir($0) }
    }

    /// The names of what is in a directory, ordered.
    package static func names(in path: LocalPath) -> [String] {
        ((try? DirectoryListing(path))?.names ?? []).map { String(decoding: $0, as: UTF8.self) }.sorted()
    }
}
