import VaultModel

/// A journal group as it was found in a pack, without its changes.
struct FoundGroup: Sendable {
    var digest: Digest
    var previous: Digest?
    var firstSequence: UInt64
    var lastSequence: UInt64
    var isContinued: Bool
    var time: Int64
    var location: PackLocation
}

/// The history of a vault, picked from all journal groups that its packs hold.
///
/// A commit that failed after its groups were written leaves a side branch. The next commit names the
/// same group before it, so a side branch is one commit long, and the history is the branch of the most
/// commits. Where a side branch starts at the very last commit both are as long: then the later one
/// counts, by its time, or by its place in the same pack. A commit that lacks its last group did not
/// happen.
///
/// Where groups are lost, the history goes on with the best branch that ends before them.
struct JournalChain: Sendable {
    /// Oldest first.
    private(set) var groups: [FoundGroup] = []
    /// First sequences of the groups before which others are lost.
    private(set) var gaps: [UInt64] = []

    private struct Ranked {
        var group: FoundGroup
        /// Commits up to this one, as far as they are known.
        var commits: Int
        /// The index of the group before.
        var before: Int?
        var isBehindGap = false
    }

    init(_ found: [FoundGroup]) {
        var ranked: [Ranked] = []
        var indices: [Digest: Int] = [:]
        for group in found.sorted(by: { $0.firstSequence < $1.firstSequence }) where indices[group.digest] == nil {
            var next = Ranked(group: group, commits: 1, before: nil)
            if let previous = group.previous {
                if let before = indices[previous] {
                    next.before = before
                    next.commits = ranked[before].commits + (ranked[before].group.isContinued ? 0 : 1)
                } else {
                    next.isBehindGap = true
                    next.before = JournalChain.best(ranked, before: group.firstSequence)
                    next.commits = 2 + (next.before.map { ranked[$0].commits } ?? 0)
                }
            }
            indices[group.digest] = ranked.count
            ranked.append(next)
        }
        var next = JournalChain.best(ranked, before: .max)
        while let index = next {
            groups.append(ranked[index].group)
            if ranked[index].isBehindGap { gaps.append(ranked[index].group.firstSequence) }
            next = ranked[index].before
        }
        groups.reverse()
        gaps.reverse()
    }

    private static func best(_ ranked: [Ranked], before sequence: UInt64) -> Int? {
        let ends = ranked.indices.filter {
            !ranked[$0].group.isContinued && ranked[$0].group.lastSequence < sequence
        }
        return ends.max { isBetter(ranked[$1], than: ranked[$0]) }
    }

    private static func isBetter(_ left: Ranked, than right: Ranked) -> Bool {
        if left.commits != right.commits { return left.commits > right.commits }
        if left.group.time != right.group.time { return left.group.time > right.group.time }
        let (a, b) = (left.group.location, right.group.location)
        if a.pack == b.pack { return a.offset > b.offset }
        return left.group.lastSequence > right.group.lastSequence
    }
}
