import Synchronization
package import VaultModel

extension StoredVault {
    package func beginUpload(_ intent: SaveIntent) async throws(VaultError) -> UploadID {
        try await beginUpload(intent, by: caller)
    }

    /// See ``Vault/beginUpload(_:)``. The upload belongs to `caller`.
    ///
    /// - Parameter id: that of the upload, so that other processes can add to it; nil for a new one.
    package func beginUpload(
        _ intent: SaveIntent, by caller: Caller, as id: UploadID? = nil
    ) async throws(VaultError) -> UploadID {
        try await prepareToWrite()
        if let problem = intent.problem { throw problem }
        if intent.kind == .directory {
            throw VaultError(
                .invalid, "The empty directory '\(intent.name)' has no content to upload.", name: intent.name)
        }
        if intent.kind == .link {
            throw VaultError(
                .invalid,
                "The link '\(intent.name)' cannot be uploaded: it is saved at once, with the path that it points to.",
                name: intent.name)
        }
        let id = id ?? UploadID(UniqueID())
        let state = UploadState(intent: intent, caller: caller, epoch: try await catalog.beginUpload(intent))
        catalog.hold(id)
        uploads.withLock { $0[id] = state }
        return id
    }

    package func offer(
        _ chunks: [ChunkReference], to upload: UploadID
    ) async throws(VaultError) -> [Bool] {
        guard chunks.allSatisfy({ $0.span > 0 && $0.span <= UInt64(Chunker.maximumSize) }) else {
            throw VaultError(.invalid, "An offer has a chunk of no bytes or of too many.")
        }
        if try change(upload, { $0.expected.count }) > StoreLimits.expectedElsewhereMax {
            try await takeWhatCameElsewhere(for: upload)
        }
        let known = try await known(chunks.map(\.digest), to: upload)
        // A content with a chunk of another length than the digest's could never be read.
        let places = known.contains(true) ? try await catalog.locations(chunks.map(\.digest)) : []
        for (index, place) in places.enumerated() where known[index] {
            if let place, UInt64(place.length) != chunks[index].span { throw .liesAboutLength }
        }
        var nodes: [ListBuilder.Node] = []
        let needed: [Bool] = try change(upload) { (state) throws(VaultError) in
            for chunk in chunks {
                let span =
                    state.expected[chunk.digest] ?? state.received[chunk.digest].map { UInt64($0.location.length) }
                if let span, span != chunk.span { throw .liesAboutLength }
            }
            guard state.expected.count + chunks.count <= StoreLimits.expectedChunksMax else {
                throw VaultError(
                    .invalid, "More than \(StoreLimits.expectedChunksMax) chunks were offered and not put.")
            }
            for chunk in chunks { state.list.append(chunk) { nodes.append($0) } }
            return zip(chunks, known).map { chunk, isKnown in
                let isNeeded = !isKnown && state.received[chunk.digest] == nil
                guard isNeeded, state.expected[chunk.digest] == nil else { return false }
                state.expected[chunk.digest] = chunk.span
                return true
            }
        }
        try await store(nodes, of: upload)
        return needed
    }

    package func put(_ chunks: [Chunk], to upload: UploadID) async throws(VaultError) {
        // What nobody waits for, a repetition for example, would only take up space; unless somebody waits elsewhere.
        let (expected, others, caller) = try change(upload) { (state) throws(VaultError) in
            var (expected, others): ([Chunk], [Chunk]) = ([], [])
            for chunk in chunks {
                guard let span = state.expected[chunk.digest] else {
                    others.append(chunk)
                    continue
                }
                guard span == UInt64(chunk.bytes.count) else { throw .liesAboutLength }
                expected.append(chunk)
            }
            return (expected, others, state.caller)
        }
        if isShared, !others.isEmpty { try await put(others, toElsewhere: upload, by: caller) }
        let records = expected.map { PackRecord(kind: .chunk, digest: $0.digest, bytes: $0.bytes) }
        try await store(records, of: upload)
    }

    package func commit(
        _ upload: UploadID, content: Content, changedWhileRead: Bool
    ) async throws(VaultError) -> SaveOutcome? {
        try await commit(upload, content: content, changedWhileRead: changedWhileRead, change: nil)
    }

