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

    package init() {}
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
