import VaultModel

/// An upload as its process knows it.
struct UploadState: Sendable {
    let intent: SaveIntent
    let caller: Caller
    let epoch: UInt64
    /// Held by what ends the upload, so that a repeated commit waits for the first one's result.
    let ending = AsyncLock()
    var list = ListBuilder()
    /// Stored by this upload and not recorded in the catalog yet.
    var received: [Digest: ReceivedChunk] = [:]
    /// Bytes received since the last recording, which are reserved.
    var receivedBytes: UInt64 = 0
    var isRecording = false
    /// The mark that the catalog has given it: where the catalog has it no more, what was recorded has given way to others.
    var mark: UInt64?
    /// Whether something that was stored does not count any more.
    var hasLost = false
    /// Bytes of content that are new to the vault, as far as the caller may know.
    var newBytes: UInt64 = 0
    /// Offered, needed, and not put yet.
    var expected: [Digest: UInt64] = [:]
    /// The chunks of the name's current version, which a caller who may read it need not put; nil until
    /// they are looked up.
    var current: Set<Digest>?

    /// Bytes of memory that the upload takes, about.
    var memoryBytes: Int {
        (expected.count + received.count + (current?.count ?? 0)) * StoreLimits.rememberedChunkBytes
            + intent.memoryBytes
    }

    init(intent: SaveIntent, caller: Caller, epoch: UInt64) {
        self.intent = intent
        self.caller = caller
        self.epoch = epoch
    }

    /// Takes note of a record that was stored, with its bytes reserved.
    ///
    /// - Returns: false where the same came twice at once, and the other counts.
    mutating func receive(_ record: PackRecord, _ chunk: ReceivedChunk) -> Bool {
        let isFirst =
            record.kind == .chunk ? expected.removeValue(forKey: record.digest) != nil : received[record.digest] == nil
        guard isFirst else { return false }
        received[record.digest] = chunk
        receivedBytes += chunk.location.storedBytes
        if record.kind == .chunk { newBytes += UInt64(record.bytes.count) }
        return true
    }

    /// What must be recorded, once it is enough to be worth a transaction.
    mutating func takeFull() -> UnrecordedChunks? {
        let isFull =
            receivedBytes >= StoreLimits.uploadRecordBytes || received.count >= StoreLimits.uploadRecordChunks
        return isFull ? takeAll() : nil
    }

    /// Chunks that must be recorded; nil where there are none, or some are being recorded.
    mutating func takeAll() -> UnrecordedChunks? {
        if isRecording || received.isEmpty { return nil }
        isRecording = true
        return take()
    }

    /// What is not recorded yet. It stays listed until it is, but its reservation goes along.
    mutating func take() -> UnrecordedChunks {
        defer { receivedBytes = 0 }
        return UnrecordedChunks(received: Array(received.values), reservedBytes: receivedBytes)
    }

    mutating func endRecording(of chunks: UnrecordedChunks, isRecorded: Bool) {
        isRecording = false
        guard isRecorded else {
            receivedBytes += chunks.reservedBytes
            return
        }
        for chunk in chunks.received { received[chunk.digest] = nil }
    }
}