    /// See ``Vault/commit(_:content:changedWhileRead:)``.
    ///
    /// - Parameters:
    ///   - change: names the commit, so that a repetition is answered like it; see
    ///     ``answer(toCommit:of:content:)`` for one whose upload is over.
    ///   - deciding: decides on the save when its content is durable; nil for no hooks.
    package func commit(
        _ upload: UploadID, content: Content, changedWhileRead: Bool = false, change: UniqueID?,
        deciding: Decider? = nil
    ) async throws(VaultError) -> SaveOutcome? {
        let (ending, user) = try self.change(upload) { state in (state.ending, state.caller.user) }
        return try await ending.withLock { () throws(VaultError) in
            guard uploads.withLock({ $0[upload] != nil }) else {
                if let change {
                    let answer = try await answer(toCommit: change, of: user, content: content)
                    if let answer { return answer.outcome }
                }
                throw unknownUpload
            }
            return try await end(
                upload, with: content, changedWhileRead: changedWhileRead, change: change, deciding)
        }
    }

    /// Commits an upload whose end nobody else is at.
    private func end(
        _ upload: UploadID, with content: Content, changedWhileRead: Bool, change: UniqueID?, _ deciding: Decider?
    ) async throws(VaultError) -> SaveOutcome? {
        var nodes: [ListBuilder.Node] = []
        let built = try self.change(upload) { state in state.list.finish { nodes.append($0) } }
        guard built == content else {
            throw VaultError(.invalid, "What was offered is not the content that the save ends with.")
        }
        try await store(nodes, of: upload)
        try await takeWhatCameElsewhere(for: upload)
        let (missing, epoch, hasLost) = try self.change(upload) { state in
            (state.expected.count, state.epoch, state.hasLost)
        }
        // What was stored a collection may have taken away.
        if hasLost { return await giveUp(upload) }
        if missing > 0, isShared, try await catalog.epoch() != epoch { return await giveUp(upload) }
        guard missing == 0 else {
            throw VaultError(.invalid, "\(missing) chunks that were needed have not been put.")
        }
        let decision = try await decision(on: upload, content, changedWhileRead: changedWhileRead, deciding)
        if try self.change(upload, { $0.hasLost }) { return await giveUp(upload) }
        let (state, chunks) = try self.change(upload) { state in (state, state.take()) }
        var save = CommitSave(
            intent: state.intent, content: content, upload: upload, chunks: chunks, epoch: state.epoch,
            newBytes: state.newBytes)
        save.mark = state.mark
        if let decision {
            save.asked = state.intent
            save.intent = decision.intent
            save.refusal = decision.refusal ?? decision.intent.problem
        }
        save.intent.changedWhileRead = changedWhileRead
        let call = CommitCall(requests: [.save(save)], by: state.caller, change: change)
        let result = await committing(call)
        // Only now: a repetition finds the upload until its result is durable, and waits.
        if var rest = uploads.withLock({ $0.removeValue(forKey: upload) }) {
            // What came late, once more than it was asked for, is of no use.
            await catalog.giveBack(rest.take().reservedBytes)
        }
        defer { catalog.release(upload) }
        switch result {
        case .success(.saved(let outcome)):
            return outcome
        case .success(.collected):
            await keep(chunks, of: upload, state)
            return nil
        case .success(.changed):
            throw VaultError(.internal, "A save was answered as another change.")
        case .failure(let error):
            await keep(chunks, of: upload, state)
            throw error
        }
    }

    /// Ends an upload that must be tried again.
    private func giveUp(_ upload: UploadID) async -> SaveOutcome? {
        if var state = uploads.withLock({ $0.removeValue(forKey: upload) }) {
            await keep(state.take(), of: upload, state)
            catalog.release(upload)
        }
        return nil
    }

    /// Asks hooks about an upload whose chunks have all come.
    private func decision(
        on upload: UploadID, _ content: Content, changedWhileRead: Bool, _ deciding: Decider?
    ) async throws(VaultError) -> SaveDecision? {
        guard let deciding else { return nil }
        var intent = try change(upload) { $0.intent }
        intent.changedWhileRead = changedWhileRead
        guard deciding.wants(intent.name) else { return nil }
        // From here on they can be found, and read.
        let chunks = try change(upload) { state in state.take() }
        if !chunks.isEmpty { try await record(chunks, of: upload) }
        let decisions = await deciding.decide([StagedSave(intent: intent, content: content)])
        guard let decision = decisions.first else {
            throw VaultError(.internal, "The hooks did not decide on a save.")
        }
        try decision.check()
        return decision
    }

    private func committing(_ call: CommitCall) async -> Result<CommitResult, VaultError> {
        do throws(VaultError) {
            return try await committer.commit(call)[0]
        } catch {
            return .failure(error)
        }
    }

