/// Something that happened to a server's accounts, or a login, for the audit trail.
package struct AuditEvent: Hashable, Sendable {
    package enum Kind: String, Sendable, CaseIterable {
        case login
        case loginFailed = "login_failed"
        /// A request that its user has no right to, or a vault that he may not use.
        case denied
        case keyEnrolled = "key_enrolled"
        case keyRemoved = "key_removed"
        case userAdded = "user_added"
        case userRemoved = "user_removed"
        case passwordChanged = "password_changed"
        case granted
        case revoked
        case quotaSet = "quota_set"
        case vaultAdded = "vault_added"
        case vaultRemoved = "vault_removed"
        case vaultAdopted = "vault_adopted"
    }

    package var kind: Kind
    package var user: String
    /// The address that it came from; empty for what was done on the server's machine.
    package var peer: String
    package var detail: String
    /// Seconds since 1970 UTC.
    package var time: Int64
    /// The number of times that it happened; of refusals within a minute the first one is told.
    package var count = 1

    package init(_ kind: Kind, user: String, peer: String = "", detail: String = "", time: Int64, count: Int = 1) {
        self.count = count
        self.kind = kind
        self.user = user
        self.peer = peer
        self.detail = detail
        self.time = time
    }
}

extension String {
    /// The text without what would make it longer than `count` bytes of UTF-8.
    func cut(toBytes count: Int) -> String {
        if utf8.count <= count { return self }
        // Only ever half a scalar, of four bytes at most, is beyond the cut.
        return (0...3).lazy.compactMap { String(utf8.prefix(max(0, count - $0))) }.first ?? ""
    }
}
