import Testing
import VaultModel

extension Vault {
    /// Saves one small file.
    @discardableResult
    func save(
        _ text: String, _ bytes: [UInt8], kind: Entry.Kind = .file, modified: Int64 = 1, tags: [TagText: TagText] = [:],
        ifVersion: UInt64? = nil
    ) async throws -> SaveOutcome {
        let save = try small(text, bytes, kind: kind, modified: modified, tags: tags, ifVersion: ifVersion)
        return try await self.save([save])[0].get()
    }

    /// Saves one file by an upload, cut into pieces of `chunkSize` bytes, `perSegment` at a time.
    ///
    /// - Returns: nil where a chunk was collected meanwhile.
    @discardableResult
    func upload(
        _ text: String, _ bytes: [UInt8], chunkSize: Int = 100, perSegment: Int = 4, modified: Int64 = 1,
        ifVersion: UInt64? = nil
    ) async throws -> SaveOutcome? {
        let upload = try await beginUpload(try intent(text, modified: modified, ifVersion: ifVersion))
        do {
            let content = try await send(bytes, to: upload, chunkSize: chunkSize, perSegment: perSegment)
            return try await commit(upload, content: content)
        } catch {
            await abort(upload)
            throw error
        }
    }

    /// Offers all and puts what is needed.
    func send(
        _ bytes: [UInt8], to upload: UploadID, chunkSize: Int = 100, perSegment: Int = 4
    ) async throws -> Content {
        let chunks = pieces(of: bytes, chunkSize)
        var list = ListBuilder()
        for start in stride(from: 0, to: chunks.count, by: perSegment) {
            let segment = Array(chunks[start..<min(start + perSegment, chunks.count)])
            let needed = try await offer(segment.map(\.reference), to: upload)
            for chunk in segment { list.append(chunk.reference) { _ in } }
            let missing = zip(segment, needed).filter(\.1).map(\.0)
            if !missing.isEmpty { try await put(missing, to: upload) }
        }
        return list.finish { _ in }
    }

    /// The bytes that a name holds or held.
    func read(_ text: String, _ selector: Selector = .current) async throws -> [UInt8] {
        let read = try await openRead(try Name(text), selector)
        do {
            let bytes = try await bytes(of: read)
            await closeRead(read.id)
            return bytes
        } catch {
            await closeRead(read.id)
            throw error
        }
    }

    func bytes(of read: OpenRead) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        try await Download(from: self).stream(read) { bytes += $0 }
        return bytes
    }

    /// Carries out one change.
    @discardableResult
    func change(_ change: Change) async throws -> ChangeOutcome {
        try await self.change([change])[0].get()
    }

    func remove(_ text: String) async throws {
        try await change(.remove(try NamePrefix(text)))
    }

    func rename(_ from: String, _ to: String) async throws {
        try await change(.rename(from: try Name(from), to: try Name(to)))
    }

    /// All entries of a listing.
    func entries(_ query: ListQuery = ListQuery()) async throws -> [Entry] {
        var stream = EntryStream(self, query)
        var entries: [Entry] = []
        while let entry = try await stream.next() { entries.append(entry) }
        return entries
    }

    func names(_ selector: Selector = .current) async throws -> [String] {
        try await entries(ListQuery(selector: selector)).map(\.name.text)
    }

    /// Keeps the newest versions only.
    @discardableResult
    func keep(last: Int, below prefix: NamePrefix = .all, isDryRun: Bool = false) async throws -> KeepReport {
        var policy = KeepPolicy()
        policy.last = last
        return try await keep(prefix, policy, calendar: .utc, isDryRun: isDryRun)
    }
}

/// Cuts `bytes` into chunks of one size; stores do not care where chunks are cut.
func pieces(of bytes: [UInt8], _ size: Int) -> [Chunk] {
    stride(from: 0, to: bytes.count, by: size).map { chunk(Array(bytes[$0..<min($0 + size, bytes.count)])) }
}

/// The code of the `VaultError` that `body` throws; nil where it throws none.
func code(_ body: () async throws -> Void) async -> VaultError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? VaultError)?.code ?? .internal
    }
}

/// Expects `body` to throw an error of this code.
func expect(
    _ expected: VaultError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async {
    let found = await code(body)
    #expect(found == expected, sourceLocation: sourceLocation)
}
