import FoundationEssentials
import Synchronization
package import VaultModel
import VaultWire

extension RemoteVault {
    package func beginUpload(_ intent: SaveIntent) async throws(VaultError) -> UploadID {
        let id = UploadID(UniqueID())
        try await tell(of: id.value, intent)
        uploads.withLock { $0[id] = RemoteUpload(intent, as: id.value) }
        return id
    }

    package func offer(_ chunks: [ChunkReference], to upload: UploadID) async throws(VaultError) -> [Bool] {
        let known = try self.upload(upload)
        var needed: [Bool] = []
        for part in chunks.batches(bytesMax: .max, countMax: WireLimits.chunksMax, { _ in 0 }) {
            let isNeeded = try await asking(upload, known) { () async throws(VaultError) in
                try await offer(part, at: known.position, to: known.remote)
            }
            known.offered(part, needed: isNeeded)
            needed += isNeeded
        }
        return needed
    }

    package func put(_ chunks: [Chunk], to upload: UploadID) async throws(VaultError) {
        let known = try self.upload(upload)
        for batch in chunks.batches(bytesMax: Limits.bufferBytes, countMax: WireLimits.chunksMax, \.bytes.count) {
            let start = ContinuousClock.now
            try await asking(upload, known) { () async throws(VaultError) in
                _ = try await ask(on: .content, content: batch.map(\.bytes)) { message in
                    message.put.upload = known.remote.wire
                    message.put.chunks = WireChunkList(batch.map(\.reference))
                }
            }
            pace.note(batch.reduce(0) { $0 + $1.bytes.count }, in: ContinuousClock.now - start)
            known.put(batch)
        }
    }

    package func commit(
        _ upload: UploadID, content: Content, changedWhileRead: Bool
    ) async throws(VaultError) -> SaveOutcome? {
        let known = try self.upload(upload)
        let change = UniqueID()
        let answer = try await asking(upload, known, isCommit: true) { () async throws(VaultError) in
            try await ask { message in
                message.commit.upload = known.remote.wire
                message.commit.content = WireContent(content)
                message.commit.changedWhileRead = changedWhileRead
                message.commit.change = change.wire
            }
        }
        _ = uploads.withLock { $0.removeValue(forKey: upload) }
        if answer.saved.again { return nil }
        return try reading { () throws(WireViolation) in try answer.saved.outcome.model }
    }

    private func tell(of upload: UniqueID, _ intent: SaveIntent) async throws(VaultError) {
        _ = try await ask { message in
            message.save.upload = upload.wire
            message.save.intent = WireIntent(intent)
        }
    }

    private func offer(
        _ chunks: ArraySlice<ChunkReference>, at position: UInt64, to upload: UniqueID
    ) async throws(VaultError) -> [Bool] {
        let answer = try await ask { message in
            message.offer.upload = upload.wire
            message.offer.position = position
            message.offer.chunks = WireChunkList(chunks)
        }
        return try reading { () throws(WireViolation) in try answer.need.model(count: chunks.count) }
    }

    /// Asks about an upload, telling the server of it again where it has forgotten it: it was started anew.
    private func asking<Value: Sendable>(
        _ upload: UploadID, _ known: RemoteUpload, isCommit: Bool = false, _ body: () async throws(VaultError) -> Value
    ) async throws(VaultError) -> Value {
        let tellings = known.tellings
        do throws(VaultError) {
            return try await body()
        } catch {
            guard error.code == .unavailable, error.isRetryable, !error.isUncertain else { throw error }
        }
        do throws(VaultError) {
            try await known.telling.withLock { () async throws(VaultError) in
                if known.tellings != tellings { return }
                try await tellAgain(known)
            }
        } catch {
            // The commit may have taken effect meanwhile, where it was asked for first: then that is the reason.
            guard isCommit, let value = try? await body() else { throw error }
            return value
        }
        return try await body()
    }

    private func tellAgain(_ known: RemoteUpload) async throws(VaultError) {
        let id = UniqueID()
        try await tell(of: id, known.intent)
        var position: UInt64 = 0
        for part in known.offered.batches(bytesMax: .max, countMax: WireLimits.chunksMax, { _ in 0 }) {
            let needed = try await offer(part, at: position, to: id)
            guard known.has(part, needed: needed) else {
                throw VaultError(
                    .unavailable,
                    "The server was started anew and lost a part of '\(known.intent.name)': save it again.",
                    name: known.intent.name, isRetryable: true)
            }
            position += UInt64(part.count)
        }
        known.toldAgain(as: id)
    }

    package func abort(_ upload: UploadID) async {
        guard let known = uploads.withLock({ $0.removeValue(forKey: upload) }) else { return }
        var message = WireClientMessage()
        message.abort.upload = known.remote.wire
        // Who was cancelled does not wait any more; the server hears of it all the same.
        if Task.isCancelled { return session.post(message) }
        _ = try? await session.perform(message)
    }

    package func save(_ saves: [SmallSave]) async throws(VaultError) -> [Result<SaveOutcome, VaultError>] {
        var results: [Result<SaveOutcome, VaultError>] = []
        results.reserveCapacity(saves.count)
        for batch in saves.batches(bytesMax: Limits.batchBytesMax, countMax: Limits.batchFilesMax, \.wireBytes) {
            let change = UniqueID()
            let answer = try await ask(on: .content, content: batch.compactMap(\.chunk?.bytes)) { message in
                message.saveSmall.change = change.wire
                message.saveSmall.files = batch.map { save in
                    var file = WireSmallFile()
                    file.intent = WireIntent(save.intent)
                    file.length = UInt32(save.chunk?.bytes.count ?? 0)
                    return file
                }
            }
            let outcomes = try reading { () throws(WireViolation) in try answer.smallSaved.model }
            guard outcomes.count == batch.count else {
                throw VaultError(WireViolation("an answer to other files than were saved"))
            }
            results += outcomes
        }
        return results
    }

    private func upload(_ id: UploadID) throws(VaultError) -> RemoteUpload {
        guard let upload = uploads.withLock({ $0[id] }) else {
            throw VaultError(.notFound, "There is no such upload.")
        }
        return upload
    }
}

extension SmallSave {
    /// Bytes that the save takes on the wire, content and intent, where the intent must not fill a message.
    fileprivate var wireBytes: Int {
        let tags = intent.tags.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        return (chunk?.bytes.count ?? 0) + 8 * (intent.name.bytes.count + tags)
    }
}

extension Array {
    /// The elements in batches, none of more bytes or elements than allowed, but of one element at least.
    func batches(bytesMax: Int, countMax: Int, _ bytes: (Element) -> Int) -> [ArraySlice<Element>] {
        var batches: [ArraySlice<Element>] = []
        var start = startIndex
        var total = 0
        for index in indices {
            let size = bytes(self[index])
            if index > start, total + size > bytesMax || index - start == countMax {
                batches.append(self[start..<index])
                (start, total) = (index, 0)
            }
            total += size
        }
        if start < endIndex { batches.append(self[start...]) }
        return batches
    }
}
