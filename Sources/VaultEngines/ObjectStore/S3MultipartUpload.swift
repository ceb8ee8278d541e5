import NIOHTTP1
package import VaultModel

/// Stores an object in parts, several of which are on their way at once.
package struct S3MultipartUpload: Sendable {
    private let client: S3Client
    private let key: String

    package init(_ client: S3Client, key: String) {
        self.client = client
        self.key = key
    }

    package func store(_ body: S3Body) async throws(VaultError) {
        let id = try await begin()
        do throws(VaultError) {
            let tags = try await send(S3MultipartUpload.parts(of: body), of: id)
            try await complete(id, tags, count: body.count, digest: body.digest)
        } catch {
            await abandon(id)
            throw error
        }
    }

    /// - Returns: the store's id of the upload.
    func begin() async throws(VaultError) -> String {
        let begun = try await client.perform(S3Client.Request(method: .POST, key: key, query: [("uploads", "")]))
        guard let id = begun.document.first("UploadId") else {
            throw VaultError(.internal, "The object store began an upload without naming it.")
        }
        return id
    }

    /// Gives an upload up. What stays of it costs room, no more: buckets are told to forget such uploads after a day.
    func abandon(_ id: String) async {
        _ = try? await client.perform(
            S3Client.Request(method: .DELETE, key: key, query: [("uploadId", id)]), accepting: [404])
    }

    /// The body in parts of about the same size; none is cut within a piece of memory that is smaller than a part.
    private static func parts(of body: S3Body) -> [S3Body] {
        var parts: [S3Body] = []
        var current: [BufferSlice] = []
        var bytes = 0
        for piece in body.parts {
            var start = piece.range.lowerBound
            while start < piece.range.upperBound {
                let end = min(piece.range.upperBound, start + EngineLimits.partBytes - bytes)
                current.append(BufferSlice(piece.buffer, start..<end))
                bytes += end - start
                start = end
                if bytes == EngineLimits.partBytes {
                    parts.append(S3Body(current))
                    (current, bytes) = ([], 0)
                }
            }
        }
        return current.isEmpty ? parts : parts + [S3Body(current)]
    }

    /// - Returns: the store's tag of each part.
    private func send(_ parts: [S3Body], of id: String) async throws(VaultError) -> [String] {
        try await mappingErrors {
            try await withThrowingTaskGroup(of: (Int, String).self) { group in
                var tags = [String](repeating: "", count: parts.count)
                for (index, part) in parts.enumerated() {
                    if index >= EngineLimits.partsInFlight, let (done, tag) = try await group.next() {
                        tags[done] = tag
                    }
                    group.addTask { (index, try await send(part, number: index + 1, of: id)) }
                }
                for try await (done, tag) in group { tags[done] = tag }
                return tags
            }
        }
    }

    /// Sends a part, the first of which has number 1.
    ///
    /// - Returns: the store's tag of it.
    func send(_ part: S3Body, number: Int, of id: String) async throws(VaultError) -> String {
        let answer = try await client.perform(
            S3Client.Request(
                method: .PUT, key: key, query: [("partNumber", "\(number)"), ("uploadId", id)], body: part))
        guard let tag = answer.headers.first(name: "etag") else {
            throw VaultError(.internal, "The object store took a part without a tag for it.")
        }
        return tag
    }

    /// Makes the object of parts that have been sent.
    ///
    /// - Parameters:
    ///   - tags: those of all parts, in their order.
    ///   - count: bytes of the object.
    ///   - digest: the SHA-256 of the object.
    func complete(_ id: String, _ tags: [String], count: Int, digest: VaultModel.Digest) async throws(VaultError) {
        let list = tags.enumerated().map { index, tag in
            "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(tag)</ETag></Part>"
        }.joined()
        let answer = try await client.perform(
            S3Client.Request(
                method: .POST, key: key, query: [("uploadId", id)],
                body: S3Body("<CompleteMultipartUpload>\(list)</CompleteMultipartUpload>")), accepting: [404])
        // A repetition finds the upload gone that the first request has completed; and the store may find a fault after
        // it has begun its answer.
        if answer.unknownOutcomes > 0 || answer.status == 404 || answer.document.first("Code") != nil {
            try await client.check(key, holds: count, digest)
        }
    }
}
