/// Every bound on what is buffered or in flight during a transfer.
package enum Limits {
    /// One transfer buffer: it holds the largest chunk twice.
    package static let bufferBytes = 8 << 20
    /// Buffers that the pool keeps when no transfer uses them.
    package static let buffersMax = 4
    /// Segments of one file that are hashed, offered and sent at once.
    package static let segmentsInFlight = 3
    /// Files up to this size are saved in batches; they always are a single chunk.
    package static let smallFileBytesMax = Chunker.minimumSize
    /// Files and bytes of one batch.
    package static let batchFilesMax = 256
    package static let batchBytesMax = 4 << 20
    /// Small files that many tasks ask for one by one and that are gathered into one request.
    package static let gatheredMax = 64
    /// Files up to this size are worked on beside each other; larger ones, which fill several buffers at
    /// once, one after the other.
    package static let pipelineBytesMin: UInt64 = 4 << 20
    /// Batches and larger files that a push or pull works on at once.
    package static let jobsInFlight = 8
    /// Bytes fetched at once from an open read.
    package static let fetchBytesMax = 8 << 20
    /// Entries on the first page of a listing, which comes soon, and on a later one, which comes with others in mind:
    /// the way to a server and back costs the same for any.
    package static let pageEntries = 512
    package static let pageEntriesMax = 4096
    /// Bytes of memory of the entries of a page, about; one at least is on it.
    package static let pageBytesMax = 2 << 20
    /// The times that a save is tried from its start, because a small source changed or because a collection removed a chunk
    /// that it relied on.
    package static let saveAttemptsMax = 3
    /// The times that a large source that changes meanwhile is read, until it is saved as it was read last.
    package static let readAttemptsMax = 2
    /// A file modified this recently is read again next time: a later write could leave its times equal.
    package static let racyNanoseconds: Int64 = 2_000_000_000
}
