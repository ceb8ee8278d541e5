import Synchronization
import VaultModel

/// Counts connections: in all, of each address, and of each user.
final class ConnectionLimiter: Sendable {
    private struct Member {
        var connection: ServerConnection
        /// Nil until it is known for whom a balancer connects.
        var address: AddressGroup?
        var user: String?
    }

    private struct State {
        var members: [ObjectIdentifier: Member] = [:]
        var ofAddress: [AddressGroup: Int] = [:]
        var ofUser: [String: Int] = [:]
    }

    private let bounds: ServerBounds
    private let state = Mutex(State())

    init(_ bounds: ServerBounds) {
        self.bounds = bounds
    }

    var count: Int { state.withLock { $0.members.count } }
    var all: [ServerConnection] { state.withLock { $0.members.values.map(\.connection) } }

    /// Counts a connection that has just been accepted.
    ///
    /// - Throws: `unavailable` where it is one too many.
    func add(_ connection: ServerConnection) throws(VaultError) {
        try state.withLock { (state) throws(VaultError) in
            guard state.members.count < bounds.connections else {
                throw VaultError(
                    .unavailable, "The server has too many connections; try again later.", isRetryable: true)
            }
            state.members[ObjectIdentifier(connection)] = Member(connection: connection)
        }
    }

    /// Counts a connection as its address's, once that is known.
    ///
    /// - Throws: `unavailable` where it is one too many.
    func introduce(_ connection: ServerConnection) throws(VaultError) {
        let address = AddressGroup(ipAddress: connection.peer)
        try state.withLock { (state) throws(VaultError) in
            guard state.ofAddress[address, default: 0] < bounds.connectionsPerAddress else {
                throw VaultError(
                    .unavailable, "There are too many connections from \(connection.peer); try again later.",
                    isRetryable: true)
            }
            guard state.members[ObjectIdentifier(connection)] != nil else { return }
            state.members[ObjectIdentifier(connection)]?.address = address
            state.ofAddress[address, default: 0] += 1
        }
    }

    /// Counts a connection as its user's, after the login.
    func admit(_ connection: ServerConnection, user: String) throws(VaultError) {
        try state.withLock { (state) throws(VaultError) in
            guard state.ofUser[user, default: 0] < bounds.connectionsPerUser else {
                throw VaultError(
                    .unavailable, "\(user) has too many connections; try again later.", isRetryable: true)
            }
            guard state.members[ObjectIdentifier(connection)] != nil else { return }
            state.members[ObjectIdentifier(connection)]?.user = user
            state.ofUser[user, default: 0] += 1
        }
    }

    func remove(_ connection: ServerConnection) {
        state.withLock { state in
            guard let member = state.members.removeValue(forKey: ObjectIdentifier(connection)) else { return }
            if let address = member.address { state.ofAddress.countDown(address) }
            if let user = member.user { state.ofUser.countDown(user) }
        }
    }
}

extension Dictionary where Value == Int {
    fileprivate mutating func countDown(_ key: Key) {
        guard let count = self[key] else { return }
        self[key] = count > 1 ? count - 1 : nil
    }
}
