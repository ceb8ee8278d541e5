import VaultModel

/// The memory that a user's requests take, in parts that cannot take it from each other: what fills one still lets the
/// others move.
final class UserMemory: Sendable {
    private let parts: ServerMemory
    let user: String

    fileprivate init(_ parts: ServerMemory, _ user: String) {
        self.parts = parts
        self.user = user
    }

    /// For the content of a request with so many bytes.
    func part(forContentOf bytes: Int) -> Part {
        Part(budget: bytes <= ServerLimits.smallContentBytes ? parts.smallContents : parts.contents, user: user)
    }

    /// For answers that are longer than a few kilobytes.
    var answers: Part { Part(budget: parts.answers, user: user) }
    /// For messages that are worked on, and for what sessions have open.
    var messages: Part { Part(budget: parts.messages, user: user) }

    /// A share for something that stays open: nothing is waited for, since what is open may stay so.
    ///
    /// - Throws: `unavailable` where the user has too much open.
    func open(_ bytes: Int) throws(VaultError) -> FairBudget.Share {
        guard let share = messages.share(bytes) else { throw .tooMuchOpen(user) }
        return share
    }

    /// One user's way to a part of the memory.
    struct Part: Sendable {
        fileprivate let budget: FairBudget
        fileprivate let user: String

        func share(_ bytes: Int) -> FairBudget.Share? { budget.share(bytes, of: user) }

        func share(_ bytes: Int, _ body: @escaping @Sendable (FairBudget.Share) -> Void) {
            budget.share(bytes, of: user, body)
        }

        func share(waitingFor bytes: Int) async throws(VaultError) -> FairBudget.Share {
            try await budget.share(waitingFor: bytes, of: user)
        }

        func lend(giveWay: @escaping @Sendable () -> Void) -> FairBudget.Loan {
            budget.lend(to: user, giveWay: giveWay)
        }
    }
}

/// The memory of a server for all that its users cause it to hold.
final class ServerMemory: Sendable {
    fileprivate let contents: FairBudget
    fileprivate let smallContents: FairBudget
    fileprivate let answers: FairBudget
    fileprivate let messages: FairBudget

    /// - Parameter bytes: in all.
    init(_ bytes: Int) {
        contents = FairBudget(bytes / 2)
        smallContents = FairBudget(bytes / 8)
        answers = FairBudget(bytes / 4)
        messages = FairBudget(bytes / 8)
    }

    func memory(of user: String) -> UserMemory { UserMemory(self, user) }

    /// Has slow peers give way where others wait.
    func relieve(_ bounds: ServerBounds) {
        let now = ContinuousClock.now
        for part in [contents, smallContents, answers, messages] {
            part.relieve(at: now, patience: bounds.patience, grace: bounds.grace)
        }
    }
}

extension VaultError {
    /// For what would take more memory than a user may hold.
    static func tooMuchOpen(_ user: String) -> VaultError {
        VaultError(
            .unavailable,
            "What \(user) has open takes too much of the server's memory: end some of it, or try again later.",
            isRetryable: true)
    }
}
