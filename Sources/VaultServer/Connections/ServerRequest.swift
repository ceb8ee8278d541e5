import VaultModel
import VaultWire

/// A request as its session works on it.
struct ServerRequest: Sendable {
    var id: UInt32
    var message: WireClientMessage
    /// The part of the server's memory that the message takes, until its answer has gone.
    var messageShare: FairBudget.Share?
    /// What collects the request's content; nil for none.
    var content: ContentReceiver?
    /// The part of the server's memory that the content takes.
    var share: FairBudget.Share?
    /// When the request takes effect, among others of its session.
    var turn: ChangeOrder.Turn?
}

/// The answer to a request.
struct ServerAnswer: Sendable {
    var message: WireServerMessage
    /// What follows in data frames.
    var content: [BufferSlice] = []
    /// The part of the server's memory that the answer takes.
    var share: FairBudget.Share?

    init(_ message: WireServerMessage, content: [BufferSlice] = [], share: FairBudget.Share? = nil) {
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
