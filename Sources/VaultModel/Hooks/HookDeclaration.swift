/// One hook, as its file has declared it.
package struct HookDeclaration: Sendable {
    /// When a schedule runs.
    package enum Schedule: Sendable, Hashable {
        /// Seconds from one run to the next.
        case interval(Int)
        /// Seconds since midnight UTC.
        case daily(Int)
    }

    /// Counted from 1, in the order of the file.
    package var number: Int
    package var kind: HookKind
    /// What a name must match, by gitignore's rules; nil for every name.
    package var pattern: [UInt8]?
    package var priority: Double
    package var timeout: Duration
    /// Whether an error of the hook accepts what it was asked.
    package var acceptsErrors: Bool
    /// Whether it hears of what hooks do.
    package var hearsHooks: Bool
    /// Where it is in its file: `hooks.lua:12`.
    package var place: String
    package var schedule: Schedule?

    package init(
        number: Int, kind: HookKind, pattern: [UInt8]? = nil, priority: Double = 0, timeout: Duration,
        acceptsErrors: Bool,
        hearsHooks: Bool = false, place: String, schedule: Schedule? = nil
    ) {
        self.number = number
        self.kind = kind
        self.pattern = pattern
        self.priority = priority
        self.timeout = timeout
        self.acceptsErrors = acceptsErrors
        self.hearsHooks = hearsHooks
        self.place = place
        self.schedule = schedule
    }
}
