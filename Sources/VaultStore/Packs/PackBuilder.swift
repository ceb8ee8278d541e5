package import VaultModel

/// A pack that one commit has to itself, for records that are too many to be in memory together.
///
/// Nobody reads it or adds to it before it is finished. A crash leaves nothing of it, or a pack that no catalog knows, with
/// all that the commit had stored until then.
package protocol PackBuilder: Sendable {
    /// Adds a record behind the others, and blocks the thread while it has too much on its way. Called by one task at a time.
    ///
    /// - Returns: where the record is going to be.
    func append(_ record: PackRecord) throws(VaultError) -> PackLocation

    /// Returns when all records are durable; none is added afterwards.
    ///
    /// - Returns: the hold on the pack; see ``Appended/hold``.
    func finish() async throws(VaultError) -> (any Sendable)?

    /// Removes the pack, where its commit has failed.
    func discard() async
}

/// Stores the records of one commit: by one append as a rule, in a pack of their own where they are many.
package final class CommitStorage {
    private let packs: any PackStore
    private var builder: (any PackBuilder)?

    package init(_ packs: any PackStore) {
        self.packs = packs
    }

    /// Stores a record before the commit is complete, and blocks the thread meanwhile.
    package func spill(_ record: PackRecord) throws(VaultError) -> PackLocation {
        if let builder { return try builder.append(record) }
        let new = try packs.builder()
        builder = new
        return try new.append(record)
    }

    /// Stores the last records; all are durable on return.
    ///
    /// - Parameter placed: is told where they are going to be.
    package func store(
        _ records: [PackRecord], placed: ([PackLocation]) -> Void
    ) async throws(VaultError) -> Appended {
        guard let builder else { return try await packs.append(records, placed: placed) }
        var locations: [PackLocation] = []
        for record in records { locations.append(try builder.append(record)) }
        placed(locations)
        return Appended(locations: locations, hold: try await builder.finish())
    }

    /// Gives up what was stored, where the commit has failed.
    package func discard() async {
        await builder?.discard()
        builder = nil
    }
}
