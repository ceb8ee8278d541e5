import LuaEngine
import Synchronization
import VaultModel

/// A new version of a file that a script writes piece by piece. Small content is saved at once when it is
/// closed; larger content is uploaded while it is written.
final class WriteHandle {
    private let intent: SaveIntent
    private let vault: any Vault
    private unowned let session: ScriptSession
    private var segmenter = Segmenter()
    private var upload: RunningUpload?

    init(_ intent: SaveIntent, _ vault: any Vault, _ session: ScriptSession) {
        self.intent = intent
        self.vault = vault
        self.session = session
    }

    deinit {
        upload?.cancel()
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while !rest.isEmpty {
            let space = segmenter.space
            let count = min(space.count, rest.count)
            space.copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            if let segment = segmenter.fill(count) { try send(segment) }
        }
    }

    private func send(_ segment: Segment) throws {
        let running = upload ?? RunningUpload(intent, vault)
        upload = running
        try session.wait { () async throws(VaultError) in try await running.send(segment) }
    }

    private func commit() throws -> SaveOutcome {
        let last = segmenter.finish()
        if upload == nil {
            let bytes = last.map { segment in segment.chunks.last?.upperBound ?? 0 } ?? 0
            if bytes <= Limits.smallFileBytesMax { return try commitSmall(last, count: bytes) }
        }
        if let last { try send(last) }
        guard let upload else { throw VaultError(.internal, "An upload was lost.") }
        self.upload = nil
        return try session.wait { () async throws(VaultError) in try await upload.finish() }
    }

    private func commitSmall(_ segment: Segment?, count: Int) throws -> SaveOutcome {
        let bytes = segment.map { BufferSlice($0.buffer, 0..<count).bytes } ?? []
        let (vault, intent) = (vault, intent)
        return try session.wait { () async throws(VaultError) in
            try await ContentSave(to: vault).save(bytes, intent)
        }
    }

    static let type = LuaObjectType<WriteHandle>(
        "vault file",
        methods: [
            "write": { handle, call in
                try converting("write", handle.session) {
                    for number in stride(from: 2, through: call.count, by: 1) {
                        var failure: (any Error)?
                        try call[number].withBytes { bytes in
                            do { try handle.write(bytes) } catch { failure = error }
                        }
                        if let failure { throw failure }
                    }
                    call.returns(argument: 1)
                }
            },
            "close": { handle, call in
                try converting("close", handle.session) {
                    // Whatever becomes of the commit, the handle is done with.
                    defer { call.close(1) }
                    call.returns(EntryValue.table(try handle.commit()))
                }
            },
            "read": { handle, _ in throw handle.misuse("read") },
            "lines": { handle, _ in throw handle.misuse("lines") },
            "seek": { handle, _ in throw handle.misuse("seek") },
        ])

    private func misuse(_ operation: String) -> LuaError {
        ErrorValue.luaError(
            VaultError(.invalid, "The file is open for writing.", name: intent.name), operation: operation, session)
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

    /// Hands over a segment, once there is room for it.
    ///
    /// - Throws: what the upload failed with.
    func send(_ segment: Segment) async throws(VaultError) {
        guard await credits.take() else {
            _ = try await finish()
            throw VaultError(.internal, "An upload ended before its content.")
        }
        segments.yield(segment)
    }

    func finish() async throws(VaultError) -> SaveOutcome {
        segments.yield(nil)
        segments.finish()
        return try await mappingErrors { try await self.task.value }
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
