package import NIOCore
import Synchronization
package import VaultModel
import VaultWire

/// Sends frames on a connection, from any task.
package struct FrameSender: Sendable {
    /// Bytes of content that are handed to the connection at once, and how many such pieces it has at
    /// most that it has not sent: enough to keep it busy, and no more.
    package static let pieceBytes = 512 << 10
    private static let piecesMax = 3

    private let channel: any Channel

    package init(_ channel: any Channel) {
        self.channel = channel
    }

    /// Sends content in data frames, as fast as the peer takes it.
    ///
    /// - Parameters:
    ///   - first: frames to send before: the message that announces the content, or a long one without any.
    ///   - pieceBytes: how much `pace` is asked for at once.
    ///   - pace: waits until as many bytes may be sent.
    ///   - whenSent: called on the event loop when all has been sent, before anything is read that the peer sends then.
    /// - Throws: where the connection is gone; `cancelled`, in the middle of the content.
    package func send(
        _ first: [UInt8] = [], content: [BufferSlice], request: UInt32, pieceBytes: Int = pieceBytes,
        pace: (Int) async throws(VaultError) -> Void = { (_) throws(VaultError) in },
        whenSent: (@Sendable () -> Void)? = nil
    ) async throws(VaultError) {
        var sending: [Sending] = []
        var pieces = ContentPieces(content, first: first, request: request, pieceBytes: pieceBytes)
        while let piece = pieces.next(channel.allocator) {
            if Task.isCancelled { throw .cancelled }
            try await pace(piece.readableBytes)
            if sending.count == FrameSender.piecesMax { try await sending.removeFirst().wait() }
            let promise = channel.eventLoop.makePromise(of: Void.self)
            if let whenSent, pieces.isAtEnd { promise.futureResult.whenSuccess(whenSent) }
            channel.writeAndFlush(piece, promise: promise)
            sending.append(Sending(piece: piece, isSent: promise.futureResult))
        }
        for piece in sending { try await piece.wait() }
    }

    private struct Sending {
        var piece: ByteBuffer
        var isSent: EventLoopFuture<Void>

        consuming func wait() async throws(VaultError) {
            do {
                try await isSent.get()
            } catch {
                throw .connectionLost(cause: "\(error)")
            }
            PieceBuffers.shared.giveBack(piece)
        }
    }
}

extension VaultError {
    /// For what a lost connection ended; a session that is taken up again repeats it.
    package static func connectionLost(cause: String? = nil) -> VaultError {
        VaultError(.unavailable, "The connection to the server was lost.", cause: cause, isRetryable: true)
    }
}

/// Puts content into data frames, several to a buffer.
private struct ContentPieces {
    private let content: [BufferSlice]
    private let request: UInt32
    private let pieceBytes: Int
    private var first: ArraySlice<UInt8>
    private var index = 0
    private var offset = 0
    private var remaining: Int

    init(_ content: [BufferSlice], first: [UInt8], request: UInt32, pieceBytes: Int) {
        self.content = content
        self.request = request
        self.pieceBytes = pieceBytes
        self.first = first[...]
        remaining = content.reduce(0) { $0 + $1.count }
    }

    var isAtEnd: Bool { first.isEmpty && remaining == 0 }

    /// The next frames; nil behind the last.
    mutating func next(_ allocator: ByteBufferAllocator) -> ByteBuffer? {
        let beginning = first.prefix(pieceBytes)
        first = first.dropFirst(beginning.count)
        var left = 0
        for slice in index..<content.count where first.isEmpty && left < pieceBytes {
            left += content[slice].count - (slice == index ? offset : 0)
        }
        if left == 0, beginning.isEmpty { return nil }
        var bytes = min(left, pieceBytes)
        remaining -= bytes
        let frames = (bytes + WireLimits.frameBytesMax - 1) / WireLimits.frameBytesMax
        var piece = PieceBuffers.shared.take(
            beginning.count + bytes + frames * FrameHeader.byteCount, allocator)
        piece.writeBytes(beginning)
        while bytes > 0 {
            let length = min(bytes, WireLimits.frameBytesMax)
            piece.writeBytes(FrameHeader(length: length, request: request, kind: .data).encoded)
            write(length, to: &piece)
            bytes -= length
        }
        return piece
    }

    private mutating func write(_ length: Int, to piece: inout ByteBuffer) {
        var missing = length
        while missing > 0 {
            let slice = content[index]
            let count = min(missing, slice.count - offset)
            slice.withUnsafeBytes { bytes in
                _ = piece.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
            }
            offset += count
            missing -= count
            if offset == slice.count { (index, offset) = (index + 1, 0) }
        }
    }
}

/// Keeps the buffers of a few large pieces, since memory fresh from the system costs more than to fill it.
private final class PieceBuffers: Sendable {
    static let shared = PieceBuffers()

    private static let bytesMin = 256 << 10
    private static let sparesMax = 8
    private let spares = Mutex<[ByteBuffer]>([])

    func take(_ bytes: Int, _ allocator: ByteBufferAllocator) -> ByteBuffer {
        guard bytes >= PieceBuffers.bytesMin, var spare = spares.withLock({ $0.popLast() }) else {
            return allocator.buffer(capacity: bytes)
        }
        // What somebody still holds is left to him, and other memory takes its place.
        spare.clear(minimumCapacity: bytes)
        return spare
    }

    func giveBack(_ buffer: ByteBuffer) {
        guard buffer.capacity >= PieceBuffers.bytesMin else { return }
        spares.withLock { spares in
            if spares.count < PieceBuffers.sparesMax { spares.append(buffer) }
        }
    }
}
