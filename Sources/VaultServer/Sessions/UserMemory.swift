import Synchronization
import VaultTransport

/// The memory for content, in parts that cannot take it from each other: what fills one still lets the others move.
final class UserMemory: Sendable {
    /// For requests with much content, with little, and for answers.
    private let large: ByteBudget
    private let small: ByteBudget
    let answers: ByteBudget

    fileprivate init(large: ByteBudget, small: ByteBudget, answers: ByteBudget) {
        (self.large, self.small, self.answers) = (large, small, answers)
    }

    private static let smallBytes = 1 << 20

    func budget(forContentOf bytes: Int) -> ByteBudget { bytes <= UserMemory.smallBytes ? small : large }

    /// The memory of all users, of whom none alone can take more than half of any part.
    final class All: Sendable {
        private struct Weak {
            weak var memory: UserMemory?
        }

        private struct Part {
            let all: ByteBudget
            let perUser: Int

            init(_ bytes: Int) {
                all = ByteBudget(bytes)
                perUser = bytes / 2
            }

            func forUser() -> ByteBudget { ByteBudget(perUser, within: all) }
        }

        private let large: Part
        private let small: Part
        private let answers: Part
        private let users = Mutex<[String: Weak]>([:])

        /// - Parameter bytes: in all.
        init(_ bytes: Int) {
            large = Part(bytes / 2)
            small = Part(bytes / 8)
            answers = Part(bytes - bytes / 2 - bytes / 8)
        }

        /// - Returns: what all of the user's sessions share while there are any.
        func memory(of user: String) -> UserMemory {
            users.withLock { users in
                if let memory = users[user]?.memory { return memory }
                let memory = UserMemory(large: large.forUser(), small: small.forUser(), answers: answers.forUser())
                users = users.filter { $0.value.memory != nil }
                users[user] = Weak(memory: memory)
                return memory
            }
        }
    }
}
