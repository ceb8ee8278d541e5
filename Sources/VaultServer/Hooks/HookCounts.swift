package import VaultModel

/// How often hooks have run, and how long they took.
package struct HookCounts: Sendable {
    package struct Count: Sendable, Equatable {
        package var place: String
        package var kind: HookKind
        package var runs = 0
        package var rejections = 0
        package var failures = 0
        package var seconds = 0.0
        package var secondsMax = 0.0
    }

    private var counts: [Int: Count] = [:]

    /// In the order of the file.
    package var all: [Count] { counts.sorted { $0.key < $1.key }.map(\.value) }

    /// Begins with another file: a hook at the same place goes on counting.
    mutating func keep(_ table: HookTable) {
        let old = Dictionary(counts.values.map { ($0.place, $0) }) { first, _ in first }
        counts = [:]
        for hook in table.hooks {
            var count = Count(place: hook.place, kind: hook.kind)
            if let known = old[hook.place], known.kind == hook.kind { count = known }
            counts[hook.number] = count
        }
    }

    mutating func add(_ part: HookResult.Part, to hook: HookDeclaration) {
        var count = counts[hook.number] ?? Count(place: hook.place, kind: hook.kind)
        count.runs += 1
        if part.hasRejected { count.rejections += 1 }
        if part.hasFailed { count.failures += 1 }
        count.seconds += part.seconds
        count.secondsMax = max(count.secondsMax, part.seconds)
        counts[hook.number] = count
    }
}
