import FoundationEssentials
import Synchronization
package import VaultModel
import VaultWire

/// An open read as the client knows it.
struct RemoteRead: Sendable {
    /// Under which id the server knows it now: another one after the server was started anew.
    var remote: UniqueID
    var entry: Entry
    /// The first chunks, which came along when the read was opened.
    var first: [ChunkReference]
    /// By which other servers of the vault know of it; empty where there are none.
    var pass: Data
    /// The whole content, where it came along too.
    var content: Chunk?
}

extension RemoteVault {
    package func openRead(_ name: Name, _ selector: Selector) async throws(VaultError) -> OpenRead {
        try await openRead(name, WireSelector(selector))
    }

    /// Opens the content that the event of a hook's vault is about.
    func openEvent(_ name: Name) async throws(VaultError) -> OpenRead {
        var selector = WireSelector()
        selector.ofEvent = true
        return try await openRead(name, selector)
    }

    private func openRead(_ name: Name, _ selector: WireSelector) async throws(VaultError) -> OpenRead {
        let id = ReadID(UniqueID())
        var tries = 0
        while true {
            do throws(VaultError) {
                let read = try await open(name, selector, as: id.value)
                reads.withLock { $0[id] = read }
                return OpenRead(id: id, entry: read.entry)
            } catch {
                // The connection was cut in the middle of a small content.
                guard error.code == .unavailable, error.isRetryable, tries < ClientLimits.fetchTriesMax else {
                    throw error
                }
                tries += 1
            }
        }
    }

    private func open(_ name: Name, _ selector: WireSelector, as id: UniqueID) async throws(VaultError) -> RemoteRead {
        var message = WireClientMessage()
        message.openRead.read = id.wire
        message.openRead.name = Data(name.bytes)
        message.openRead.selector = selector
        let answer = try await session.perform(message, on: .control)
        let ready = answer.message.readReady
        var read = try reading { () throws(WireViolation) in
            RemoteRead(
                remote: id, entry: try ready.entry.model, first: try ready.first.model, pass: ready.pass)
        }
        guard read.entry.name == name, read.entry.kind != .removed else {
            throw VaultError(WireViolation("an entry that was not asked for"))
        }
        guard read.first.reduce(0, { $0 + $1.span }) <= read.entry.size else {
            throw VaultError(WireViolation("more chunks than the content has room for"))
        }
        if answer.content != nil {
            read.content = try await chunks(of: answer, expecting: read.first).first
        }
        return read
    }

    package func layout(_ read: ReadID, from position: UInt64, count: Int) async throws(VaultError) -> [PlacedChunk] {
        let known = try self.read(read)
        let first = placed(known.first, from: 0).drop { $0.end <= position }
        if !first.isEmpty { return Array(first.prefix(count)) }
        guard position < known.entry.size else { return [] }
        let answer = try await asking(read) { message, known in
            message.layout.read = known.remote.wire
            message.layout.pass = known.pass
            message.layout.position = position
            message.layout.count = UInt32(clamping: min(count, WireLimits.chunksMax))
        }
        let chunks = try reading { () throws(WireViolation) in try answer.message.placed.model }
        // Who reads on from the position relies on it.
        guard let begin = chunks.first, let last = chunks.last, begin.position <= position, position < begin.end,
            last.end <= known.entry.size
        else { throw VaultError(WireViolation("chunks of another place than was asked for")) }
        return chunks
    }

    private func placed(_ chunks: [ChunkReference], from start: UInt64) -> [PlacedChunk] {
        var position = start
        return chunks.map { chunk in
            defer { position += chunk.span }
            return PlacedChunk(position: position, reference: chunk)
        }
    }

    package func fetch(_ chunks: [PlacedChunk], of read: ReadID) async throws(VaultError) -> [Chunk] {
        let known = try self.read(read)
        if let content = known.content, chunks.count == 1, chunks[0].reference == content.reference { return [content] }
        let start = ContinuousClock.now
        try await bandwidth?.take(chunks.reduce(0) { $0 + $1.length })
        // The server does not read everything twice: where a chunk is damaged, it is asked to look, and say so.
        var isVerified = false
        var tries = 0
        while true {
            let answer = try await asking(read) { message, known in
                message.fetch.read = known.remote.wire
                message.fetch.pass = known.pass
                message.fetch.positions = chunks.map(\.position)
                message.fetch.verify = isVerified
            }
            do throws(VaultError) {
                let fetched = try await self.chunks(of: answer, expecting: chunks.map(\.reference))
                pace.note(chunks.reduce(0) { $0 + $1.length }, in: ContinuousClock.now - start)
                return fetched
            } catch {
                switch error.code {
                case .integrity where !isVerified: isVerified = true
                case .unavailable where error.isRetryable && tries < ClientLimits.fetchTriesMax: tries += 1
                default: throw error
                }
            }
        }
    }

    package func read(_ reads: [SmallRead]) async throws(VaultError) -> [Result<SmallContent, VaultError>] {
        var results: [Result<SmallContent, VaultError>] = []
        results.reserveCapacity(reads.count)
        for batch in reads.batches(bytesMax: Limits.batchBytesMax, countMax: Limits.batchFilesMax, \.wireBytes) {
            try await bandwidth?.take(batch.reduce(0) { $0 + $1.length })
            var tries = 0
            while true {
                do throws(VaultError) {
                    results += try await readBatch(Array(batch))
                    break
                } catch {
                    // The connection was cut in the middle of the contents.
                    guard error.code == .unavailable, error.isRetryable, tries < ClientLimits.fetchTriesMax else {
                        throw error
                    }
                    tries += 1
                }
            }
        }
        return results
    }

