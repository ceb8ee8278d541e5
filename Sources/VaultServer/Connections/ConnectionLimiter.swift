import Synchronization
import VaultModel
import VaultTransport

/// Counts connections: in all, of each address, and of each user.
///
/// One that has not logged in gives way to the next where there are as many as there may be: strangers who say nothing keep
/// nobody out.
final class ConnectionLimiter: Sendable {
    fileprivate struct Member {
        var connection: ServerConnection
        /// Its place in the order in which connections came.
        var number: UInt64
        /// Nil until it is known for whom a balancer connects.
        var address: AddressGroup?
        var user: String?
    }

    fileprivate struct State {
        var members: [ObjectIdentifier: Member] = [:]
        var lastNumber: UInt64 = 0
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
    /// - Returns: the one that gives way to it, which does not count any more; nil for none.
    /// - Throws: `unavailable` where it is one too many.
    func add(_ connection: ServerConnection) throws(VaultError) -> ServerConnection? {
        try state.withLock { (state) throws(VaultError) in
            var replaced: ServerConnection?
            if state.members.count >= bounds.connections {
                guard let oldest = state.oldestStranger else {
                    throw VaultError(
                        .unavailable, "The server has too many connections; try again later.", isRetryable: true)
                }
                replaced = oldest
                state.remove(oldest)
            }
            state.lastNumber += 1
            state.members[ObjectIdentifier(connection)] = Member(connection: connection, number: state.lastNumber)
            return replaced
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
            // It has given way while its login was looked at.
            guard state.members[ObjectIdentifier(connection)] != nil else { throw .connectionLost() }
            state.members[ObjectIdentifier(connection)]?.user = user
            state.ofUser[user, default: 0] += 1
        }
    }

    func remove(_ connection: ServerConnection) {
        state.withLock { $0.remove(connection) }
    }
}

extension ConnectionLimiter.State {
    fileprivate mutating func remove(_ connection: ServerConnection) {
        guard let member = members.removeValue(forKey: ObjectIdentifier(connection)) else { return }
        if let address = member.address { ofAddress.countDown(address) }
        if let user = member.user { ofUser.countDown(user) }
    }

    /// The oldest connection without a login, of the address that has most of these: nobody displaces others' by many of
    /// his own.
    fileprivate var oldestStranger: ServerConnection? {
        var groups: [AddressGroup?: (count: Int, oldest: ConnectionLimiter.Member)] = [:]
        for member in members.values where member.user == nil {
            guard let group = groups[member.address] else {
                groups[member.address] = (1, member)
                continue
            }
            groups[member.address] = (group.count + 1, member.number < group.oldest.number ? member : group.oldest)
        }
        return groups.values.max { ($0.count, $1.oldest.number) < ($1.count, $0.oldest.number) }?.oldest.connection
    }
}

extension Dictionary where Value == Int {
    fileprivate mutating func countDown(_ key: Key) {
        guard let count = self[key] else { return }
        self[key] = count > 1 ? count - 1 : nil
    }
}
