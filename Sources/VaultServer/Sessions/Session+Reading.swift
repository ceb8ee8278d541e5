import FoundationEssentials
import VaultModel
import VaultStore
import VaultTransport
import VaultWire

extension Session {
    /// The other way round: the intent, then the size and the first chunks, and a small content at once.
    func openRead(_ open: WireOpenRead) async throws -> ServerAnswer {
        let id = try UniqueID(wire: open.read)
        let name = try Name(open.name)
        try require(.read, "read", on: name)
        let read: SessionRead
        if let known = self.read(id) {
            // What was opened under another name is not read under this one.
            guard known.entry.name == name else { throw WireViolation("an id of a read for another name") }
            read = known
        } else {
            let staged = open.selector.isOfEvent ? cause?.staged : nil
            try await staged?.staging?.finish()
            if let answer = staged?.answer { return answer }
            let opened =
                if let staged {
                    try await vault.local.openStaged(staged)
                } else if open.selector.isOfEvent, let source = cause?.source {
                    try await vault.local.openRead(source.name, .version(source.version))
                } else {
                    try await vault.local.openRead(name, open.selector.isOfEvent ? eventSelector : open.selector.model)
                }
            var entry = opened.entry
            // A hook knows content that is to get another name under that one.
            if open.selector.isOfEvent, cause?.source != nil { entry.name = name }
            do {
                read = SessionRead(
                    id: opened.id, entry: entry, share: try memory.open(ServerLimits.openBytes + entry.memoryBytes))
                if let refusal = await refusals(ofReading: [opened.entry])[0] { throw refusal }
                try add(read, as: id)
            } catch {
                await vault.local.closeRead(opened.id)
                throw error
            }
        }
        await tellReads(of: [read.entry])
        let first = try await vault.local.layout(read.id, from: 0, count: Session.firstChunks)
        var answer = WireServerMessage()
        answer.readReady.entry = WireEntry(read.entry)
        answer.readReady.first = WireChunkList(first.map(\.reference))
        if let tokens, read.entry.version > 0 {
            let pass = SharedTokens.Pass(
                user: user, vault: vault.id, name: read.entry.name, content: read.entry.content)
            answer.readReady.pass = Data(tokens.pass(pass, now: vault.local.now))
        }
        guard first.count == 1, read.entry.size <= UInt64(Limits.smallFileBytesMax) else { return ServerAnswer(answer) }
        answer.readReady.contentFollows = true
        let share = try await memory.answers.share(waitingFor: first[0].length)
        let chunks = try await vault.local.fetch(first, of: read.id, verifying: false)
        return ServerAnswer(answer, content: chunks.map(\.bytes), share: share)
    }

    /// The state in which a hook's event has left its name.
    private var eventSelector: VaultModel.Selector {
        guard let version = cause?.contentVersion, version > 0 else { return .current }
        return .version(version)
    }

    private static let firstChunks = 64

    func layout(_ layout: WireLayout) async throws -> ServerAnswer {
        let read = try await openRead(layout.read, layout.pass)
        let count = max(1, min(Int(layout.count), WireLimits.chunksMax))
        let placed = try await vault.local.layout(read.id, from: layout.position, count: count)
        return ServerAnswer { answer in
            answer.placed.position = placed.first?.position ?? 0
            answer.placed.chunks = WireChunkList(placed.map(\.reference))
        }
    }

    func fetch(_ fetch: WireFetch) async throws -> ServerAnswer {
        let read = try await openRead(fetch.read, fetch.pass)
        guard fetch.positions.count <= WireLimits.chunksMax else {
            throw WireViolation("a fetch of too many chunks")
        }
        // A fetch is for what fits one buffer; the share is taken before anything is read.
        let share = try await memory.answers.share(waitingFor: Limits.bufferBytes)
        let chunks = try await vault.local.fetch(
            positions: fetch.positions, of: read.id, verifying: fetch.verify)
        var answer = WireServerMessage()
        answer.fetchReady.chunks = WireChunkList(chunks.map(\.reference))
        return ServerAnswer(answer, content: chunks.map(\.bytes), share: share)
    }

