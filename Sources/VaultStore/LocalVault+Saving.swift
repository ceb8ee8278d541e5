import Synchronization
package import VaultModel

/// An upload as its process knows it.
struct UploadState: Sendable {
    var intent: SaveIntent
    var epoch: UInt64
    var list = ListBuilder()
    /// Stored by this upload and not recorded in the catalog yet.
    var received: [Digest: ReceivedChunk] = [:]
    var receivedBytes: UInt64 = 0
    var newBytes: UInt64 = 0
    /// Offered, needed, and not put yet.
    var expected: Set<Digest> = []
}

extension LocalVault {
    package func beginUpload(_ intent: SaveIntent) async throws(VaultError) -> UploadID {
        try await prepareToWrite()
        if let problem = intent.problem { throw problem }
        if intent.kind == .directory {
            throw VaultError(
                .invalid, "The empty directory '\(intent.name)' has no content to upload.", name: intent.name)
        }
        let id = UploadID(UniqueID())
        let state = UploadState(intent: intent, epoch: try await catalog.beginUpload(intent))
        uploads.withLock { $0[id] = state }
        return id
    }

    package func offer(
        _ chunks: [ChunkReference], to upload: UploadID
    ) async throws(VaultError) -> [Bool] {
        guard chunks.allSatisfy({ $0.span > 0 && $0.span <= UInt64(Chunker.maximumSize) }) else {
            throw VaultError(.invalid, "An offer has a chunk of no bytes or of too many.")
        }
        let known = try await catalog.known(chunks.map(\.digest))
        var nodes: [ListBuilder.Node] = []
        let needed = try change(upload) { state in
            for chunk in chunks { state.list.append(chunk) { nodes.append($0) } }
            return zip(chunks, known).map { chunk, isKnown in
                let isNeeded = !isKnown && state.received[chunk.digest] == nil
                return isNeeded && state.expected.insert(chunk.digest).inserted
            }
        }
        try await store(nodes, of: upload)
        return needed
    }

    package func put(_ chunks: [Chunk], to upload: UploadID) async throws(VaultError) {
        // What nobody waits for, a repetition for example, would only take up space.
        let expected = try change(upload) { state in chunks.filter { state.expected.contains($0.digest) } }
        let records = expected.map { PackRecord(kind: .chunk, digest: $0.digest, bytes: $0.bytes) }
        try await store(records, of: upload)
    }

    package func commit(
        _ upload: UploadID, content: Content
    ) async throws(VaultError) -> SaveOutcome? {
        var nodes: [ListBuilder.Node] = []
        let built = try change(upload) { state in state.list.finish { nodes.append($0) } }
        guard built == content else {
            throw VaultError(.invalid, "What was offered is not the content that the save ends with.")
        }
        try await store(nodes, of: upload)
        let missing = try change(upload) { $0.expected.count }
        guard missing == 0 else {
            throw VaultError(.invalid, "\(missing) chunks that were needed have not been put.")
        }
        guard let state = uploads.withLock({ $0.removeValue(forKey: upload) }) else { throw unknown }
        let request = CommitRequest.save(
            CommitSave(
                intent: state.intent, content: content, by: savedBy, upload: upload,
                received: Array(state.received.values), epoch: state.epoch, newBytes: state.newBytes))
        do throws(VaultError) {
            switch try await committer.commit([request])[0].get() {
            case .saved(let outcome): return outcome
            case .collected: break
            case .changed: throw VaultError(.internal, "A save was answered as another change.")
            }
        } catch {
            await keepReceived(state, of: upload)
            throw error
        }
        await keepReceived(state, of: upload)
        return nil
    }

    package func abort(_ upload: UploadID) async {
        if let state = uploads.withLock({ $0.removeValue(forKey: upload) }) {
            await keepReceived(state, of: upload)
        }
    }

    /// Keeps what an upload that ended without a version had stored, so that the next try need not.
    private func keepReceived(_ state: UploadState, of upload: UploadID) async {
        if state.received.isEmpty { return }
        // Losing them costs sending them again, no more.
        try? await catalog.record(Array(state.received.values), of: upload, at: clock())
    }

