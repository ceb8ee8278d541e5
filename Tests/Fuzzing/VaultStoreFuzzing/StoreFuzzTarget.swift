package import FuzzSupport

/// What a vault's files reach, which may come from anybody.
package enum StoreFuzzTarget: String, FuzzTarget {
    /// The bytes choose what somebody did to a vault's catalog, and what somebody else does with the vault.
    case catalog
    /// The bytes are a journal group, an answer, tags, a list node, or the header of a pack or of a record.
    case journal
    /// The bytes choose the records of a pack, from which a catalog is rebuilt.
    case pack

    package func run(_ input: [UInt8]) async throws(BrokenInvariant) {
        switch self {
        case .catalog: try await fuzzCatalog(input)
        case .journal: try fuzzJournal(input)
        case .pack: try await fuzzPack(input)
        }
    }
}