    /// Small contents, each with its entry, in one answer.
    func readSmall(_ read: WireReadSmall) async throws -> ServerAnswer {
        guard read.files.count <= WireLimits.batchMax else { throw WireViolation("too many files at once") }
        let bytes = read.files.reduce(0) { $0 + Int($1.length) }
        guard bytes <= WireLimits.contentBytesMax else { throw WireViolation("too much content at once") }
        let share = try await memory.answers.share(waitingFor: bytes)
        var refused: [Int: VaultError] = [:]
        var reads: [SmallRead] = []
        for (index, file) in read.files.enumerated() {
            do throws(VaultError) {
                let model = try file.model
                try require(.read, "read", on: model.name)
                reads.append(model)
            } catch {
                refused[index] = error
            }
        }
        var found = try await vault.local.read(reads, verifying: false)[...]
        var results = read.files.indices.map { index in
            refused[index].map { .failure($0) } ?? found.removeFirst()
        }
        if vault.hooks != nil {
            let places = results.indices.filter { (try? results[$0].get()) != nil }
            let entries = places.compactMap { (try? results[$0].get())?.entry }
            for (place, refusal) in zip(places, await refusals(ofReading: entries)) {
                if let refusal { results[place] = .failure(refusal) }
            }
            await tellReads(of: results.compactMap { (try? $0.get())?.entry })
        }
        var answer = WireServerMessage()
        answer.smallReady = WireSmallReady(results)
        let content = results.compactMap { try? $0.get().chunk?.bytes }
        return ServerAnswer(answer, content: content, share: share)
    }

    func closeRead(_ close: WireCloseRead) async throws -> ServerAnswer {
        if let read = removeRead(try UniqueID(wire: close.read)) { await vault.local.closeRead(read.id) }
        return ServerAnswer(.done)
    }

    /// - Parameter pass: by which a read is known that another server has opened; empty for none.
    /// - Throws: `unavailable` for a read that the session does not know, or no longer; `denied` where the
    ///   right to it has been taken away meanwhile.
    private func openRead(_ id: Data, _ pass: Data) async throws -> SessionRead {
        let id = try UniqueID(wire: id)
        var found = self.read(id)
        if found == nil {
            // Several fetches come at once.
            found = try await takingOver.withLock { () async throws(VaultError) in
                if let known = self.read(id) { return known }
                return try await self.takeOver(id, Array(pass))
            }
        }
        guard let read = found else { throw VaultError(.internal, "An open read was lost.") }
        try require(.read, "read", on: read.entry.name)
        return read
    }

    /// Opens what another server has opened, whose hooks have let it pass and have been told.
    private func takeOver(_ id: UniqueID, _ token: [UInt8]) async throws(VaultError) -> SessionRead {
        guard let pass = tokens?.pass(opening: token, now: vault.local.now), pass.user == user, pass.vault == vault.id
        else {
            throw VaultError(.unavailable, "The server knows nothing of this read any more.", isRetryable: true)
        }
        try require(.read, "read", on: pass.name)
        let opened = try await vault.local.open(pass.content, as: pass.name)
        let read: SessionRead
        do {
            let share = try memory.open(ServerLimits.openBytes + opened.entry.memoryBytes)
            read = SessionRead(id: opened.id, entry: opened.entry, share: share)
            if let closed = try addTakenOver(read, as: id) { await vault.local.closeRead(closed.id) }
        } catch {
            await vault.local.closeRead(opened.id)
            throw error
        }
        return read
    }
}

extension StagedSave {
    /// The answer that has the whole content of a small save; nil where it is longer.
    fileprivate var answer: ServerAnswer? {
        guard let bytes else { return nil }
        var answer = WireServerMessage()
        answer.readReady.entry = WireEntry(
            Entry(
                name: intent.name, kind: intent.kind, content: content, version: 0, sequence: 0,
                attributes: intent.attributes, savedAt: 0, savedBy: "", tags: intent.tags))
        if content.size > 0 {
            answer.readReady.first = WireChunkList([ChunkReference(digest: content.root, span: content.size)])
        }
        answer.readReady.contentFollows = content.size > 0
        return ServerAnswer(answer, content: content.size > 0 ? [bytes] : [])
    }
}
