/// A hook as it runs for one user on one vault: what one's events bring about concerns no other's.
struct HookParty: Hashable, Sendable {
    /// The hook's number.
    var hook: Int
    var user: String
    var vault: String
}
