import Synchronization
import VaultModel

/// Saves what is written piece by piece: small content at once when it is committed; larger content is uploaded while
/// it is written.
///
/// `@unchecked Sendable`: used by the Lua thread, or by the one operation that has the handle's turn.
final class ContentWriter: @unchecked Sendable {
    let intent: SaveIntent
    private let vault: VaultSource
    private var segmenter = Segmenter()
    private var upload: RunningUpload?
    /// Whether a write has begun that has not ended well: what is there is not what was to be written.
    var isBroken = false

    init(_ intent: SaveIntent, _ vault: VaultSource) {
        self.intent = intent
        self.vault = vault
    }

    deinit {
        upload?.cancel()
    }

    /// Takes bytes that do not fill a segment.
    ///
    /// - Returns: false, with nothing taken, for bytes that do.
    func writeAtHand(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let space = segmenter.space
        guard bytes.count < space.count else { return false }
        space.copyMemory(from: bytes)
        _ = segmenter.fill(bytes.count)
        return true
    }

    func write(_ bytes: [UInt8]) async throws(VaultError) {
        var position = 0
        while position < bytes.count {
            if let segment = segmenter.fill(from: bytes, at: &position) { try await send(segment) }
        }
    }

    private func send(_ segment: Segment) async throws(VaultError) {
        let running: RunningUpload
        if let upload { running = upload } else { running = RunningUpload(intent, try await vault.opened()) }
        upload = running
        try await running.send(segment)
    }

    /// Makes what was written the new version.
    func commit() async throws(VaultError) -> SaveOutcome {
        if isBroken {
            throw VaultError(
                .invalid, "Not all of '\(intent.name)' was written, so it was not saved.", name: intent.name)
        }
        let last = segmenter.finish()
        if upload == nil {
            let count = last.map { segment in segment.chunks.last?.upperBound ?? 0 } ?? 0
            if count <= Limits.smallFileBytesMax {
                let bytes = last.map { BufferSlice($0.buffer, 0..<count).bytes } ?? []
                return try await ContentSave(to: try await vault.opened()).save(bytes, intent)
            }
        }
        if let last { try await send(last) }
        guard let upload else { throw VaultError(.internal, "An upload was lost.") }
        self.upload = nil
        return try await upload.finish()
    }
}

/// An upload that takes its segments as they come.
private final class RunningUpload: Sendable {
    /// The content's segments, and nil at its end.
    private let segments: AsyncStream<Segment?>.Continuation
    private let task: Task<SaveOutcome, any Error>
    private let credits: Credits

    init(_ intent: SaveIntent, _ vault: any Vault) {
        let (stream, continuation) = AsyncStream<Segment?>.makeStream()
        let credits = Credits(Limits.segmentsInFlight)
        let source = SegmentSource(stream, credits)
        segments = continuation
        self.credits = credits
        task = Task(executorPreference: BlockingExecutor.shared) {
            defer { credits.close() }
            // Nothing of it can be sent again after a collection: the content is gone.
            let outcome = try await Upload(to: vault).save(intent) { () async throws(VaultError) in
                try await source.next()
            }
            guard let outcome else { throw VaultError.keptBeingCollected(intent.name) }
            return outcome
        }
    }

    /// Hands over a segment, once there is room for it. Cancelling that gives the whole upload up.
    ///
    /// - Throws: what the upload failed with.
    func send(_ segment: Segment) async throws(VaultError) {
        let isTaken = await withTaskCancellationHandler {
            await credits.take()
        } onCancel: {
            cancel()
        }
        guard isTaken else {
            _ = try await finish()
            throw VaultError(.internal, "An upload ended before its content.")
        }
        segments.yield(segment)
    }

    func finish() async throws(VaultError) -> SaveOutcome {
        segments.yield(nil)
        segments.finish()
        return try await mappingErrors {
            try await withTaskCancellationHandler {
                try await self.task.value
            } onCancel: {
                self.cancel()
            }
        }
    }

    func cancel() {
        task.cancel()
        segments.finish()
    }
}

/// `@unchecked Sendable`: only the upload's own task takes from it.
private final class SegmentSource: @unchecked Sendable {
    private var iterator: AsyncStream<Segment?>.Iterator
    private let credits: Credits

    init(_ stream: AsyncStream<Segment?>, _ credits: Credits) {
        iterator = stream.makeAsyncIterator()
        self.credits = credits
    }

    /// The next segment; nil at the end of the content.
    ///
    /// - Throws: `cancelled` for a stream that was left before its end: what there is of it is no content.
    func next() async throws(VaultError) -> Segment? {
        guard let segment = await iterator.next(isolation: nil) else { throw .cancelled }
        credits.give()
        return segment
    }
}

/// Room for a bounded number of segments.
private final class Credits: Sendable {
    private struct State {
        var count: Int
        var isClosed = false
        var waiting: CheckedContinuation<Bool, Never>?
    }

    private let state: Mutex<State>

    init(_ count: Int) {
        state = Mutex(State(count: count))
    }

    /// Takes room for one; false when nobody takes segments any more.
    func take() async -> Bool {
        await withCheckedContinuation { continuation in
            let answer: Bool? = state.withLock { state in
                if state.isClosed { return false }
                if state.count > 0 {
                    state.count -= 1
                    return true
                }
                state.waiting = continuation
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    func give() {
        let waiting = state.withLock { state in
            if state.waiting == nil { state.count += 1 }
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume(returning: true)
    }

    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume(returning: false)
    }
}
