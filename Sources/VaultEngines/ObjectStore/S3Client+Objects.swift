import Crypto
import NIOHTTP1
package import VaultModel

extension S3Client {
    /// An object as a listing tells of it.
    struct ListedObject {
        var key: String
        var length: UInt64
        /// Seconds since it was stored, by the store's clock.
        var age: Int64
    }

    /// Looks whether the bucket is there and may be used, so that who has named it wrongly hears of it at once.
    package func look() async throws(VaultError) {
        var request = Request(method: .GET)
        request.query = [("list-type", "2"), ("prefix", location.prefix), ("max-keys", "1")]
        do throws(VaultError) {
            _ = try await perform(request)
        } catch {
            throw VaultError(
                error.code,
                "\(error.message) It was asked for '\(location.place)' at \(location.scheme)://\(location.host).",
                cause: error.cause, isRetryable: error.isRetryable)
        }
    }

    /// All objects whose keys begin with `prefix`.
    func objects(below prefix: String) async throws(VaultError) -> [ListedObject] {
        var objects: [ListedObject] = []
        var token: String?
        repeat {
            var request = Request(method: .GET)
            request.query = [("list-type", "2"), ("prefix", prefix), ("max-keys", "1000")]
            if let token { request.query.append(("continuation-token", token)) }
            let answer = try await perform(request)
            let now = answer.headers.first(name: "date").flatMap { S3Time.seconds(http: $0) }
            for element in answer.document.elements("Contents") {
                guard let key = element.first("Key"), let length = element.first("Size").flatMap({ UInt64($0) }) else {
                    throw VaultError(.internal, "The object store lists an object without a key or a size.")
                }
                let stored = element.first("LastModified").flatMap { S3Time.seconds(iso: $0) }
                // Of unknown age is as good as new: nothing is removed on a guess.
                var age: Int64 = 0
                if let now, let stored { age = now - stored }
                objects.append(ListedObject(key: key, length: length, age: age))
            }
            let next =
                answer.document.first("IsTruncated") == "true"
                ? answer.document.first("NextContinuationToken") : nil
            guard next == nil || next != token else {
                throw VaultError(.internal, "The object store's listing does not come to an end.")
            }
            token = next
        } while token != nil
        return objects
    }

    /// Reads an object back that was stored without its outcome being known at first.
    ///
    /// - Parameters:
    ///   - count: the bytes that it should have.
    ///   - digest: the SHA-256 of them.
    /// - Throws: `integrity` where it holds something else.
    func check(_ key: String, holds count: Int, _ digest: VaultModel.Digest) async throws(VaultError) {
        var hash = SHA256()
        let buffer = Buffer(byteCount: min(count, EngineLimits.checkBytes))
        var position = 0
        while position < count {
            let memory = UnsafeMutableRawBufferPointer(
                rebasing: buffer.memory[..<min(buffer.capacity, count - position)])
            let range = "bytes=\(position)-\(position + memory.count - 1)"
            let answer = try await perform(
                Request(method: .GET, key: key, headers: [("range", range)]), into: memory)
            guard answer.count == memory.count else { throw S3Client.holdsSomethingElse(key) }
            hash.update(bufferPointer: UnsafeRawBufferPointer(memory))
            position += memory.count
        }
        guard hash.finalize().withUnsafeBytes({ VaultModel.Digest($0) }) == digest else {
            throw S3Client.holdsSomethingElse(key)
        }
    }

    private static func holdsSomethingElse(_ key: String) -> VaultError {
        VaultError(.integrity, "The object store holds something else under '\(key)' than was stored there.")
    }
}
