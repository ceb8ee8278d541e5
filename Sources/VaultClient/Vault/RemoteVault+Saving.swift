import FoundationEssentials
import Synchronization
package import VaultModel
import VaultWire

extension RemoteVault {
    package func beginUpload(_ intent: SaveIntent) async throws(VaultError) -> UploadID {
        let id = UploadID(UniqueID())
        uploads.withLock { $0[id] = 0 }
        do {
            _ = try await ask { message in
                message.save.upload = id.value.wire
                message.save.intent = WireIntent(intent)
            }
        } catch {
            uploads.withLock { $0[id] = nil }
            throw error
        }
        return id
    }

    package func offer(_ chunks: [ChunkReference], to upload: UploadID) async throws(VaultError) -> [Bool] {
        var needed: [Bool] = []
        for start in stride(from: 0, to: chunks.count, by: WireLimits.chunksMax) {
            let part = chunks[start..<min(start + WireLimits.chunksMax, chunks.count)]
            let position = try offered(by: upload)
            let answer = try await ask { message in
                message.offer.upload = upload.value.wire
                message.offer.position = position
                message.offer.chunks = WireChunkList(part)
            }
            needed += try reading { () throws(WireViolation) in try answer.need.model(count: part.count) }
            uploads.withLock { $0[upload] = position + UInt64(part.count) }
        }
        return needed
    }

    package func put(_ chunks: [Chunk], to upload: UploadID) async throws(VaultError) {
        _ = try offered(by: upload)
        for batch in chunks.batches(bytesMax: Limits.bufferBytes, countMax: WireLimits.chunksMax, \.bytes.count) {
            _ = try await ask(on: .content, content: batch.map(\.bytes)) { message in
                message.put.upload = upload.value.wire
                message.put.chunks = WireChunkList(batch.map(\.reference))
            }
        }
    }

    package func commit(_ upload: UploadID, content: Content) async throws(VaultError) -> SaveOutcome? {
        _ = try offered(by: upload)
        let change = UniqueID()
        let answer = try await ask { message in
            message.commit.upload = upload.value.wire
            message.commit.content = WireContent(content)
            message.commit.change = change.wire
        }
        _ = uploads.withLock { $0.removeValue(forKey: upload) }
        if answer.saved.again { return nil }
        return try reading { () throws(WireViolation) in try answer.saved.outcome.model }
    }

    package func abort(_ upload: UploadID) async {
        guard uploads.withLock({ $0.removeValue(forKey: upload) }) != nil else { return }
        var message = WireClientMessage()
        message.abort.upload = upload.value.wire
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

    private func offered(by upload: UploadID) throws(VaultError) -> UInt64 {
        guard let position = uploads.withLock({ $0[upload] }) else {
            throw VaultError(.notFound, "There is no such upload.")
        }
        return position
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