    package func save(
        _ saves: [SmallSave]
    ) async throws(VaultError) -> [Result<SaveOutcome, VaultError>] {
        try await prepareToWrite()
        let results = try await commit(saves)
        return results.map { result in
            result.flatMap { result in
                guard case .saved(let outcome) = result else {
                    return .failure(VaultError(.internal, "A save was answered as another change."))
                }
                return .success(outcome)
            }
        }
    }

    /// Commits the saves that can be; the others fail alone.
    private func commit(_ saves: [SmallSave]) async throws(VaultError) -> [Result<CommitResult, VaultError>] {
        let problems = saves.map { $0.intent.problem ?? $0.problem }
        let requests = zip(saves, problems).filter { $0.1 == nil }.map { save, _ in
            CommitRequest.save(
                CommitSave(
                    intent: save.intent, content: save.content, by: savedBy, chunk: save.chunk, received: [],
                    newBytes: 0))
        }
        var results = try await committer.commit(requests)[...]
        return problems.map { problem in problem.map { .failure($0) } ?? results.removeFirst() }
    }

    private var unknown: VaultError { VaultError(.notFound, "There is no such upload.") }

    private func change<Value>(
        _ upload: UploadID, _ body: (inout UploadState) -> sending Value
    ) throws(VaultError) -> Value {
        try uploads.withLock { (uploads) throws(VaultError) in
            guard var state = uploads.removeValue(forKey: upload) else { throw unknown }
            defer { uploads[upload] = state }
            return body(&state)
        }
    }

    /// Stores the list nodes that the vault lacks.
    private func store(_ nodes: [ListBuilder.Node], of upload: UploadID) async throws(VaultError) {
        if nodes.isEmpty { return }
        let known = try await catalog.known(nodes.map(\.reference.digest))
        let missing = zip(nodes, known).filter { !$0.1 }.map { node, _ in
            PackRecord(kind: .listNode, digest: node.reference.digest, bytes: BufferSlice(copying: node.bytes))
        }
        try await store(missing, of: upload)
    }

    private func store(_ records: [PackRecord], of upload: UploadID) async throws(VaultError) {
        if records.isEmpty { return }
        try await checkQuota(records.reduce(0) { $0 + UInt64(RecordHeader.byteCount + $1.bytes.count) })
        let appended = try await packs.append(records)
        let full: [ReceivedChunk] = try change(upload) { state in
            for (record, location) in zip(records, appended.locations) {
                state.expected.remove(record.digest)
                state.received[record.digest] = ReceivedChunk(
                    digest: record.digest, location: location, hold: appended.hold)
                state.receivedBytes += location.storedBytes
                if record.kind == .chunk { state.newBytes += UInt64(location.length) }
            }
            guard state.receivedBytes >= StoreLimits.uploadRecordBytes else { return [] }
            defer { (state.received, state.receivedBytes) = ([:], 0) }
            return Array(state.received.values)
        }
        if !full.isEmpty { try await catalog.record(full, of: upload, at: clock()) }
    }
}

extension SaveIntent {
    fileprivate var problem: VaultError? {
        if kind == .removed { return VaultError(.invalid, "A removal of '\(name)' cannot be saved.", name: name) }
        return tags.problem(of: name)
    }
}

extension [String: String] {
    /// What is wrong with these as the tags of a version.
    func problem(of name: Name) -> VaultError? {
        let bytes = reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        guard bytes > StoreLimits.tagBytesMax else { return nil }
        return VaultError(
            .invalid, "The tags of '\(name)' have \(bytes) bytes: \(StoreLimits.tagBytesMax) are allowed.", name: name)
    }
}

extension SmallSave {
    fileprivate var problem: VaultError? {
        guard let chunk else { return nil }
        if intent.kind == .directory {
            return VaultError(.invalid, "The empty directory '\(intent.name)' cannot have content.", name: intent.name)
        }
        if chunk.bytes.count == 0 || chunk.bytes.count > Chunker.maximumSize {
            return VaultError(.invalid, "The content of '\(intent.name)' is not one chunk.", name: intent.name)
        }
        return nil
    }
}
