import Glibc
import Synchronization
package import VaultModel

/// Messages, each behind its length, on a connected socket of this machine whose threads block: what is answered at once
/// costs two changes of threads this way, and several times that by an event loop.
///
/// One thread sends and one receives at a time. The socket closes with the last reference.
package final class MessageSocket: Sendable {
    private let file: OpenFile
    private let received = Mutex(Received())

    /// What has come and was not taken: the bytes from `start` to `end`.
    private struct Received {
        var bytes = [UInt8](repeating: 0, count: MessageSocket.bufferBytes)
        var start = 0
        var end = 0
        var count: Int { end - start }
    }

    private static let lengthBytes = 4
    private static let bufferBytes = 64 << 10
    package init(_ socket: Int32) {
        file = OpenFile(descriptor: socket, path: LocalPath("the socket of hooks"))
    }

    /// Sends a message; waits where the other side does not take it.
    ///
    /// - Throws: `unavailable` where the other side is gone.
    package func send(_ message: [UInt8]) throws(VaultError) {
        let length = UInt32(message.count)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(MessageSocket.lengthBytes + message.count)
        for shift in stride(from: 24, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: length >> shift)) }
        bytes += message
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(file.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw MessageSocket.gone }
            rest = rest.dropFirst(count)
        }
    }

    /// Waits until a message begins to come, or the other side ends the connection.
    ///
    /// - Returns: false where neither happens within the time.
    package func wait(milliseconds: Int32) -> Bool {
        // Where somebody is receiving, nothing lies here.
        if received.withLockIfAvailable({ $0.count > 0 }) ?? false { return true }
        var polled = pollfd(fd: file.descriptor, events: Int16(POLLIN), revents: 0)
        let deadline = ContinuousClock.now + .milliseconds(Int64(milliseconds))
        var left = milliseconds
        while true {
            let status = poll(&polled, 1, left)
            if status >= 0 || errno != EINTR { return status != 0 }
            left = Int32(max(0, ((deadline - ContinuousClock.now) / .milliseconds(1)).rounded(.up)))
        }
    }

    /// Takes the next message, waiting for it.
    ///
    /// - Returns: nil where the other side has ended the connection.
    /// - Throws: `invalid` for one of more than `bytesMax` bytes, `unavailable` for one that is cut off.
    package func receive(bytesMax: Int) throws(VaultError) -> [UInt8]? {
        try received.withLock { (received) throws(VaultError) in
            guard try fill(&received, to: MessageSocket.lengthBytes) else { return nil }
            var length = 0
            for byte in received.bytes[received.start..<(received.start + MessageSocket.lengthBytes)] {
                length = length << 8 | Int(byte)
            }
            guard length <= bytesMax else {
                throw VaultError(.invalid, "A message about hooks has \(length) bytes: \(bytesMax) are allowed.")
            }
            let end = MessageSocket.lengthBytes + length
            guard try fill(&received, to: end) else { throw MessageSocket.gone }
            let message = Array(received.bytes[(received.start + MessageSocket.lengthBytes)..<(received.start + end)])
            received.start += end
            // A long message is not a reason to keep so much memory.
            if received.count == 0, received.bytes.count > MessageSocket.bufferBytes { received = Received() }
            return message
        }
    }

    /// Waits until `count` bytes are there.
    ///
    /// - Returns: false where nothing comes any more.
    private func fill(_ received: inout Received, to count: Int) throws(VaultError) -> Bool {
        while received.count < count {
            if received.count == 0 { (received.start, received.end) = (0, 0) }
            if received.start + count > received.bytes.count {
                received.bytes.removeFirst(received.start)
                received.end -= received.start
                received.start = 0
                let missing = max(count, MessageSocket.bufferBytes) - received.bytes.count
                if missing > 0 { received.bytes += [UInt8](repeating: 0, count: missing) }
            }
            let (descriptor, end) = (file.descriptor, received.end)
            let got = received.bytes.withUnsafeMutableBytes { memory in
                recv(descriptor, memory.baseAddress.map { $0 + end }, memory.count - end, 0)
            }
            if got < 0, errno == EINTR { continue }
            guard got > 0 else {
                if received.count == 0 { return false }
                throw MessageSocket.gone
            }
            received.end += got
        }
        return true
    }

    /// Ends the connection: who waits for a message on either side gets none.
    package func end() { shutdown(file.descriptor, Int32(SHUT_RDWR)) }

    private static let gone = VaultError(.unavailable, "The other side of the socket of hooks is gone.")
}
