import Synchronization
import VaultModel

/// The sessions of a server, found by their tickets.
final class SessionRegistry: Sendable {
    private let sessions = Mutex<[[UInt8]: Session]>([:])

    var all: [Session] { sessions.withLock { Array($0.values) } }

    func add(_ session: Session) {
        sessions.withLock { $0[session.ticket] = session }
    }

    /// - Returns: the session itself, or the one that has its ticket already.
    func addIfNew(_ session: Session) -> Session {
        sessions.withLock { sessions in
            if let known = sessions[session.ticket] { return known }
            sessions[session.ticket] = session
            return session
        }
    }

    /// The session with this ticket, 32 bytes or more that nobody can guess.
    func session(withTicket ticket: [UInt8]) -> Session? { sessions.withLock { $0[ticket] } }

    /// Ends the sessions that `reason` gives a reason for.
    func end(where reason: (Session) -> VaultError?) async {
        let ended = sessions.withLock { sessions in
            let ended = sessions.values.compactMap { session in reason(session).map { (session, $0) } }
            for (session, _) in ended { sessions[session.ticket] = nil }
            return ended
        }
        for (session, reason) in ended { await session.end(reason) }
    }
}
