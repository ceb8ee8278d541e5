package import VaultModel

/// Where a vault's records are kept: append-only packs, in a directory or in an object store.
///
/// All operations may be called from any task and at the same time.
package protocol PackStore: Sendable {
    /// Stores records, in one pack and in their order; they are durable on return.
    ///
    /// - Throws: where nothing of it may be relied on. What was written all the same is never counted
    ///   as part of the pack.
    func append(_ records: [PackRecord]) async throws(VaultError) -> Appended

    /// Stores records like ``append(_:)``, for somebody who has other work to do meanwhile.
    ///
    /// - Parameter placed: is told once where the records are going to be, while they are on their way.
    func append(
        _ records: [PackRecord], placed: ([PackLocation]) -> Void
    ) async throws(VaultError) -> Appended

    /// Begins a pack for the records of one commit that is too large to be in memory at once.
    func builder() throws(VaultError) -> any PackBuilder

    /// Reads bytes of a pack, from `offset` until `memory` is full or the pack ends.
    ///
    /// - Returns: the number of bytes read.
    /// - Throws: `notFound` for a pack that is not there.
    func read(
        _ pack: PackID, at offset: UInt64, into memory: UnsafeMutableRawBufferPointer
    ) async throws(VaultError) -> Int

    /// The packs that are there.
    func list() async throws(VaultError) -> [PackID: PackStatus]

    /// Takes over packs that a writer left unfinished, to append to them.
    ///
    /// - Parameter committedLength: the length up to which a pack's records are known to the catalog;
    ///   it is asked once no other writer has the pack, and the pack is cut to it.
    func adopt(
        _ packs: [PackID], committedLength: (PackID) async throws(VaultError) -> UInt64?
    ) async throws(VaultError)

    /// Removes packs that nobody writes to or holds.
    ///
    /// - Parameter disowned: which packs the catalog knows nothing of; it is asked once nobody can write to
    ///   them or hold them any more, or once what somebody stores in them is not going to count.
    /// - Returns: the packs that are gone.
    func delete(
        _ packs: [PackID], disowned: ([PackID]) async throws(VaultError) -> Set<PackID>
    ) async throws(VaultError) -> Set<PackID>

    /// Ends all appending; packs that are not full stay adoptable.
    func close() async
}

/// A pack as its store knows it.
package struct PackStatus: Sendable, Equatable {
    /// Bytes.
    package var length: UInt64
    /// Whether it was stored so recently that its writer may not have made it known to the catalog yet, and nothing
    /// else keeps it from being deleted meanwhile.
    package var isFresh: Bool

    package init(length: UInt64, isFresh: Bool = false) {
        self.length = length
        self.isFresh = isFresh
    }
}

/// Records that were stored.
package struct Appended: Sendable {
    /// One location a record, in their order.
    package var locations: [PackLocation]
    /// Keeps the pack from being deleted as long as it lives: until the catalog knows the records.
    package var hold: (any Sendable)?

    package init(locations: [PackLocation], hold: (any Sendable)?) {
        self.locations = locations
        self.hold = hold
    }
}

extension VaultError {
    /// A store has not told where it puts records.
    package static var unplaced: VaultError { VaultError(.internal, "The packs did not tell where the records are.") }
}

/// The name of a pack.
package struct PackID: Hashable, Sendable {
    package var value: UniqueID
    package init(_ value: UniqueID = UniqueID()) { self.value = value }
}

/// A record to be stored.
package struct PackRecord: Sendable {
    package var kind: RecordHeader.Kind
    package var digest: Digest
    package var bytes: BufferSlice

    package init(kind: RecordHeader.Kind, digest: Digest, bytes: BufferSlice) {
        self.kind = kind
        self.digest = digest
        self.bytes = bytes
    }

    /// Bytes that the record takes up, its header included.
    package var storedBytes: UInt64 { UInt64(RecordHeader.byteCount + bytes.count) }
}

/// Where a record is: the offset of its header, and the stored length of its payload, in bytes.
package struct PackLocation: Hashable, Sendable {
    package var pack: PackID
    package var offset: UInt64
    package var length: UInt32

    package init(pack: PackID, offset: UInt64, length: UInt32) {
        self.pack = pack
        self.offset = offset
        self.length = length
    }

    /// The offset behind the record.
    package var end: UInt64 { offset + storedBytes }

    /// Bytes that the record takes up, its header included.
    package var storedBytes: UInt64 { UInt64(RecordHeader.byteCount) + UInt64(length) }
}
