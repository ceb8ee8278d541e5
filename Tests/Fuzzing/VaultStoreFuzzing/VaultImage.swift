import FuzzSupport
import Glibc
import VaultModel

/// The files of a vault that nobody has open, in memory.
struct VaultImage: Sendable {
    struct File: Sendable {
        /// Relative to the vault's directory.
        var path: String
        var bytes: [UInt8]
    }

    static let catalogName = "catalog.sqlite"

    var files: [File] = []

    init() {}

    init(reading directory: LocalPath) {
        add(directory, below: "")
    }

    private mutating func add(_ directory: LocalPath, below top: String) {
        for name in ScratchDirectory.names(in: directory) {
            let path = directory.appending(name)
            if (try? FileStatus(of: path))?.kind == .directory {
                add(path, below: top + name + "/")
            } else if let bytes = try? SmallFile.read(path, bytesMax: 1 << 20) {
                files.append(File(path: top + name, bytes: bytes))
            }
        }
    }

    var catalog: [UInt8] {
        get { files.first { $0.path == VaultImage.catalogName }?.bytes ?? [] }
        set {
            files.removeAll { $0.path == VaultImage.catalogName }
            files.append(File(path: VaultImage.catalogName, bytes: newValue))
        }
    }

    /// The indices of the packs among ``files``.
    var packs: [Int] { files.indices.filter { files[$0].path.hasSuffix(".pack") } }

    func write(to directory: LocalPath) {
        for file in files { VaultImage.write(file.bytes, to: directory.appending(file.path)) }
    }

    /// Writes a file, and makes the directories above it.
    static func write(_ bytes: [UInt8], to path: LocalPath) {
        makeDirectory(path.parent)
        let descriptor = path.withCString { open($0, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600) }
        guard descriptor >= 0 else { return }
        let file = OpenFile(descriptor: descriptor, path: path)
        bytes.withUnsafeBytes { try? file.append($0) }
    }

    static func makeDirectory(_ path: LocalPath) {
        if path.withCString({ access($0, F_OK) }) == 0 { return }
        makeDirectory(path.parent)
        _ = path.withCString { mkdir($0, 0o700) }
    }
}
