package import VaultModel

/// On whose behalf a vault is changed, and what that one may learn by it.
package struct Caller: Sendable {
    /// What a caller may learn about chunks that the vault has already.
    package enum Sharing: Sendable {
        /// The caller may read the whole vault, so offers count every chunk of it.
        case everything
        /// The caller must not learn which chunks others have saved: a hash is no capability.
        ///
        /// Offers and new bytes count what unfinished uploads of the same user have stored, and the
        /// current version of the very name that is saved, if it is `readable`. Other chunks are asked
        /// for again, and then silently shared.
        case own(readable: @Sendable (Name) -> Bool)
    }

    /// Who is named as the saver of new versions, and owns uploads.
    package var user: String
    /// The address from which the change came, for the audit; empty for changes made on this machine,
    /// which are not audited.
    package var peer: String
    package var sharing: Sharing
    /// Which changes go to the outbox; nil for none.
    package var telling: Telling?

    package init(user: String, peer: String = "", sharing: Sharing = .everything, telling: Telling? = nil) {
        self.user = user
        self.peer = peer
        self.sharing = sharing
        self.telling = telling
    }

    var readsEverything: Bool {
        switch sharing {
        case .everything: true
        case .own: false
        }
    }
}
