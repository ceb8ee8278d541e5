import VaultModel

/// Encodes the changes of one commit as the journal groups that they become, each naming the one before: one as a rule,
/// more where the changes are too many for one.
///
/// No change is kept, only the bytes of the group that is being written.
struct JournalWriter: Sendable {
    /// A group with the record that it becomes.
    struct Written: Sendable {
        var record: PackRecord
        var lastSequence: UInt64
    }

    private let time: Int64
    private var previous: Digest?
    private var nextSequence: UInt64
    /// Changes of the group that is being written, and their bytes.
    private var count = 0
    private var changes = ByteWriter()

    /// - Parameters:
    ///   - previous: the digest of the last group there is; nil for none.
    ///   - time: seconds since 1970 UTC.
    ///   - firstSequence: that of the first change.
    init(after previous: Digest?, time: Int64, firstSequence: UInt64) {
        self.previous = previous
        self.time = time
        nextSequence = firstSequence
    }

    /// Adds the next change.
    ///
    /// - Returns: the group before it, where that one was full: the commit needs its record as well as those to come.
    mutating func add(_ change: JournalChange) -> Written? {
        let isFull = count >= StoreLimits.groupChangesMax || changes.count >= StoreLimits.groupBytesMax
        let full = isFull ? written(isContinued: true) : nil
        change.write(to: &changes)
        count += 1
        nextSequence += 1
        return full
    }

    /// The last group of the commit; nil for one without changes.
    mutating func finish() -> Written? {
        count == 0 ? nil : written(isContinued: false)
    }

    private mutating func written(isContinued: Bool) -> Written {
        var header = ByteWriter(reserving: JournalGroup.headerByteCount)
        JournalGroup.writeHeader(
            previous: previous, time: time, firstSequence: nextSequence - UInt64(count), isContinued: isContinued,
            count: count, to: &header)
        let payload = BufferSlice(joining: [header.bytes, changes.bytes])
        let digest = payload.withUnsafeBytes { Digest(of: $0) }
        // Another group of a commit fills up as well, as a rule.
        changes = ByteWriter(reserving: isContinued ? StoreLimits.groupBytesMax + StoreLimits.tagBytesMax : 0)
        count = 0
        previous = digest
        return Written(
            record: PackRecord(kind: .journalGroup, digest: digest, bytes: payload), lastSequence: nextSequence - 1)
    }
}
