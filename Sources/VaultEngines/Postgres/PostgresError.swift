import VaultModel

/// What PostgreSQL, or the way to it, answered instead of a result.
struct PostgresError: Error {
    /// The SQLSTATE; nil where the connection is lost or was never there.
    var state: String?
    var message: String
    /// Whether it is known that nothing has happened.
    var hadNoEffect = false

    init(state: String?, message: String) {
        self.state = state
        self.message = message
    }

    /// Whether the transaction was rolled back because of others, and is worth another try.
    var isConflict: Bool { state == "40001" || state == "40P01" || state == "55P03" }

    /// Whether the connection cannot be used any more.
    var isLost: Bool {
        guard let state else { return true }
        // Shut down, crashed, starting up, or ended for idling in a transaction.
        return state.hasPrefix("57P") || state.hasPrefix("08") || state == "25P03"
    }

    /// The error as the vault's users meet it.
    var vaultError: VaultError {
        let cause = "PostgreSQL: \(printable(summary))"
        switch state?.prefix(2) {
        case nil, "08", "57":
            return VaultError(.unavailable, "The catalog cannot be reached.", cause: cause, isRetryable: true)
        case "53" where state == "53100":
            return VaultError(.quota, "No space is left for the catalog.", cause: cause)
        case "53":
            return VaultError(
                .unavailable, "The catalog has no room for another request.", cause: cause, isRetryable: true)
        case "25", "40", "55":
            return VaultError(.unavailable, "The catalog is busy, or only read.", cause: cause, isRetryable: true)
        case "28":
            return VaultError(.denied, "PostgreSQL refuses the login to the catalog.", cause: cause)
        case "42" where state == "42501":
            return VaultError(.denied, "The catalog's user may not do what is needed.", cause: cause)
        case "22" where state == "22023":
            return VaultError(.invalid, "The catalog's location cannot be read.", cause: cause)
        case "3D":
            return VaultError(.notFound, "There is no such database for the catalog.", cause: cause)
        case "XX":
            return VaultError(.integrity, "The catalog's database is damaged.", cause: cause)
        default:
            return VaultError(.internal, "The catalog refused a statement.", cause: cause)
        }
    }
}

extension PostgresError {
    /// The message without what clients have no business with: addresses, users, and the content of rows.
    private var summary: String {
        let line = message.split(whereSeparator: \.isNewline).first.map { String($0) } ?? ""
        let end = line.firstRange(of: " failed: ").map { String(line[$0.upperBound...]) } ?? line
        let parts = end.split(separator: "\"", omittingEmptySubsequences: false)
        let text = parts.enumerated().map { $0.offset % 2 == 0 ? String($0.element) : "..." }.joined()
        return state.map { "\(text) (\($0))" } ?? text
    }
}

/// The error of the vault for one that came up at the catalog.
func catalogError(_ error: any Error) -> VaultError {
    switch error {
    case let error as PostgresError: error.vaultError
    case let error as CatalogDamage:
        VaultError(.integrity, "The catalog is damaged: restore it from a backup.", cause: error.what)
    default: VaultError(error)
    }
}

/// The catalog holds what it never stored.
struct CatalogDamage: Error {
    var what: String
}
