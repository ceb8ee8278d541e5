import VaultModel

/// Bytes that the requests of a commit take up in the journal and in the catalog, about: a name stands in the entry, in its
/// index, in the journal and in the audit, and pages of the catalog are two thirds full.
///
/// A catalog in a file is measured before each commit. One in a database of others is counted by these numbers until its
/// next collection.
enum CommitCost {
    static func save(_ name: Name, _ tags: [TagText: TagText]) -> UInt64 {
        let tagBytes = tags.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        return copy(1, nameBytes: name.bytes.count, tagBytes: tagBytes)
    }

    static func copy(_ count: Int, nameBytes: Int, tagBytes: Int) -> UInt64 {
        UInt64(500 * count + 5 * nameBytes + 3 * tagBytes)
    }

    static func rename(_ count: Int, nameBytes: Int) -> UInt64 { UInt64(300 * count + 6 * nameBytes) }

    /// The version before stays as it is.
    static func removal(_ count: Int, nameBytes: Int) -> UInt64 { UInt64(350 * count + 3 * nameBytes) }

    static func removal(_ name: Name) -> UInt64 { removal(1, nameBytes: name.bytes.count) }

    static func drop(_ versions: Int) -> UInt64 { UInt64(100 + 4 * versions) }

    static func event(_ event: OutboxEvent) -> UInt64 {
        UInt64(300 + event.name.bytes.count + (event.formerName?.bytes.count ?? 0))
    }

    /// Bytes of the rows that a part of the journal makes.
    static func replay(_ journalBytes: UInt64) -> UInt64 { 3 * journalBytes }

    static func answer(_ answer: StoredAnswer) -> UInt64 { UInt64(150 + answer.encoded.count) }
}
