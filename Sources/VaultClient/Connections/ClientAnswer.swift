import VaultModel
import VaultWire

/// The answer to a request, with what collects the content behind it.
struct ClientAnswer: Sendable {
    var message: WireServerMessage
    var content: ContentReceiver?
    /// Gives up content that is still on its way.
    var giveUp: @Sendable () -> Void = {}
}

/// Why a request has no answer.
enum RequestFailure: Error {
    /// The connection went before the answer came: the request may or may not have been carried out.
    case lost(VaultError)
    /// The server refused it, or it was cancelled here.
    case failed(VaultError)

    var error: VaultError {
        switch self {
        case .lost(let error), .failed(let error): error
        }
    }
}
