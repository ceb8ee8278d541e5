import FoundationEssentials
package import VaultModel

extension WireFailure {
    /// What a client is told of an error: never a local path of the server's.
    package init(_ error: VaultError) {
        self.init()
        code = error.code.rawValue
        message = error.path.map { error.message.replacing("'\($0)'", with: "a file of the server's") } ?? error.message
        cause = error.path == nil ? error.cause ?? "" : ""
        name = error.name.map { Data($0.bytes) } ?? Data()
        retryable = error.isRetryable
    }

    /// The error as the client throws it. What a server wrote is printed escaped, and is not too long.
    package var model: VaultError {
        let code = VaultError.Code(rawValue: code) ?? .internal
        return VaultError(
            code, WireFailure.shown(message, else: "The server gave no reason."), name: try? Name(name),
            cause: cause.isEmpty ? nil : WireFailure.shown(cause, else: ""), isRetryable: retryable)
    }

    private static let textBytesMax = 8192

    private static func shown(_ text: String, else other: String) -> String {
        let text = printable(String(decoding: text.utf8.prefix(textBytesMax), as: UTF8.self))
        return text.isEmpty ? other : text
    }
}

extension WireServerMessage {
    package static func failure(_ error: VaultError) -> WireServerMessage {
        var message = WireServerMessage()
        message.failure = WireFailure(error)
        return message
    }

    package static var done: WireServerMessage {
        var message = WireServerMessage()
        message.done = WireDone()
        return message
    }

    package static func closing(_ reason: VaultError) -> WireServerMessage {
        var message = WireServerMessage()
        message.closing.reason = WireFailure(reason)
        return message
    }
}
