import FuzzSupport
import VaultModel
import VaultStore

/// Decodes what packs and catalogs hold as bytes; what is none is refused, and what is one is written the same again.
func fuzzJournal(_ input: [UInt8]) throws(BrokenInvariant) {
    guard let kind = input.first else { return }
    let bytes = Array(input.dropFirst())
    switch kind % 6 {
    case 0:
        guard let group = JournalGroup(decoding: bytes) else { return }
        try require(group.lastSequence >= group.firstSequence, "a group ends before it begins")
        let again = JournalGroup(decoding: group.encoded)
        try require(again?.encoded == group.encoded, "a journal group changes on its way")
        try require(again?.changes == group.changes, "the changes of a group change on their way")
    case 1:
        guard let answer = try? StoredAnswer(decoding: bytes) else { return }
        let again = try? StoredAnswer(decoding: answer.encoded)
        try require(again?.encoded == answer.encoded, "an answer changes on its way")
    case 2:
        guard let tags = try? Tags.decode(bytes) else { return }
        try require((try? Tags.decode(Tags.encode(tags))) == tags, "tags change on their way")
    case 3:
        guard let node = ListNode(decoding: bytes) else { return }
        try require(node.span > 0 && node.encoded == bytes, "a list node changes on its way")
    case 4:
        guard let header = RecordHeader(decoding: bytes) else { return }
        try require(header.encoded == Array(bytes.prefix(RecordHeader.byteCount)), "a record's header changes")
    default:
        var times = JournalTimes()
        var choices = Choices(bytes)
        var sequence: UInt64 = 0
        while !choices.isEmpty {
            sequence += 1
            times.append(sequence, choices.number())
        }
        let now = choices.number(Int64.self)
        for time in [Int64.min, -1, 0, now, .max] {
            try require(times.lastSequence(at: time, now: now) <= sequence, "a sequence that is none")
        }
    }
}
