/// What a collection gave back.
package struct CollectionReport: Sendable {
    /// Chunks and list nodes that nothing needed.
    package var removedChunks = 0
    /// Bytes by which the packs became smaller.
    package var freedBytes: UInt64 = 0
    /// Bytes in packs afterwards.
    package var keptBytes: UInt64 = 0
    /// Packs that were removed or rewritten.
    package var changedPacks = 0
    /// Content that no version needs and that stays all the same, at most one of each reason.
    package var retained: [Retained] = []

    package init() {}

    /// Content that no version needs, and why it stays.
    package struct Retained: Hashable, Sendable {
        /// The raw values are part of the interface of Lua and of JSON.
        package enum Reason: String, Sendable, CaseIterable {
            /// Unfinished uploads brought it, and may go on with it.
            case uploads
            /// Reads that began before it was dropped may still need it.
            case reads
            /// It lies in packs of which too little is unused for copying the rest.
            case packs
            /// It lies in packs that somebody writes to, or has stored just now.
            case writing
        }

        package var reason: Reason
        /// Of the uploads, the reads' leases, or the packs.
        package var count: Int
        package var bytes: UInt64
        /// The time after which a collection gives it back if nobody uses it again, seconds since 1970 UTC; nil where
        /// that is not known.
        package var endsAt: Int64?

        package init(_ reason: Reason, count: Int, bytes: UInt64, endsAt: Int64? = nil) {
            self.reason = reason
            self.count = count
            self.bytes = bytes
            self.endsAt = endsAt
        }
    }
}

/// How much a verification reads, and what it does about damage.
package struct VerifyRequest: Sendable {
    package var prefix: NamePrefix
    /// The share of records to read, above 0 and at most 1.
    package var sample: Double

    package init(prefix: NamePrefix = .all, sample: Double = 1) {
        self.prefix = prefix
        self.sample = sample
    }

    /// The share that a text means: `0.05`, or `5%`.
    ///
    /// - Throws: `invalid` for anything but a share above 0 and up to 1.
    package static func share(_ text: String) throws(VaultError) -> Double {
        let isPercent = text.utf8.last == UInt8(ascii: "%")
        guard let number = Double(isPercent ? text.dropLast() : text[...]) else { throw notAShare(text) }
        let share = isPercent ? number / 100 : number
        guard share > 0, share <= 1 else { throw notAShare(text) }
        return share
    }

    package static func notAShare(_ text: String) -> VaultError {
        VaultError(
            .invalid,
            "'\(printable(text))' is not a share to read: give one above 0 and up to 1, such as 0.05, or '5%'.")
    }
}

/// What a verification found.
package struct VerifyReport: Sendable {
    /// Chunks and list nodes that were read.
    package var checkedChunks = 0
    package var checkedBytes: UInt64 = 0
    /// Chunks that are damaged or missing. Saving a file again that holds one heals it.
    package var damagedChunks = 0
    /// The versions that need a damaged or missing chunk.
    package var damaged: [DamagedVersion] = []
    /// Other findings, one sentence each.
    package var problems: [String] = []

    package struct DamagedVersion: Hashable, Sendable {
        package var name: Name
        package var version: UInt64

        package init(name: Name, version: UInt64) {
            self.name = name
            self.version = version
        }
    }

    package init() {}

    package var isClean: Bool { damagedChunks == 0 && damaged.isEmpty && problems.isEmpty }
}
