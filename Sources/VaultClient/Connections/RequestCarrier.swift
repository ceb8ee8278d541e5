import VaultModel
import VaultWire

/// What brings the requests of a vault to its server.
protocol RequestCarrier: Sendable {
    /// Carries a request out.
    ///
    /// - Throws: what the server answers; `unavailable` where it cannot be asked.
    func perform(
        _ message: WireClientMessage, content: [BufferSlice], on route: ClientSession.Route
    ) async throws(VaultError) -> ClientAnswer
    /// Sends a request whose answer nobody waits for.
    func post(_ message: WireClientMessage)
    func close()
    /// As whom; nil where there was no login.
    var login: WireLoginDone? { get }
}

extension RequestCarrier {
    func perform(
        _ message: WireClientMessage, on route: ClientSession.Route = .control
    ) async throws(VaultError) -> ClientAnswer {
        try await perform(message, content: [], on: route)
    }
}
