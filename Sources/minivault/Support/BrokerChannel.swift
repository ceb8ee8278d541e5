import CProcess
import Glibc
import VaultModel
import VaultTransport

/// A connection for one request of a worker to the server that has started it: a message, and an answer that may bring a
/// descriptor.
struct BrokerChannel: Sendable {
    /// Of the connection, which closes with the messages.
    let descriptor: Int32
    private let messages: MessageSocket

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        messages = MessageSocket(descriptor)
    }

    /// Ends the connection: who waits for a message on either side gets none.
    func giveUp() { messages.end() }

    func send(_ request: BrokerRequest) throws(VaultError) { try messages.send(request.encoded) }

    /// - Returns: nil where the worker has given up.
    func receive() throws(VaultError) -> BrokerRequest? {
        guard let bytes = try messages.receive(bytesMax: BrokerRequest.bytesMax) else { return nil }
        return try BrokerRequest(decoding: bytes)
    }

    /// Sends the first answer.
    ///
    /// - Parameter file: goes with it.
    func send(_ answer: BrokerAnswer, _ file: OpenFile? = nil) throws(VaultError) {
        // The descriptor is first: whoever reads messages reads ahead, and what comes with a byte would be lost with it.
        let descriptors = file.map { [$0.descriptor] } ?? []
        guard cprocess_send_descriptors(descriptor, 0, descriptors, Int32(descriptors.count)) == 0 else {
            throw VaultError(system: errno, "write to", LocalPath("the socket of a worker for hooks"))
        }
        try messages.send(answer.encoded)
    }

    /// Sends another answer, after the first one.
    func sendNext(_ answer: BrokerAnswer) throws(VaultError) { try messages.send(answer.encoded) }

    /// Waits for the first answer.
    ///
    /// - Throws: what the server has answered with; `unavailable` where it does not answer.
    func answer() throws(VaultError) -> (fields: [[UInt8]], file: OpenFile?) {
        var byte: UInt8 = 0
        guard let files = Descriptors.receive(descriptor, &byte) else { throw BrokerChannel.gone }
        return (try next(), files.first)
    }

    /// Looks whether another answer has come.
    ///
    /// - Returns: nil where none has.
    func nextIfThere() throws(VaultError) -> [[UInt8]]? { messages.wait(milliseconds: 0) ? try next() : nil }

    private func next() throws(VaultError) -> [[UInt8]] {
        guard let bytes = try messages.receive(bytesMax: BrokerRequest.bytesMax) else { throw BrokerChannel.gone }
        return try BrokerAnswer(decoding: bytes).result.get()
    }

    private static let gone = VaultError(
        .unavailable, "The server does nothing more for this worker of hooks.", isRetryable: true)
}

/// Descriptors on their way from process to process.
enum Descriptors {
    /// Waits for a byte, and takes the descriptors that come with it.
    ///
    /// - Returns: nil where the other side has ended the connection.
    static func receive(_ socket: Int32, _ byte: inout UInt8) -> [OpenFile]? {
        var numbers = [Int32](repeating: -1, count: Int(CPROCESS_DESCRIPTORS_MAX))
        var count: Int32 = 0
        guard cprocess_receive_descriptors(socket, &byte, &numbers, &count) == 1 else { return nil }
        return numbers.prefix(Int(count)).map {
            OpenFile(descriptor: $0, path: LocalPath("a file of another process"))
        }
    }
}
