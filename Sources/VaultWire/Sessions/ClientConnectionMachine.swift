package import VaultModel

/// What a client makes of what one connection's server sends.
///
/// The server greets, leads the login, then answers requests in any order, each once; content follows its
/// answer. A violation is: a message that is not of the state, an answer to no request or of the wrong kind,
/// content that no answer announced. Ignored are the answer to a request that was given up, and its content.
/// A `Failure` ends a request also in the middle of its content. Requests before the login are our bug.
package struct ClientConnectionMachine: Sendable {
    package enum Action: Sendable {
        case welcome(WireWelcome)
        case challenge(WireLoginChallenge)
        case opened(WireLoginDone)
        /// The server will have no login: it refused ours, or speaks no version of ours.
        case refused(VaultError)
        /// The answer to a request; content of as many bytes follows.
        case answer(UInt32, WireServerMessage, contentBytes: Int)
        /// The request has failed, perhaps in the middle of its content.
        case failed(UInt32, VaultError)
        /// The server ends the connection.
        case closing(VaultError)
        case ignore
    }

    package enum DataAction: Sendable, Equatable {
        case deliver(isLast: Bool)
        case discard
    }

    private enum State {
        case greeting
        case login
        /// The server has sent its challenge.
        case challenged
        case open
        case closed
    }

    private struct Pending {
        var kind: AnswerKind
        /// Bytes of content to come; nil before the answer.
        var missing: Int?
        var isGivenUp = false
    }

    private var state = State.greeting
    private var lastRequest: UInt32 = 0
    private var pending: [UInt32: Pending] = [:]

    /// - Parameter isWorker: whether the client is a worker of the server's hooks, which needs no login.
    package init(isWorker: Bool = false) {
        if isWorker { state = .open }
    }

    package var isOpen: Bool { if case .open = state { true } else { false } }

    /// Requests without a complete answer.
    package var requestsInFlight: Int { pending.count }

    /// Whether the answer to a request is not complete, whoever still waits for it.
    package func isInFlight(_ request: UInt32) -> Bool { pending[request] != nil }

    /// Whether numbers for requests are left.
    package var hasNumbers: Bool { lastRequest < UInt32.max }

    /// Numbers a request that is about to be sent.
    package mutating func begin(_ message: WireClientMessage) -> UInt32 {
        precondition(isOpen && hasNumbers, "A request on a connection that takes none.")
        lastRequest += 1
        if let kind = AnswerKind(to: message) { pending[lastRequest] = Pending(kind: kind) }
        return lastRequest
    }

    /// Nobody waits for this request any more.
    ///
    /// - Returns: whether the server must be told, since it has not answered completely.
    package mutating func giveUp(_ request: UInt32) -> Bool {
        guard pending[request] != nil else { return false }
        pending[request]?.isGivenUp = true
        return true
    }

    package mutating func receive(
        _ message: WireServerMessage, request: UInt32
    ) throws(WireViolation) -> Action {
        if request == 0 { return try receiveOfConnection(message) }
        guard isOpen, let found = pending[request] else {
            if case .pong = message.body, isOpen { return .ignore }
            throw WireViolation("an answer to no request")
        }
        if case .failure(let failure) = message.body {
            pending[request] = nil
            return found.isGivenUp ? .ignore : .failed(request, failure.model)
        }
        guard found.missing == nil, found.kind.isAnswered(by: message) else {
            throw WireViolation("an answer of the wrong kind")
        }
        let bytes = try message.contentBytes
        guard bytes <= WireLimits.contentBytesMax else { throw WireViolation("too much content at once") }
        pending[request]?.missing = bytes
        if bytes == 0 { pending[request] = nil }
        return found.isGivenUp ? .ignore : .answer(request, message, contentBytes: bytes)
    }

    package mutating func receiveData(_ count: Int, request: UInt32) throws(WireViolation) -> DataAction {
        guard let found = pending[request], let missing = found.missing, missing >= count else {
            throw WireViolation("content that no answer announced")
        }
        if missing == count { pending[request] = nil } else { pending[request]?.missing = missing - count }
        return found.isGivenUp ? .discard : .deliver(isLast: missing == count)
    }

    private mutating func receiveOfConnection(_ message: WireServerMessage) throws(WireViolation) -> Action {
        switch (state, message.body) {
        case (.greeting, .welcome(let welcome)):
            guard welcome.version == ServerConnectionMachine.version else {
                throw WireViolation("a version that was not offered")
            }
            state = .login
            return .welcome(welcome)
        case (.login, .loginChallenge(let challenge)):
            state = .challenged
            return .challenge(challenge)
        case (.login, .loginDone(let done)), (.challenged, .loginDone(let done)):
            state = .open
            return .opened(done)
        case (.greeting, .closing(let closing)), (.login, .closing(let closing)), (.challenged, .closing(let closing)):
            state = .closed
            return .refused(closing.reason.model)
        case (.open, .closing(let closing)):
            state = .closed
            return .closing(closing.reason.model)
        case (.closed, _):
            return .ignore
        default:
            throw WireViolation("a message out of turn")
        }
    }
}

/// The kind of answer that a request has, failures aside.
private enum AnswerKind: Sendable {
    case done, saveReady, need, saved, smallSaved, readReady, placed, fetchReady, smallReady, page, found, versions,
        changed
    case kept, collected, verified, statusReport
    case hookSetup, hookStored

    /// Nil for a message that has no answer.
    init?(to message: WireClientMessage) {
        switch message.body {
        case .save: self = .saveReady
        case .offer: self = .need
        case .commit: self = .saved
        case .saveSmall: self = .smallSaved
        case .openRead: self = .readReady
        case .layout: self = .placed
        case .fetch: self = .fetchReady
        case .readSmall: self = .smallReady
        case .list: self = .page
        case .stat: self = .found
        case .history: self = .versions
        case .change: self = .changed
        case .keep: self = .kept
        case .collect: self = .collected
        case .verify: self = .verified
        case .status: self = .statusReport
        case .hookBegin: self = .hookSetup
        case .hookValue: self = .hookStored
        case .put, .abort, .closeRead, .enrolKey, .hookReady, .hookLog: self = .done
        case .hello, .loginBegin, .loginProof, .cancel, .ping, nil: return nil
        }
    }

    func isAnswered(by message: WireServerMessage) -> Bool {
        switch (self, message.body) {
        case (.done, .done), (.saveReady, .saveReady), (.need, .need), (.saved, .saved), (.smallSaved, .smallSaved),
            (.readReady, .readReady), (.placed, .placed), (.fetchReady, .fetchReady), (.smallReady, .smallReady),
            (.page, .page), (.found, .found),
            (.versions, .versions), (.changed, .changed), (.kept, .kept), (.collected, .collected),
            (.verified, .verified), (.statusReport, .statusReport), (.hookSetup, .hookSetup),
            (.hookStored, .hookStored):
            true
        default: false
        }
    }
}

extension WireServerMessage {
    /// Bytes of content that follow the message in data frames.
    package var contentBytes: Int {
        get throws(WireViolation) {
            switch body {
            case .fetchReady(let ready): return try ready.chunks.model.reduce(0) { $0 + Int($1.span) }
            case .readReady(let ready):
                return ready.contentFollows ? try ready.first.model.reduce(0) { $0 + Int($1.span) } : 0
            case .smallReady(let ready): return try ready.contentLengths.reduce(0, +)
            default: return 0
            }
        }
    }
}
