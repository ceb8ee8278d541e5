package import VaultModel

/// How often hooks have run on the vaults of a server, and how long they took.
package struct HookCounts: Sendable {
    package struct Count: Sendable, Equatable {
        package var place: String
        /// Tells it from others that were declared at the same place, in a loop for example: the place, with a number from
        /// the second one on.
        package var series: String
        package var kind: HookKind
        package var runs = 0
        package var rejections = 0
        package var failures = 0
        package var seconds = 0.0
        package var secondsMax = 0.0
        /// Whether it rests, since it kept failing.
        package var isSuspended = false

        fileprivate init(_ hook: HookDeclaration, series: String) {
            place = hook.place
            self.series = series
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
    /// By numbers of hooks.
    private var series: [Int: String] = [:]
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
            var count = counts[hook.number] ?? Count(hook, series: series[hook.number] ?? hook.place)
            count.isSuspended = suspended.contains(hook.number)
            return count
        }
    }

    /// Notes which hooks rest.
    mutating func mark(_ isSuspended: (Int) -> Bool) {
        suspended = Set(hooks.map(\.number).filter(isSuspended))
    }

    /// Begins with another file: a hook at the same place goes on counting.
    mutating func keep(_ table: HookTable) {
        hooks = table.hooks.sorted { $0.number < $1.number }
        var ranks: [String: Int] = [:]
        series = [:]
        for hook in hooks {
            let rank = (ranks[hook.place] ?? 0) + 1
            ranks[hook.place] = rank
            series[hook.number] = rank == 1 ? hook.place : "\(hook.place)#\(rank)"
        }
        counts = counts.mapValues { kept($0) }
        sums = kept(sums)
    }

    private func kept(_ counts: [Int: Count]) -> [Int: Count] {
        let old = Dictionary(counts.values.map { ($0.series, $0) }) { first, _ in first }
        var kept: [Int: Count] = [:]
        for hook in hooks {
            if let known = series[hook.number].flatMap({ old[$0] }), known.kind == hook.kind {
                kept[hook.number] = known
            }
        }
        return kept
    }

    mutating func add(_ part: HookResult.Part, to hook: HookDeclaration, on vault: String) {
        let new = Count(hook, series: series[hook.number] ?? hook.place)
        counts[vault, default: [:]][hook.number, default: new].add(part)
        sums[hook.number, default: new].add(part)
    }
}
