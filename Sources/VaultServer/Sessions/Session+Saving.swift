import VaultModel
import VaultStore
import VaultWire

extension Session {
    /// The first step of the founding handshake: the intent, which is agreed or refused.
    func begin(_ save: WireSaveRequest) async throws -> ServerAnswer {
        let id = try UniqueID(wire: save.upload)
        let intent = try save.intent.model
        try requireRights(to: intent)
        if upload(id) == nil {
            let share = try memory.open(ServerLimits.openBytes + intent.memoryBytes)
            let opened: UploadID
            do throws(VaultError) {
                opened = try await vault.local.beginUpload(
                    intent, by: caller, as: tokens == nil ? nil : sharedID(of: id))
            } catch {
                throw told(error, of: intent.name)
            }
            do {
                try add(OpenUpload(id: opened, name: intent.name, tags: intent.tags, share: share), as: id)
            } catch {
                await vault.local.abort(opened)
                throw error
            }
        }
        return ServerAnswer { $0.saveReady = WireSaveReady() }
    }

    /// The sizes and names of chunks; the answer tells which of them are needed.
    func take(_ offer: WireOffer) async throws -> ServerAnswer {
        let id = try UniqueID(wire: offer.upload)
        let chunks = try offer.chunks.model
        let needed = try await offers.withLock { () async throws(VaultError) -> [Bool] in
            guard let upload = upload(id) else { throw .noSuchUpload }
            guard offer.position <= upload.offered else {
                throw VaultError(.invalid, "An offer skips chunks of '\(upload.name)'.", name: upload.name)
            }
            // What a lost connection makes the client repeat has been taken already.
            let repeated = Int(min(upload.offered - offer.position, UInt64(chunks.count)))
            let again = try await vault.local.awaits(Array(chunks[..<repeated]), of: upload.id)
            if repeated == chunks.count { return again }
            let known = ServerLimits.openBytes + vault.local.memoryBytes(of: upload.id)
            guard upload.share.resize(to: known + chunks.count * StoreLimits.rememberedChunkBytes) else {
                throw .tooMuchOpen(user)
            }
            let fresh = try await vault.local.offer(Array(chunks[repeated...]), to: upload.id)
            offered(upload.offered + UInt64(fresh.count), of: id)
            return again + fresh
        }
        return ServerAnswer { $0.need = WireNeed(needed) }
    }

    func take(_ put: WirePut, _ content: ContentReceiver?) async throws -> ServerAnswer {
        let id = try UniqueID(wire: put.upload)
        let announced = try put.chunks.model
        let upload = upload(id)
        // What is put here may be for an upload that another server was told of.
        guard upload != nil || (tokens != nil && mayAdd) else { throw VaultError.noSuchUpload }
        var chunks: [Chunk] = []
        chunks.reserveCapacity(announced.count)
        while let bytes = try await content?.next() {
            if Task.isCancelled { throw VaultError.cancelled }
            let digest = bytes.withUnsafeBytes { Digest(of: $0) }
            guard digest == announced[chunks.count].digest else {
                throw VaultError(
                    .invalid, "A chunk\(upload.map { " of '\($0.name)'" } ?? "") has other bytes than its digest says.",
                    name: upload?.name)
            }
            chunks.append(Chunk(digest: digest, bytes: bytes))
        }
        if let upload {
            try await vault.local.put(chunks, to: upload.id)
        } else {
            try await vault.local.put(chunks, toElsewhere: sharedID(of: id), by: caller)
        }
        return ServerAnswer(.done)
    }

    /// Under which id all servers know an upload of the user.
    private func sharedID(of id: UniqueID) -> UploadID {
        let digest = Digest(of: Array("upload".utf8) + id.bytes + Array(user.utf8))
        guard let shared = UniqueID(Array(digest.bytes.prefix(16))) else { return UploadID(id) }
        return UploadID(shared)
    }

    /// Whether the user may add anything anywhere.
    private var mayAdd: Bool {
        rules.grants.contains { !$0.rights.isDisjoint(with: [.save, .append]) }
    }

