import Crypto
import Dispatch
import Synchronization
import VaultModel
import VaultStore

/// A pack that one commit writes alone, as an object that is stored in parts: nobody sees it before it is complete.
///
/// One part is on its way while the next one fills.
final class S3PackBuilder: PackBuilder {
    private struct State {
        var offset: UInt64 = 0
        /// The SHA-256 of all that has been added.
        var hash = SHA256()
        /// Pieces that have not been sent.
        var pieces: [BufferSlice] = []
        var bytes = 0
        /// The store's id of the upload, once a part has been sent.
        var upload: String?
        var sending: Sending<String>?
        /// The tags of the parts that have arrived.
        var tags: [String] = []

        mutating func add(_ piece: BufferSlice) {
            pieces.append(piece)
            bytes += piece.count
            offset += UInt64(piece.count)
            piece.withUnsafeBytes { hash.update(bufferPointer: $0) }
        }

        mutating func takePart() -> S3Body {
            defer { (pieces, bytes) = ([], 0) }
            return S3Body(pieces)
        }
    }

    private let id: PackID
    private let vault: UniqueID
    private let client: S3Client
    private let key: String
    private let state = Mutex(State())

    init(_ id: PackID, of vault: UniqueID, _ client: S3Client, key: String) {
        self.id = id
        self.vault = vault
        self.client = client
        self.key = key
        state.withLock { $0.add(BufferSlice(copying: PackHeader(vault: vault, pack: id).encoded)) }
    }

    private var multipart: S3MultipartUpload { S3MultipartUpload(client, key: key) }

    func append(_ record: PackRecord) throws(VaultError) -> PackLocation {
        let header = RecordHeader(
            kind: record.kind, vault: vault, length: UInt32(record.bytes.count), digest: record.digest)
        let (location, isFull) = state.withLock { state in
            let location = PackLocation(pack: id, offset: state.offset, length: UInt32(record.bytes.count))
            state.add(BufferSlice(copying: header.encoded))
            state.add(record.bytes)
            return (location, state.bytes >= EngineLimits.builtPartBytes)
        }
        if isFull { try sendPart() }
        return location
    }

    private func sendPart() throws(VaultError) {
        if let tag = try state.withLock({ $0.sending })?.wait() { state.withLock { $0.tags.append(tag) } }
        let multipart = multipart
        let upload: String
        if let begun = state.withLock({ $0.upload }) {
            upload = begun
        } else {
            upload = try Sending { () throws(VaultError) in try await multipart.begin() }.wait()
        }
        state.withLock { state in
            let (part, number) = (state.takePart(), state.tags.count + 1)
            state.upload = upload
            state.sending = Sending { () throws(VaultError) in
                try await multipart.send(part, number: number, of: upload)
            }
        }
    }

    func finish() async throws(VaultError) -> (any Sendable)? {
        let (upload, sending, rest) = state.withLock { ($0.upload, $0.sending, $0.takePart()) }
        guard let upload, let sending else {
            try await S3PackStore.store(rest, under: key, client)
            return nil
        }
        var tags = state.withLock { $0.tags } + [try await sending.value]
        if rest.count > 0 { tags.append(try await multipart.send(rest, number: tags.count + 1, of: upload)) }
        let (count, hash) = state.withLock { ($0.offset, $0.hash) }
        let digest = hash.finalize().withUnsafeBytes { VaultModel.Digest($0) }
        try await multipart.complete(upload, tags, count: Int(count), digest: digest ?? S3Signature.emptyPayload)
        return nil
    }

    func discard() async {
        let (upload, sending) = state.withLock { ($0.upload, $0.sending) }
        _ = try? await sending?.value
        if let upload { await multipart.abandon(upload) }
    }
}

/// Work on Swift's threads, for which a thread waits that may block.
private final class Sending<Value: Sendable>: Sendable {
    private final class Outcome: Sendable {
        let isThere = DispatchSemaphore(value: 0)
        let result = Mutex<Result<Value, VaultError>>(.failure(.cancelled))
    }

    private let outcome = Outcome()
    private let task: Task<Void, Never>

    init(_ work: @escaping @Sendable () async throws(VaultError) -> Value) {
        let outcome = outcome
        task = Task.detached {
            let result: Result<Value, VaultError>
            do throws(VaultError) {
                result = .success(try await work())
            } catch {
                result = .failure(error)
            }
            outcome.result.withLock { $0 = result }
            outcome.isThere.signal()
        }
    }

    /// Blocks the thread; called once.
    func wait() throws(VaultError) -> Value {
        outcome.isThere.wait()
        return try outcome.result.withLock { $0 }.get()
    }

    var value: Value {
        get async throws(VaultError) {
            await task.value
            return try outcome.result.withLock { $0 }.get()
        }
    }
}
