import Foundation
import Glibc
import Testing

/// A small file system in memory, mounted for one test; only the superuser can.
final class FullDisk: Sendable {
    let path: String

    /// - Parameter megabytes: its size.
    init(at path: String, megabytes: Int) throws {
        self.path = path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard mount("none", path, "tmpfs", 0, "size=\(megabytes)m") == 0 else {
            throw SystemFailure("cannot mount a file system at \(path)")
        }
    }

    /// - Parameter image: a file that does not exist yet, for an ext4 file system whose blocks are a quarter of a page.
    init(at path: String, image: String, megabytes: Int) throws {
        self.path = path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let command =
            "truncate -s \(megabytes)M '\(image)' && mkfs.ext4 -q -b 1024 -m 0 '\(image)' && mount -o loop '\(image)' '\(path)'"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw SystemFailure("cannot mount an image at \(path)") }
    }

    /// Gives back what was taken.
    func empty() { unlink(path + "/filler") }

    /// The sources of a test's own mounts need the right to mount.
    static let isPossible: Bool = {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("minivault-mount-\(UUID())").path
        return geteuid() == 0 && (try? FullDisk(at: path, megabytes: 1)) != nil
    }()

    /// Takes every block that is left.
    func fill() throws {
        let file = open(path + "/filler", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        guard file >= 0 else { throw SystemFailure("cannot fill \(path)") }
        defer { close(file) }
        for size in [1 << 20, 4096, 1024, 1] {
            let block = [UInt8](repeating: 1, count: size)
            while write(file, block, size) == size {}
        }
    }

    deinit {
        umount2(path, Int32(MNT_DETACH))
        rmdir(path)
    }
}
