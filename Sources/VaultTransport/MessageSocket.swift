import Glibc
package import VaultModel

/// Messages, each behind its length, on a connected socket of this machine whose threads block: what is answered at once
/// costs two changes of threads this way, and several times that by an event loop.
///
/// One thread sends and one receives at a time. The socket closes with the last reference.
package final class MessageSocket: Sendable {
    private let file: OpenFile

    private static let lengthBytes = 4

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

    /// Waits until a message begins to come.
    ///
    /// - Returns: false where none does within the time.
    package func wait(milliseconds: Int32) -> Bool {
        var polled = pollfd(fd: file.descriptor, events: Int16(POLLIN), revents: 0)
        let deadline = ContinuousClock.now + .milliseconds(Int64(milliseconds))
        while true {
            let left = max(0, (deadline - ContinuousClock.now) / .milliseconds(1))
            let status = poll(&polled, 1, Int32(left.rounded(.up)))
            if status < 0, errno == EINTR { continue }
            return status != 0
        }
    }

    /// Takes the next message, waiting for it.
    ///
    /// - Returns: nil where the other side has ended the connection.
    /// - Throws: `invalid` for one of more than `bytesMax` bytes, `unavailable` for one that is cut off.
    package func receive(bytesMax: Int) throws(VaultError) -> [UInt8]? {
        guard let head = try receive(count: MessageSocket.lengthBytes) else { return nil }
        let length = head.reduce(0) { $0 << 8 | Int($1) }
        guard length <= bytesMax else {
            throw VaultError(.invalid, "A message about hooks has \(length) bytes: \(bytesMax) are allowed.")
        }
        guard length > 0 else { return [] }
        guard let message = try receive(count: length) else { throw MessageSocket.gone }
        return message
    }

    /// - Returns: nil where nothing comes any more.
    private func receive(count: Int) throws(VaultError) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes.withUnsafeMutableBytes {
                recv(file.descriptor, $0.baseAddress.map { $0 + filled }, count - filled, 0)
            }
            if got < 0, errno == EINTR { continue }
            guard got > 0 else {
                if filled == 0 { return nil }
                throw MessageSocket.gone
            }
            filled += got
        }
        return bytes
    }

    /// Ends the connection: who waits for a message on either side gets none.
    package func end() { shutdown(file.descriptor, Int32(SHUT_RDWR)) }

    private static let gone = VaultError(.unavailable, "The other side of the socket of hooks is gone.")
}
