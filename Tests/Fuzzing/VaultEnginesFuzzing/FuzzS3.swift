import FuzzSupport
import VaultEngines
import VaultModel
import VaultStore

/// Reads what an object store writes, by itself and through the client that asks for it.
func fuzzS3(_ input: [UInt8]) async throws(BrokenInvariant) {
    var choices = Choices(input)
    switch choices.below(3) {
    case 0:
        let text = String(decoding: choices.rest, as: UTF8.self)
        try checkDocument(text)
        try checkTime(text)
    case 1:
        try checkDocument(choices.document())
        try checkTime(choices.time())
    default: try await StoreFuzz.run(choices)
    }
}

private func checkDocument(_ text: String) throws(BrokenInvariant) {
    let document = S3Document(text)
    for element in document.elements("Contents") {
        for name in ["Key", "Size", "LastModified"] { _ = element.first(name) }
    }
    for name in ["IsTruncated", "NextContinuationToken", "UploadId", "Code"] {
        let (first, all) = (document.first(name), document.elements(name))
        try require((first == nil) == all.isEmpty, "an element is there and is not")
    }
}

private func checkTime(_ text: String) throws(BrokenInvariant) {
    for seconds in [S3Time.seconds(iso: text), S3Time.seconds(http: text)] {
        guard let seconds else { continue }
        try require((0..<253_402_300_801).contains(seconds), "a time that no object store writes")
        let stamp = S3Time.stamp(seconds)
        try require(stamp.utf8.count == 16, "a time that cannot be signed")
    }
}

/// A client, and a vault of which the packs are at an object store that answers anything.
enum StoreFuzz {
    static let vault = UniqueID(high: 3, low: 3)
    static let folder = "fuzz/\(vault)/packs/"
    /// All inputs share one store.
    private static let turn = AsyncLock()

    private static let client = Task {
        let port = try await FakeStore.shared.value.port
        let location = try S3Location(
            "s3://bucket/fuzz",
            environment: [
                "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_ENDPOINT_URL": "http://127.0.0.1:\(port)",
            ])
        return try S3Client(location, clock: { 1_369_353_600 })
    }

    static func run(_ choices: Choices) async throws(BrokenInvariant) {
        let broken = await turn.withLock { () async -> BrokenInvariant? in
            var choices = choices
            guard let store = try? await FakeStore.shared.value, let client = try? await client.value else {
                return BrokenInvariant("the object store of this process does not start")
            }
            do {
                try await ask(client, store, &choices)
                return nil
            } catch {
                return error as? BrokenInvariant
            }
        }
        if let broken { throw broken }
    }

    /// - Throws: also the errors of the vault, which may be.
    private static func ask(_ client: S3Client, _ store: FakeStore, _ choices: inout Choices) async throws {
        let answers = (0..<choices.below(6)).map { _ in choices.answer() }
        let packs = S3PackStore(client, vault: vault)
        let kind = choices.below(7)
        if kind < 5 { store.answer(answers) }
        switch kind {
        case 0:
            let listed = try await packs.list()
            var sum: UInt64 = 0
            for status in listed.values {
                let (next, isBeyond) = sum.addingReportingOverflow(status.length)
                try require(!isBeyond, "the lengths of packs cannot be added")
                sum = next
            }
        case 1:
            let buffer = Buffer(byteCount: 1 + choices.below(1000))
            let count = try await packs.read(
                PackID(UniqueID(high: 1, low: 1)), at: UInt64(choices.below(1 << 20)), into: buffer.memory)
            try require((0...buffer.capacity).contains(count), "more is read than there is room for")
        case 2: _ = try await packs.append([record("one"), record("two")])
        case 3:
            let body = S3Body([BufferSlice(copying: choices.someBytes(60))])
            try await S3MultipartUpload(client, key: "fuzz/multipart").store(body)
        case 4: try await client.look()
        default: try await useVault(packs, store, answers, &choices)
        }
    }

    /// Uses a vault whose catalog is honest, and whose packs are not.
    private static func useVault(
        _ packs: S3PackStore, _ store: FakeStore, _ answers: [FakeStore.Answer], _ choices: inout Choices
    ) async throws {
        let scratch = ScratchDirectory()
        let catalog = try await SQLiteCatalog(
            scratch.path.appending("catalog.sqlite"), files: SystemFiles(), creating: vault)
        let vault = StoredVault(vault, catalog: catalog, packs: packs, place: "there", clock: { 1_369_353_600 })
        store.answer([FakeStore.Answer](repeating: FakeStore.Answer(200, [("etag", "x")], []), count: 4))
        let name = try Name("a")
        let chunk = Chunk(digest: Digest(of: Array("saved".utf8)), bytes: BufferSlice(copying: Array("saved".utf8)))
        let attributes = Attributes(mode: 0o644, modified: 1)
        _ = try? await vault.save([SmallSave(intent: SaveIntent(name: name, attributes: attributes), chunk: chunk)])
        store.answer(answers)
        for _ in 0...choices.below(2) {
            switch choices.below(4) {
            case 0: _ = try? await vault.collect()
            case 1: _ = try? await vault.verify(VerifyRequest())
            case 2: _ = try? await vault.read([SmallRead(name: name, selector: .current, length: 100)])
            default: try? await vault.checkIdentity()
            }
        }
        await vault.close()
    }

    private static func record(_ text: String) -> PackRecord {
        let bytes = Array(text.utf8)
        return PackRecord(kind: .chunk, digest: Digest(of: bytes), bytes: BufferSlice(copying: bytes))
    }
}