    /// The end of the handshake: what was offered and put becomes the name's current version.
    func commit(_ commit: WireCommit) async throws -> ServerAnswer {
        let (id, change) = (try UniqueID(wire: commit.upload), try UniqueID(wire: commit.change))
        let content = try commit.content.model
        let (vault, user, decider) = (vault.local, user, decider)
        let opened = upload(id)
        if let opened { try requireSave(on: opened.name) }
        let outcome = try await self.vault.committing(change, of: user) { () async throws(VaultError) in
            // The answer to a repeated commit may have been lost, and the upload is over then.
            if let answer = try await vault.answer(toCommit: change, of: user, content: content) {
                return answer.outcome
            }
            guard let opened else { throw .noSuchUpload }
            do throws(VaultError) {
                return try await vault.commit(
                    opened.id, content: content, changedWhileRead: commit.changedWhileRead, change: change,
                    deciding: decider)
            } catch {
                throw self.told(error, of: opened.name)
            }
        }
        removeUpload(id)
        self.vault.wakeOutbox(depth: depth)
        return ServerAnswer { answer in
            if let outcome {
                answer.saved.outcome = WireOutcome(told(outcome, tags: opened?.tags ?? [:]))
            } else {
                answer.saved.again = true
            }
        }
    }

    /// What the user may know of a save's outcome: without the right to read, only what came with it. Which version it is,
    /// whether the name held the same before, by whom and since when, and which tags others gave it, stays untold.
    private func told(_ outcome: SaveOutcome, tags: [TagText: TagText]) -> SaveOutcome {
        if rules.allows(.read, on: outcome.entry.name) { return outcome }
        var told = outcome.entry
        (told.version, told.sequence, told.savedAt, told.savedBy, told.tags) = (0, 0, 0, "", tags)
        return SaveOutcome(entry: told, isCreated: true, newBytes: 0)
    }

    /// Which version is there is for those who may read it.
    private func requireRights(to intent: SaveIntent) throws(VaultError) {
        try requireSave(on: intent.name)
        if intent.ifVersion != nil { try require(.read, "tell the version of", on: intent.name) }
    }

    func abort(_ abort: WireAbort) async throws -> ServerAnswer {
        if let upload = removeUpload(try UniqueID(wire: abort.upload)) { await vault.local.abort(upload.id) }
        return ServerAnswer(.done)
    }

    /// Files of one chunk each, whose content came along.
    func save(_ save: WireSaveSmall, _ content: ContentReceiver?) async throws -> ServerAnswer {
        let change = try UniqueID(wire: save.change)
        var results: [Result<SaveOutcome, VaultError>?] = []
        var saves: [SmallSave] = []
        var contents: [BufferSlice?] = []
        for file in save.files { contents.append(file.length > 0 ? try await content?.next() : nil) }
        // The rights are looked at once all is there: a slow sender does not save by those of long ago.
        for (file, bytes) in zip(save.files, contents) {
            do {
                let intent = try file.intent.model
                try requireRights(to: intent)
                let chunk = bytes.map { bytes in
                    Chunk(digest: bytes.withUnsafeBytes { Digest(of: $0) }, bytes: bytes)
                }
                saves.append(SmallSave(intent: intent, chunk: chunk))
                results.append(nil)
            } catch let error as VaultError {
                results.append(.failure(error))
            }
        }
        var outcomes = try await vault.local.save(
            saves, by: caller, change: change, isRepeated: save.again, deciding: decider)[...]
        vault.wakeOutbox(depth: depth)
        let all = results.map { $0 ?? outcomes.removeFirst() }
        let shown = zip(save.files, all).map { file, result in
            result.map { told($0, tags: file.intent.tags.model) }.mapError { error in
                told(error, of: try? Name(file.intent.name))
            }
        }
        return ServerAnswer { $0.smallSaved = WireSmallSaved(shown) }
    }
}

extension VaultError {
    /// For an upload that the session does not know, or no longer.
    static var noSuchUpload: VaultError {
        VaultError(.unavailable, "The server knows nothing of this save any more: try again.", isRetryable: true)
    }
}
