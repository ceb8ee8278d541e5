import Synchronization
import VaultTransport

/// The memory for content, of which no user alone can take more than half.
final class UserBudgets: Sendable {
    private struct Weak {
        weak var budget: ByteBudget?
    }

    private let all: ByteBudget
    private let perUser: Int
    private let users = Mutex<[String: Weak]>([:])

    init(_ bytes: Int) {
        all = ByteBudget(bytes)
        perUser = bytes / 2
    }

    /// - Returns: the budget that all of the user's sessions share while there are any.
    func budget(of user: String) -> ByteBudget {
        users.withLock { users in
            if let budget = users[user]?.budget { return budget }
            let budget = ByteBudget(perUser, within: all)
            users = users.filter { $0.value.budget != nil }
            users[user] = Weak(budget: budget)
            return budget
        }
    }
}
