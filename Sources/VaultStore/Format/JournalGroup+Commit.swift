import VaultModel

extension JournalGroup {
    /// A group of a commit with the record that it becomes.
    struct Written {
        var record: PackRecord
        var lastSequence: UInt64
    }

    /// The groups for the changes of one commit, each naming the one before: one as a rule, more where
    /// the changes are too many for a record.
    static func groups(
        of changes: [JournalChange], after head: Digest?, time: Int64, firstSequence: UInt64
    ) -> [Written] {
        var groups: [Written] = []
        var start = 0
        while start < changes.count {
            let end = end(ofGroupFrom: start, in: changes)
            let group = JournalGroup(
                previous: groups.last?.record.digest ?? head, time: time, firstSequence: firstSequence + UInt64(start),
                isContinued: end < changes.count, changes: Array(changes[start..<end]))
            let bytes = group.encoded
            let record = PackRecord(kind: .journalGroup, digest: Digest(of: bytes), bytes: BufferSlice(copying: bytes))
            groups.append(Written(record: record, lastSequence: group.lastSequence))
            start = end
        }
        return groups
    }

    private static func end(ofGroupFrom start: Int, in changes: [JournalChange]) -> Int {
        var bytes = 0
        var end = start
        while end < changes.count, end - start < StoreLimits.groupChangesMax, bytes < StoreLimits.groupBytesMax {
            bytes += changes[end].encodedBytesMax
            end += 1
        }
        return end
    }
}

extension JournalChange {
    /// Bytes that the change takes up in a group, at most.
    fileprivate var encodedBytesMax: Int {
        switch self {
        case .save(let saved):
            saved.tags.reduce(saved.name.bytes.count + saved.savedBy.utf8.count + 160) {
                $0 + $1.key.utf8.count + $1.value.utf8.count + 20
            }
        case .rename(let from, let to, _): from.bytes.count + to.bytes.count + 24
        case .drop(_, let versions): versions.count * 10 + 24
        case .settle(let name, _): name.bytes.count + 24
        }
    }
}
