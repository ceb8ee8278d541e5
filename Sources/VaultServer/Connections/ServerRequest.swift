import VaultModel
import VaultTransport
import VaultWire

/// A request as its session works on it.
struct ServerRequest: Sendable {
    var id: UInt32
    var message: WireClientMessage
    /// What collects the request's content; nil for none.
    var content: ContentReceiver?
    /// The part of the server's memory that the content takes.
    var share: ByteBudget.Share?
    /// When the request takes effect, among others of its session.
    var turn: ChangeOrder.Turn?
}

/// The answer to a request.
struct ServerAnswer: Sendable {
    var message: WireServerMessage
    /// What follows in data frames.
    var content: [BufferSlice] = []
    var share: ByteBudget.Share?

    init(_ message: WireServerMessage, content: [BufferSlice] = [], share: ByteBudget.Share? = nil) {
        self.message = message
        self.content = content
        self.share = share
    }

    /// The answer whose message `fill` completes.
    init(_ fill: (inout WireServerMessage) -> Void) {
        var message = WireServerMessage()
        fill(&message)
        self.init(message)
    }
}
