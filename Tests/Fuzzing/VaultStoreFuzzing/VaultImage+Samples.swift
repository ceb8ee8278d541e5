import FuzzSupport
import Synchronization
import VaultModel
import VaultStore

extension VaultImage {
    /// Vaults that somebody has used, with the catalog's pages in several sizes; made once.
    static let samples = Task {
        guard let used = try? await VaultImage(usedBy: "anna") else { preconditionFailure("no vault can be made") }
        return [used.with("page_size = 512"), used, used.with("page_size = 1024; PRAGMA auto_vacuum = FULL")]
    }

    /// The vault with its catalog written anew, and with a schema that takes values of any type; see ``Tampering``.
    private func with(_ pragmas: String) -> VaultImage {
        let scratch = ScratchDirectory()
        let path = scratch.path.appending(VaultImage.catalogName)
        VaultImage.write(catalog, to: path)
        if let database = RawDatabase(path) {
            database.run("PRAGMA journal_mode = DELETE; PRAGMA \(pragmas); VACUUM")
            database.run("PRAGMA journal_mode = WAL")
            database.close()
        }
        var image = self
        image.catalog = VaultImage(reading: scratch.path).catalog
        return image
    }

    private init(usedBy user: String) async throws {
        let scratch = ScratchDirectory()
        let time = Mutex<Int64>(1_000_000)
        let vault = try await StoredVault.open(
            scratch.path, access: .create, savedBy: user,
            clock: {
                time.withLock {
                    $0 += 1_000
                    return $0
                }
            })
        let bob = Caller(user: "bob", peer: "192.0.2.1", telling: Telling(depth: 0) { _, _ in true })
        let files: [(String, Entry.Kind, String)] = [
            ("x/a", .file, "one"), ("x/b", .file, "two"), ("x/link", .link, "../target"), ("x/empty", .directory, ""),
            ("y", .file, "three"), ("old", .file, "four"),
        ]
        for (name, kind, text) in files {
            let save = try SmallSave(name, text, kind: kind, tags: [TagText("k"): TagText("v")])
            _ = try await vault.save([save], by: bob, change: UniqueID(high: 1, low: UInt64(text.count)))
        }
        _ = try await vault.save([SmallSave("x/a", "five"), SmallSave("x/a", "six")])
        let large = (0..<40).map { Array("a piece of a larger file, number \($0)".utf8) }
        _ = try await vault.saveLarge("x/large", large)
        let changes: [Change] = [
            .rename(from: try Name("x/b"), to: try Name("x/c")), .copy(from: try Name("x"), to: try Name("z")),
            .revert(try Name("x/a"), version: 1), .remove(try NamePrefix("old")),
            .tag(try Name("y"), [TagText("t"): .some(TagText("u"))]),
        ]
        _ = try await vault.change(changes, by: bob, change: UniqueID(high: 2, low: 2))
        _ = try await vault.store(Array("5".utf8), as: "count", ifVersion: 0)
        _ = try await vault.add(2, to: "sum", once: "first")
        _ = try await vault.claimTime("daily")
        try await vault.setQuota(1 << 40)
        let unfinished = try await vault.beginUpload(SaveIntent(name: try Name("u"), attributes: .plain))
        let chunk = Chunk(Array("a chunk of an upload that never ended".utf8))
        _ = try await vault.offer([chunk.reference], to: unfinished)
        try await vault.put([chunk], to: unfinished)
        await vault.abort(unfinished)
        await vault.close()
        self.init(reading: scratch.path)
        // What one process shares with others, and the room that is kept, are no part of a vault that comes by itself.
        self.files.removeAll { $0.path.hasSuffix("-shm") || $0.path.hasSuffix("-wal") || $0.path == "reserve" }
    }
}

extension Attributes {
    static var plain: Attributes { Attributes(mode: 0o644, modified: 1_000_000_000) }
}

extension Chunk {
    init(_ bytes: [UInt8]) { self.init(digest: Digest(of: bytes), bytes: BufferSlice(copying: bytes)) }
}

extension SmallSave {
    init(
        _ name: String, _ text: String, kind: Entry.Kind = .file, tags: [TagText: TagText] = [:]
    ) throws(VaultError) {
        let intent = SaveIntent(name: try Name(name), kind: kind, attributes: .plain, tags: tags)
        self.init(intent: intent, chunk: text.isEmpty ? nil : Chunk(Array(text.utf8)))
    }
}

extension StoredVault {
    /// Saves a content of several chunks.
    func saveLarge(_ name: String, _ pieces: [[UInt8]]) async throws(VaultError) -> SaveOutcome? {
        let upload = try await beginUpload(SaveIntent(name: try Name(name), attributes: .plain))
        let chunks = pieces.map { Chunk($0) }
        var list = ListBuilder()
        for chunk in chunks { list.append(chunk.reference) { _ in } }
        do throws(VaultError) {
            let isNeeded = try await offer(chunks.map(\.reference), to: upload)
            try await put(zip(chunks, isNeeded).filter(\.1).map(\.0), to: upload)
            return try await commit(upload, content: list.finish { _ in })
        } catch {
            await abort(upload)
            throw error
        }
    }
}
