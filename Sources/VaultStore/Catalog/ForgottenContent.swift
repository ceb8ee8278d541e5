package import VaultModel

/// The outcome of forgetting what nothing needs.
package struct ForgottenContent: Sendable {
    /// Chunks and list nodes that were forgotten.
    package var chunks: Int
    /// Content that stays for reads and for uploads only.
    package var retained: [CollectionReport.Retained]

    package init(chunks: Int, retained: [CollectionReport.Retained]) {
        self.chunks = chunks
        self.retained = retained
    }
}

/// A reason for which a collection keeps a chunk or list node; of several the lowest number counts.
package enum Need: Int64, Sendable {
    case versions = 0
    case reads = 1
    case uploads = 2

    /// Statement for a catalog whose marks are in a table `live`: the number of those who hold what is kept for this
    /// reason alone, and when the newest of them was last active; nil for versions.
    ///
    /// - Parameter vault: the condition that picks the vault's rows, with `AND` behind it, in a catalog of many.
    package func holders(_ vault: String = "") -> String? {
        switch self {
        case .versions: nil
        case .reads:
            """
            SELECT count(*), max(renewed_at) FROM lease
            WHERE \(vault) sequence < (SELECT max(sequence) FROM dropped WHERE \(vault) 1 = 1)
            """
        case .uploads:
            """
            SELECT count(*), max(touched_at) FROM upload WHERE \(vault) id IN (
              SELECT upload FROM upload_chunk WHERE \(vault) digest IN (SELECT digest FROM live WHERE need = \(rawValue)))
            """
        }
    }

    /// - Parameters:
    ///   - bytes: of what is kept for this reason alone.
    ///   - newest: when the newest holder was last active, seconds since 1970 UTC.
    package func retained(bytes: UInt64, holders: Int64, newest: Int64) -> CollectionReport.Retained? {
        switch self {
        case .versions: nil
        case .reads:
            CollectionReport.Retained(
                .reads, count: Int(clamping: holders), bytes: bytes, endsAt: newest + StoreLimits.leaseSeconds)
        case .uploads:
            CollectionReport.Retained(
                .uploads, count: Int(clamping: holders), bytes: bytes, endsAt: newest + StoreLimits.uploadSeconds)
        }
    }
}
