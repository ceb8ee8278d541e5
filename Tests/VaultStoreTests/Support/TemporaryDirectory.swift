import Foundation
import VaultModel

/// Runs `body` with a new directory, which is gone afterwards.
func withTemporaryDirectory<Result>(_ body: (LocalPath) async throws -> Result) async throws -> Result {
    // In memory where the system offers it: these tests sync far more often than they write.
    let memory = "/dev/shm"
    let base = access(memory, W_OK) == 0 ? memory : NSTemporaryDirectory()
    let path = "\(base)/minivault-tests-\(UniqueID())"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(LocalPath(path))
}

extension LocalPath {
    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The bytes of the file with this path.
    func contents() throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: text)))
    }

    func setContents(_ bytes: [UInt8]) throws {
        try? FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: text)
        try Data(bytes).write(to: URL(fileURLWithPath: text))
    }

    /// The files below this directory whose names end so, in order.
    func files(ending suffix: String = "") -> [LocalPath] {
        let all = FileManager.default.enumerator(atPath: text)?.compactMap { $0 as? String } ?? []
        return all.filter { $0.hasSuffix(suffix) }.sorted().map { appending($0) }.filter {
            (try? FileStatus(of: $0).kind) == .file
        }
    }
}

extension LocalPath {
    /// Writes over the bytes of the file, which stays the same one.
    func overwrite(_ bytes: [UInt8]) throws {
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: text)
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: text))
        try file.truncate(atOffset: UInt64(bytes.count))
        try file.seek(toOffset: 0)
        try file.write(contentsOf: Data(bytes))
        try file.close()
    }
}
