import Glibc
package import VaultModel

/// A directory for one test, removed with all that is in it when the last reference goes.
package final class TemporaryDirectory: Sendable {
    package let path: LocalPath

    package init() throws {
        var template = Array("/tmp/minivault-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw VaultError(system: errno, "make the directory", LocalPath("/tmp"))
        }
        path = LocalPath(template.dropLast().map { UInt8(bitPattern: $0) })
    }

    deinit {
        TemporaryDirectory.remove(path)
    }

    /// The path of something in the directory.
    package func callAsFunction(_ relative: String) -> LocalPath {
        path.appending(relative)
    }

    /// Removes whatever is at `path`, through names of any bytes and directories of any mode.
    package static func remove(_ path: LocalPath) {
        guard (try? FileStatus(of: path))?.kind == .directory else {
            _ = path.withCString { unlink($0) }
            return
        }
        _ = path.withCString { chmod($0, 0o700) }
        for name in (try? DirectoryListing(path))?.names ?? [] { remove(path.appending(name)) }
        _ = path.withCString { rmdir($0) }
    }
}
