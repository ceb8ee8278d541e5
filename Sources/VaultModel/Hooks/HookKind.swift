/// What hooks can be asked about or told of.
package enum HookKind: String, Sendable, CaseIterable {
    case beforeSave = "before_save"
    case beforeRead = "before_read"
    case beforeRemove = "before_remove"
    case login
    case save, read, remove, rename
    /// A schedule, which is no event of a vault.
    case schedule = "every"

    /// Whether hooks are asked before it happens.
    package var isDeciding: Bool {
        switch self {
        case .beforeSave, .beforeRead, .beforeRemove, .login: true
        case .save, .read, .remove, .rename, .schedule: false
        }
    }
}
