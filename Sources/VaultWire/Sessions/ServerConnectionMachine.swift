package import VaultModel

/// What a server makes of what one connection's client sends: who may say what when.
///
/// A connection begins with `Hello`, then a login, then requests, which are answered in any order, each
/// exactly once. A violation is: a message that is not of the state, a number that is not greater than all
/// before it, more requests or content in flight than agreed, content that no request announced, a request with
/// content before the content of the last one has come (or its answer gone, or its `Cancel` come). Ignored is
/// the `Cancel` of a request that has been answered or cancelled, and content of a request that has been
/// answered: a client that is refused early may go on or stop, so nobody counts it. Calling
/// ``challenged()``, ``opened()`` or ``answered(_:)`` in another state than the one that asks for it is our bug.
package struct ServerConnectionMachine: Sendable {
    /// The versions of the protocol that a server speaks.
    package static let version: UInt32 = 1

    package enum Action: Sendable {
        case welcome(WireHello)
        /// The client speaks no version of ours: it is told, and the connection ends.
        case refuse(VaultError)
        case login(WireLoginBegin)
        case prove(WireLoginProof)
        /// Content of as many bytes follows in data frames.
        case begin(UInt32, WireClientMessage, contentBytes: Int)
        case cancel(UInt32)
        case pong(UInt32)
        case ignore
    }

    package enum DataAction: Sendable, Equatable {
        case deliver(isLast: Bool)
        case discard
    }

    private enum State {
        case hello
        case begin
        /// The server is looking for its answer to a step of the login.
        case checking
        case proof
        case open
        case refused
    }

    private struct Pending {
        /// Bytes of content that were announced, and of those the ones that have not come.
        let announced: Int
        var missing: Int
        var isCancelled = false
    }

    private var state = State.hello
    private let isWorker: Bool
    private var lastNumber: UInt32 = 0
    /// Requests without an answer.
    private var pending: [UInt32: Pending] = [:]
    private var bytesInFlight = 0

    /// - Parameter isWorker: whether the client is a worker of the server's hooks, which needs no login and may say more.
    package init(isWorker: Bool = false) {
        self.isWorker = isWorker
        if isWorker { state = .open }
    }

    /// Whether the login is done.
    package var isOpen: Bool { if case .open = state { true } else { false } }

    /// Requests that have no answer yet.
    package var requestsInFlight: Int { pending.count }

    package mutating func receive(
        _ message: WireClientMessage, request: UInt32
    ) throws(WireViolation) -> Action {
        switch (state, message.body) {
        case (.hello, .hello(let hello)):
            guard request == 0 else { throw WireViolation("a greeting under a number") }
            return greet(hello)
        case (.begin, .loginBegin(let begin)):
            guard request == 0, begin.method != nil else { throw WireViolation("a login of no kind") }
            state = .checking
            return .login(begin)
        case (.proof, .loginProof(let proof)):
            guard request == 0, proof.method != nil else { throw WireViolation("a proof of no kind") }
            state = .checking
            return .prove(proof)
        case (.open, .hello), (.open, .loginBegin), (.open, .loginProof):
            throw WireViolation("a login where there is one")
        case (.open, .cancel(let cancel)):
            try take(request)
            return self.cancel(cancel.request)
        case (.open, .ping):
            try take(request)
            return .pong(request)
        case (.open, _):
            return try begin(message, request)
        case (.refused, _):
            return .ignore
        case (.hello, _), (.begin, _), (.checking, _), (.proof, _):
            throw WireViolation("a request before the login")
        }
    }

    /// A login's challenge goes to the client, whose proof is awaited.
    package mutating func challenged() {
        guard case .checking = state else { preconditionFailure("A challenge that no login asks for.") }
        state = .proof
    }

    /// The login is done.
    package mutating func opened() {
        guard case .checking = state else { preconditionFailure("A login that nobody asked for.") }
        state = .open
    }

    /// Counts the answer to a request; content that has not come is discarded if it does.
    package mutating func answered(_ request: UInt32) {
        guard let found = pending.removeValue(forKey: request) else {
            preconditionFailure("A second answer to request \(request).")
        }
        bytesInFlight -= found.announced
    }

    package mutating func receiveData(_ count: Int, request: UInt32) throws(WireViolation) -> DataAction {
        if let missing = pending[request]?.missing {
            guard missing >= count else { throw WireViolation("more content than was announced") }
            pending[request]?.missing = missing - count
            return .deliver(isLast: missing == count)
        }
        if isOpen, request > 0, request <= lastNumber { return .discard }
        if case .refused = state { return .discard }
        throw WireViolation("content that no request announced")
    }

    private mutating func greet(_ hello: WireHello) -> Action {
        let version = ServerConnectionMachine.version
        guard hello.versionMin <= version, version <= hello.versionMax else {
            state = .refused
            return .refuse(
                VaultError(
                    .invalid,
                    "This server speaks version \(version) of the protocol and the client \(hello.versionMin) to "
                        + "\(hello.versionMax): use programs of about the same age."))
        }
        state = .begin
        return .welcome(hello)
    }

    private mutating func begin(_ message: WireClientMessage, _ request: UInt32) throws(WireViolation) -> Action {
        try take(request)
        if !isWorker, message.isOfWorker { throw WireViolation("what only the server's own workers may say") }
        guard pending.count < WireLimits.requestsMax else { throw WireViolation("too many requests at once") }
        let bytes = try message.contentBytes
        guard bytes <= WireLimits.contentBytesMax, bytesInFlight + bytes <= WireLimits.requestBytesMax else {
            throw WireViolation("too much content at once")
        }
        if bytes > 0, pending.values.contains(where: { $0.missing > 0 }) {
            throw WireViolation("content within another content")
        }
        pending[request] = Pending(announced: bytes, missing: bytes)
        bytesInFlight += bytes
        return .begin(request, message, contentBytes: bytes)
    }

    private mutating func cancel(_ request: UInt32) -> Action {
        guard let found = pending[request], !found.isCancelled else { return .ignore }
        pending[request]?.isCancelled = true
        pending[request]?.missing = 0
        return .cancel(request)
    }

    private mutating func take(_ number: UInt32) throws(WireViolation) {
        guard number > lastNumber else { throw WireViolation("a message under a number that was used before") }
        lastNumber = number
    }
}

extension WireClientMessage {
    /// Whether only a worker of hooks may send it.
    fileprivate var isOfWorker: Bool {
        if event != 0 { return true }
        switch body {
        case .hookBegin, .hookReady, .hookLog, .hookValue: return true
        case .openRead(let open): return open.selector.isOfEvent
        case .stat(let stat): return stat.selector.isOfEvent
        case .list(let list): return list.selector.isOfEvent
        case .readSmall(let read): return read.files.contains { $0.selector.isOfEvent }
        default: return false
        }
    }

    /// Bytes of content that follow the message in data frames.
    package var contentBytes: Int {
        get throws(WireViolation) {
            switch body {
            case .put(let put):
                return try put.chunks.model.reduce(0) { $0 + Int($1.span) }
            case .saveSmall(let save):
                guard save.files.count <= WireLimits.batchMax else { throw WireViolation("too many files at once") }
                var bytes = 0
                for file in save.files {
                    guard file.length <= UInt32(Limits.smallFileBytesMax) else {
                        throw WireViolation("a small file that is not small")
                    }
                    bytes += Int(file.length)
                }
                return bytes
            default:
                return 0
            }
        }
    }
}
