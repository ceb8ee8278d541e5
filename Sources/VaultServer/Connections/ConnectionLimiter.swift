import Synchronization
import VaultModel

/// Counts connections: in all, of each address, and of each user.
final class ConnectionLimiter: Sendable {
    private struct Member {
        var connection: ServerConnection
        var address: String
        var user: String?
    }

    private struct State {
        var members: [ObjectIdentifier: Member] = [:]
        var ofAddress: [String: Int] = [:]
        var ofUser: [String: Int] = [:]
    }

    private let limits: ConnectionBounds
    private let state = Mutex(State())

    init(_ limits: ConnectionBounds) {
        self.limits = limits
    }

    var count: Int { state.withLock { $0.members.count } }
    var all: [ServerConnection] { state.withLock { $0.members.values.map(\.connection) } }

    /// Counts a connection that has just been accepted.
    ///
    /// - Throws: `unavailable` where it is one too many.
    func add(_ connection: ServerConnection, address: String) throws(VaultError) {
        try state.withLock { (state) throws(VaultError) in
            guard state.members.count < limits.all else {
                throw VaultError(
                    .unavailable, "The server has too many connections; try again later.", isRetryable: true)
            }
            guard state.ofAddress[address, default: 0] < limits.perAddress else {
                throw VaultError(
                    .unavailable, "There are too many connections from \(address); try again later.", isRetryable: true)
            }
            state.members[ObjectIdentifier(connection)] = Member(connection: connection, address: address)
            state.ofAddress[address, default: 0] += 1
        }
    }

    /// Counts a connection as its user's, after the login.
    func admit(_ connection: ServerConnection, user: String) throws(VaultError) {
        try state.withLock { (state) throws(VaultError) in
            guard state.ofUser[user, default: 0] < limits.perUser else {
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
            state.ofAddress.countDown(member.address)
            if let user = member.user { state.ofUser.countDown(user) }
        }
    }
}

/// How many connections a server takes.
package struct ConnectionBounds: Sendable {
    package var all = ServerLimits.connectionsMax
    package var perAddress = ServerLimits.connectionsPerAddressMax
    package var perUser = ServerLimits.connectionsPerUserMax

    package init() {}
}

extension [String: Int] {
    fileprivate mutating func countDown(_ key: String) {
        guard let count = self[key] else { return }
        self[key] = count > 1 ? count - 1 : nil
    }
}
