package import VaultModel

/// How often hooks have run on the vaults of a server, and how long they took.
package struct HookCounts: Sendable {
    package struct Count: Sendable, Equatable {
        package var place: String
        package var kind: HookKind
        package var runs = 0
        package var rejections = 0
        package var failures = 0
        package var seconds = 0.0
        package var secondsMax = 0.0
        /// Whether it rests, since it kept failing.
        package var isSuspended = false

        fileprivate init(_ hook: HookDeclaration) {
            place = hook.place
            kind = hook.kind
        }

        fileprivate mutating func add(_ part: HookResult.Part) {
            runs += 1
            if part.hasRejected { rejections += 1 }
            if part.hasFailed { failures += 1 }
            seconds += part.seconds
            secondsMax = max(secondsMax, part.seconds)
        }
    }

    private var hooks: [HookDeclaration] = []
    /// By vaults and numbers of hooks.
    private var counts: [String: [Int: Count]] = [:]
    private var sums: [Int: Count] = [:]
    private var suspended: Set<Int> = []

    /// In the order of the file.
    ///
    /// - Parameter vault: nil for all.
    package func all(on vault: String? = nil) -> [Count] {
        let counts = vault.map { self.counts[$0] ?? [:] } ?? sums
        return hooks.map { hook in
            var count = counts[hook.number] ?? Count(hook)
            count.isSuspended = suspended.contains(hook.number)
            return count
        }
    }

    /// How long a hook takes in the mean; nil for one that has not run yet.
    func meanSeconds(of hook: Int) -> Double? { sums[hook].map { $0.seconds / Double(max(1, $0.runs)) } }

    /// Notes which hooks rest.
    mutating func mark(_ isSuspended: (Int) -> Bool) {
        suspended = Set(hooks.map(\.number).filter(isSuspended))
    }

    /// Begins with another file: a hook at the same place goes on counting.
    mutating func keep(_ table: HookTable) {
        hooks = table.hooks.sorted { $0.number < $1.number }
        counts = counts.mapValues { HookCounts.kept($0, hooks) }
        sums = HookCounts.kept(sums, hooks)
    }

    private static func kept(_ counts: [Int: Count], _ hooks: [HookDeclaration]) -> [Int: Count] {
        let old = Dictionary(counts.values.map { ($0.place, $0) }) { first, _ in first }
        var kept: [Int: Count] = [:]
        for hook in hooks {
            if let known = old[hook.place], known.kind == hook.kind { kept[hook.number] = known }
        }
        return kept
    }

    mutating func add(_ part: HookResult.Part, to hook: HookDeclaration, on vault: String) {
        counts[vault, default: [:]][hook.number, default: Count(hook)].add(part)
        sums[hook.number, default: Count(hook)].add(part)
    }
}
