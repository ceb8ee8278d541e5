import VaultModel

/// The bytes that a commit adds, and whether the quota has room for them.
extension CommitTransaction {
    /// Bytes that uploads have reserved and not recorded.
    var reserved: UInt64 { reservedBytes - min(reservedBytes, endedBytes) }

    /// Counts what a request adds, if the quota has room for it. Uploads that nobody is at work on give way.
    ///
    /// - Parameters:
    ///   - content: bytes of chunks.
    ///   - records: bytes of the journal and of the catalog.
    ///   - isReserved: whether the chunks are among what uploads have reserved.
    ///   - isMakingRoom: whether the request is what makes room in the end.
    /// - Throws: `quota`.
    mutating func makeRoom(
        content: UInt64 = 0, records: UInt64, for name: Name?, isReserved: Bool = false, isMakingRoom: Bool = false,
        _ rows: Rows
    ) throws {
        var wanted = usage
        wanted.contentBytes += content
        wanted.catalogBytes += records
        let reserved = isReserved ? 0 : reserved
        var excess = content + records == 0 ? 0 : wanted.excess(reserved, isMakingRoom: isMakingRoom)
        if excess > 0, wanted.pendingBytes > 0 {
            let freed = try rows.forgetUploads(freeing: excess)
            if freed.bytes > 0 { touchedRows = true }
            usage.give(back: freed)
            wanted.give(back: freed)
            excess = wanted.excess(reserved, isMakingRoom: isMakingRoom)
        }
        if excess > 0, let quota = usage.quota {
            let error = VaultError.usedUp(quota)
            throw name.map { error.about($0) } ?? error
        }
        usage = wanted
        recordBytes += records
    }

    /// Counts records for which there is room, or which must be made.
    mutating func add(_ records: UInt64) {
        usage.catalogBytes += records
        recordBytes += records
    }
}
