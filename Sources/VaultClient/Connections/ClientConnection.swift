import NIOCore
import VaultModel
import VaultTransport
import VaultWire

/// An open connection to a server, after its login.
final class ClientConnection: Sendable {
    let channel: any Channel
    private let events: ClientEvents
    /// Requests and bytes of content that the server takes at once.
    private let requests: ByteBudget
    private let contentBytes: ByteBudget
    /// Held by the request whose content is sent, since the contents go one after another.
    private let sending = ByteBudget(1)

    init(_ channel: any Channel, _ events: ClientEvents, _ login: WireLoginDone) {
        self.channel = channel
        self.events = events
        requests = ByteBudget(max(1, min(Int(login.requestsMax), WireLimits.requestsMax)))
        contentBytes = ByteBudget(max(WireLimits.contentBytesMax, min(Int(login.bytesMax), WireLimits.requestBytesMax)))
    }

    var isActive: Bool { channel.isActive }

    /// Sends a request and waits for its answer; the content of an answer may still be on its way.
    ///
    /// Cancelling the task gives the request up, here and at the server.
    ///
    /// - Parameter limit: the bytes of content that may be sent a second; nil for as many as the way takes.
    func request(
        _ message: WireClientMessage, content: [BufferSlice] = [], limit: BandwidthLimit? = nil
    ) async throws(RequestFailure) -> ClientAnswer {
        let pending = PendingAnswer()
        do throws(VaultError) {
            try await send(message, content, pending, limit)
        } catch {
            throw .failed(error)
        }
        let events = events
        var answer = try await withTaskCancellationHandler {
            () async -> Result<ClientAnswer, RequestFailure> in
            do throws(RequestFailure) {
                return .success(try await pending.value())
            } catch {
                return .failure(error)
            }
        } onCancel: {
            events.loop.execute { if let id = pending.id { events.cancel(id) } }
        }.get()
        answer.giveUp = { events.loop.execute { if let id = pending.id { events.cancel(id) } } }
        return answer
    }

    /// Sends a request once the server has room for it, and its content once that of those before has been sent.
    private func send(
        _ message: WireClientMessage, _ content: [BufferSlice], _ pending: PendingAnswer, _ limit: BandwidthLimit?
    ) async throws(VaultError) {
        let events = events
        let slot = try await requests.share(waitingFor: 1)
        if content.isEmpty { return events.loop.execute { events.begin(message, pending, [slot]) } }
        let share = try await contentBytes.share(waitingFor: content.reduce(0) { $0 + $1.count })
        let turn = try await sending.share(waitingFor: 1)
        events.loop.execute { events.begin(message, pending, [slot, share]) }
        await send(content, pending, limit)
        withExtendedLifetime(turn) {}
    }

    private func send(
        _ content: [BufferSlice], _ pending: PendingAnswer, _ limit: BandwidthLimit?
    ) async {
        guard let id = await pending.number() else { return }
        do {
            let step = limit?.stepBytes ?? FrameSender.pieceBytes
            try await FrameSender(channel).send(content: content, request: id, pieceBytes: step) {
                (bytes) throws(VaultError) in
                // A refusal that comes early makes the rest superfluous.
                if pending.isFinished { throw .cancelled }
                try await limit?.take(bytes)
            }
        } catch {
            if error.code == .cancelled, !pending.isFinished {
                events.loop.execute { [events] in events.cancel(id) }
            }
        }
    }

    /// Sends a request whose answer nobody waits for.
    func post(_ message: WireClientMessage) {
        requests.share(1) { [events] slot in
            events.loop.execute { events.post(message, [slot]) }
        }
    }

    func close() {
        events.loop.execute { [events] in events.finish(.connectionLost(cause: "it was closed here")) }
    }
}