    /// Ends an upload without a commit, when its sender gives it up or is lost; see ``Vault/abort(_:)``.
    package func abort(_ upload: UploadID) async {
        guard let ending = uploads.withLock({ $0[upload]?.ending }) else { return }
        await ending.withLock {
            _ = await giveUp(upload)
        }
    }

    /// Keeps what an upload that ended without a version had stored, so that the next try need not.
    private func keep(_ chunks: UnrecordedChunks, of upload: UploadID, _ state: UploadState) async {
        if chunks.isEmpty { return }
        do {
            try await catalog.record(chunks, of: upload, by: state.caller.user, at: clock(), mark: state.mark)
        } catch {
            // Losing them costs sending them again, no more.
            await catalog.giveBack(chunks.reservedBytes)
        }
    }

    /// Bytes of memory that an upload takes, about; 0 for one that is over.
    package func memoryBytes(of upload: UploadID) -> Int { uploads.withLock { $0[upload]?.memoryBytes ?? 0 } }

    // MARK: Parts

    var unknownUpload: VaultError { VaultError(.notFound, "There is no such upload.") }

    func change<Value>(
        _ upload: UploadID, _ body: (inout UploadState) throws(VaultError) -> sending Value
    ) throws(VaultError) -> Value {
        try uploads.withLock { (uploads) throws(VaultError) in
            guard var state = uploads.removeValue(forKey: upload) else { throw unknownUpload }
            defer { uploads[upload] = state }
            return try body(&state)
        }
    }

    /// Stores the list nodes that the vault lacks, as far as the upload's caller may know which those are.
    private func store(_ nodes: [ListBuilder.Node], of upload: UploadID) async throws(VaultError) {
        if nodes.isEmpty { return }
        let digests = nodes.map(\.reference.digest)
        let readsEverything = try change(upload) { $0.caller.readsEverything }
        let known = try await relying(on: digests.map { _ in readsEverything }, of: digests, for: upload)
        let missing = zip(nodes, known).filter { !$0.1 }.map { node, _ in
            PackRecord(kind: .listNode, digest: node.reference.digest, bytes: BufferSlice(copying: node.bytes))
        }
        try await store(missing, of: upload)
    }

    private func store(_ records: [PackRecord], of upload: UploadID) async throws(VaultError) {
        if records.isEmpty { return }
        let bytes = records.reduce(0) { $0 + $1.storedBytes }
        try await clearAway(before: bytes)
        try await catalog.reserve(bytes)
        var unused = bytes
        do throws(VaultError) {
            let appended = try await packs.append(records)
            let full = try change(upload) { state in
                for (record, location) in zip(records, appended.locations) {
                    let chunk = ReceivedChunk(
                        digest: record.digest, location: location, hold: appended.hold,
                        isCharged: !state.caller.readsEverything)
                    if state.receive(record, chunk) { unused -= record.storedBytes }
                }
                return isShared ? state.take() : state.takeFull()
            }
            if unused > 0 { await catalog.giveBack(unused) }
            unused = 0
            if let full { try await record(full, of: upload) }
        } catch {
            if unused > 0 { await catalog.giveBack(unused) }
            throw error
        }
    }

    /// Records what an upload has stored, as far as it can be recorded now: one that is about to end does so itself.
    func recordAll(of upload: UploadID) async {
        guard let ending = uploads.withLock({ $0[upload]?.ending }) else { return }
        _ = await ending.withLockIfFree {
            let unrecorded = uploads.withLock { $0[upload]?.takeAll() }
            if let unrecorded = unrecorded ?? nil { try? await record(unrecorded, of: upload) }
        }
    }

    private func record(_ full: UnrecordedChunks, of upload: UploadID) async throws(VaultError) {
        let (user, before) = try change(upload) { ($0.caller.user, $0.mark) }
        let mark: UInt64?
        do throws(VaultError) {
            mark = try await catalog.record(full, of: upload, by: user, at: clock(), mark: before)
        } catch {
            // A later recording, or the commit, takes them along. Without an upload they are lost.
            do {
                try change(upload) { $0.endRecording(of: full, isRecorded: false) }
            } catch {
                await catalog.giveBack(full.reservedBytes)
            }
            throw error
        }
        try change(upload) { state in
            state.endRecording(of: full, isRecorded: true)
            if let mark { state.mark = mark } else { state.hasLost = true }
        }
    }
}

extension VaultError {
    fileprivate static var liesAboutLength: VaultError {
        VaultError(.invalid, "A chunk was offered with another length than its bytes have.")
    }
}