    private func readBatch(_ reads: [SmallRead]) async throws(VaultError) -> [Result<SmallContent, VaultError>] {
        var message = WireClientMessage()
        message.readSmall.files = reads.map { WireSmallName($0) }
        let answer = try await session.perform(message, on: .content)
        let found = try reading { () throws(WireViolation) in try answer.message.smallReady.model }
        guard found.count == reads.count else {
            throw VaultError(WireViolation("an answer to other files than were read"))
        }
        let received: Result<[SmallContent?], VaultError> = await withTaskCancellationHandler {
            do throws(VaultError) {
                var contents: [SmallContent?] = []
                for (read, result) in zip(reads, found) {
                    guard let entry = try? result.get() else {
                        contents.append(nil)
                        continue
                    }
                    guard entry.name == read.name, entry.size <= UInt64(read.length) else {
                        throw VaultError(WireViolation("an entry that was not asked for"))
                    }
                    contents.append(try await small(entry, answer.content))
                }
                return .success(contents)
            } catch {
                answer.giveUp()
                return .failure(error)
            }
        } onCancel: {
            answer.giveUp()
        }
        var results: [Result<SmallContent, VaultError>] = []
        for ((read, result), content) in zip(zip(reads, found), try received.get()) {
            switch (result, content) {
            case (.failure(let error), _): results.append(.failure(error))
            case (.success, let content?): results.append(.success(content))
            case (.success, nil): results.append(await readDamaged(read))
            }
        }
        return results
    }

    /// - Returns: nil where the content is not what its digest says.
    private func small(_ entry: Entry, _ content: ContentReceiver?) async throws(VaultError) -> SmallContent? {
        if entry.size == 0 { return entry.content == .empty ? SmallContent(entry: entry, chunk: nil) : nil }
        guard let bytes = try await content?.next() else {
            throw VaultError(WireViolation("less content than was asked for"))
        }
        let chunk = Chunk(digest: bytes.withUnsafeBytes { Digest(of: $0) }, bytes: bytes)
        return Content(chunk.reference) == entry.content ? SmallContent(entry: entry, chunk: chunk) : nil
    }

    /// The server does not read everything twice: it is asked to look at what arrived damaged, and to say so.
    private func readDamaged(_ read: SmallRead) async -> Result<SmallContent, VaultError> {
        do throws(VaultError) {
            let content = try await readAlone(read) { (chunk, id) throws(VaultError) in
                try await self.fetch([chunk], of: id)
            }
            return .success(content)
        } catch {
            return .failure(error)
        }
    }

    package func closeRead(_ read: ReadID) async {
        guard let known = reads.withLock({ $0.removeValue(forKey: read) }) else { return }
        var message = WireClientMessage()
        message.closeRead.read = known.remote.wire
        session.post(message)
    }

    /// Asks about an open read, opening it again where the server has forgotten it.
    private func asking(
        _ read: ReadID, _ fill: (inout WireClientMessage, RemoteRead) -> Void
    ) async throws(VaultError) -> ClientAnswer {
        var isRepeated = false
        while true {
            let known = try self.read(read)
            var message = WireClientMessage()
            fill(&message, known)
            do throws(VaultError) {
                return try await session.perform(message, on: .content)
            } catch {
                guard error.code == .unavailable, error.isRetryable, !isRepeated else { throw error }
                isRepeated = true
                // By its version, so that the content stays the same.
                let again = try await open(
                    known.entry.name, WireSelector(.version(known.entry.version)), as: UniqueID())
                guard again.entry.content == known.entry.content else {
                    throw VaultError(
                        .conflict, "'\(known.entry.name)' was replaced while it was read.", name: known.entry.name)
                }
                reads.withLock { reads in
                    reads[read]?.remote = again.remote
                    reads[read]?.pass = again.pass
                }
            }
        }
    }

    /// The verified chunks behind an answer, hashed while more of them arrive.
    private func chunks(
        of answer: ClientAnswer, expecting references: [ChunkReference]
    ) async throws(VaultError) -> [Chunk] {
        guard let content = answer.content else { throw VaultError(WireViolation("an answer without its content")) }
        let result: Result<[Chunk], VaultError> = await withTaskCancellationHandler {
            do throws(VaultError) {
                var chunks: [Chunk] = []
                for reference in references {
                    guard let bytes = try await content.next() else {
                        throw VaultError(WireViolation("less content than was asked for"))
                    }
                    guard bytes.count == Int(reference.span),
                        bytes.withUnsafeBytes({ Digest(of: $0) }) == reference.digest
                    else {
                        throw VaultError(.integrity, "A chunk arrived with other bytes than its digest says.")
                    }
                    chunks.append(Chunk(digest: reference.digest, bytes: bytes))
                }
                return .success(chunks)
            } catch {
                answer.giveUp()
                return .failure(error)
            }
        } onCancel: {
            answer.giveUp()
        }
        return try result.get()
    }

    private func read(_ id: ReadID) throws(VaultError) -> RemoteRead {
        guard let read = reads.withLock({ $0[id] }) else { throw VaultError(.notFound, "There is no such open read.") }
        return read
    }
}

extension SmallRead {
    /// Bytes that the read takes on the wire, either way, where the names must not fill a message.
    fileprivate var wireBytes: Int { length + 8 * name.bytes.count }
}
