import AsyncHTTPClient
import Crypto
import NIOCore
package import VaultModel

/// The bytes of a request, which stay where they are until they are sent, a part at a time.
package struct S3Body: Sendable {
    /// Parts of the bytes, one behind the other.
    let parts: [BufferSlice]
    let count: Int
    /// The SHA-256 of all of them.
    let digest: VaultModel.Digest

    package init(_ parts: [BufferSlice]) {
        self.parts = parts
        count = parts.reduce(0) { $0 + $1.count }
        var hash = SHA256()
        for part in parts { part.withUnsafeBytes { hash.update(bufferPointer: $0) } }
        digest = hash.finalize().withUnsafeBytes { VaultModel.Digest($0) } ?? S3Signature.emptyPayload
    }

    init(_ text: String) {
        self.init([BufferSlice(copying: Array(text.utf8))])
    }

    static let empty = S3Body([])

    var request: HTTPClientRequest.Body? {
        count == 0 ? nil : .stream(Pieces(parts: parts), length: .known(Int64(count)))
    }

    /// The parts as the network takes them, small ones together.
    private struct Pieces: AsyncSequence, Sendable {
        let parts: [BufferSlice]

        struct AsyncIterator: AsyncIteratorProtocol {
            var parts: ArraySlice<BufferSlice>

            mutating func next() async -> ByteBuffer? {
                var bytes = 0
                let piece = parts.prefix { part in
                    defer { bytes += part.count }
                    return bytes < EngineLimits.pieceBytes
                }
                if piece.isEmpty { return nil }
                parts = parts.dropFirst(piece.count)
                var buffer = ByteBufferAllocator().buffer(capacity: bytes)
                for part in piece { part.withUnsafeBytes { _ = buffer.writeBytes($0) } }
                return buffer
            }
        }

        func makeAsyncIterator() -> AsyncIterator { AsyncIterator(parts: parts[...]) }
    }
}
