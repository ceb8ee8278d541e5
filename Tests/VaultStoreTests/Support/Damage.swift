import NIOHTTP1
import Testing
import VaultModel

@testable import VaultEngines
@testable import VaultStore

/// Flips a bit of `bytes` wherever they are in a pack.
func flip(_ bytes: [UInt8], below directory: LocalPath) throws {
    var count = 0
    for pack in directory.files(ending: ".pack") {
        var stored = try pack.contents()
        let found = flipped(bytes, in: &stored)
        // In place: readers may have the file open.
        if found > 0 { try pack.overwrite(stored) }
        count += found
    }
    try #require(count > 0)
}

extension Engines {
    /// Flips a bit of `bytes` wherever they are in an object of a vault.
    func flip(_ bytes: [UInt8], of vault: StoredVault) async throws {
        var count = 0
        for object in try await store.objects(below: store.location.prefix + "\(vault.id)") {
            var stored = [UInt8](repeating: 0, count: Int(object.length))
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: stored.count, alignment: 1)
            defer { memory.deallocate() }
            _ = try await store.perform(S3Client.Request(method: .GET, key: object.key), into: memory)
            stored = Array(memory)
            let found = flipped(bytes, in: &stored)
            if found > 0 {
                let body = S3Body([BufferSlice(copying: stored)])
                _ = try await store.perform(S3Client.Request(method: .PUT, key: object.key, body: body))
            }
            count += found
        }
        try #require(count > 0)
    }
}

/// - Returns: how often `bytes` were found.
private func flipped(_ bytes: [UInt8], in stored: inout [UInt8]) -> Int {
    var found: [Int] = []
    var index = 0
    while index + bytes.count <= stored.count {
        if stored[index] == bytes[0], stored[index..<index + bytes.count].elementsEqual(bytes) { found.append(index) }
        index += 1
    }
    for start in found { stored[start + bytes.count / 2] ^= 1 }
    return found.count
}
