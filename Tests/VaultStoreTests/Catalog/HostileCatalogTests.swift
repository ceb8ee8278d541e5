import Foundation
import Glibc
import Testing
import VaultModel

@testable import VaultStore

/// Vaults that come from somebody else: what is in a catalog may be anything.
@Suite struct HostileCatalogTests {
    /// Runs statements on the catalog of a closed vault.
    private func change(_ directory: LocalPath, _ statements: [String]) async throws {
        let catalog = try await SQLiteCatalog(directory.appending("catalog.sqlite"), files: SystemFiles())
        try await catalog.write { database in
            for statement in statements { _ = try Query(database, statement).first() }
        }
        await catalog.close()
    }

    private func makeVault(_ directory: LocalPath) async throws {
        try await withVault(directory) { vault in
            try await vault.save("x/a", sample(1), tags: ["k": "v"])
            try await vault.save("x/a", sample(2))
            try await vault.save("x/b", sample(3))
            try await vault.upload("x/large", sample(4, count: 2000))
            try await vault.rename("x/b", "x/c")
            let upload = try await vault.beginUpload(try intent("u"))
            _ = try await vault.send(sample(5), to: upload)
            await vault.abort(upload)
        }
    }

    /// Uses the vault in every way, and expects nothing but that each ends, with an error of the vault at worst.
    private func use(_ directory: LocalPath, _ comment: Comment) async throws {
        let vault: StoredVault
        do {
            vault = try await StoredVault.open(directory, savedBy: "anna", clock: { 1_000_000 })
        } catch {
            #expect(error.code == .integrity, comment)
            return
        }
        let uses: [@Sendable () async throws -> Void] = [
            { _ = try await vault.entries(ListQuery(includesVersions: true)) },
            { _ = try await vault.entries(ListQuery(selector: .time(1))) },
            { _ = try await vault.stat(try name("x/a"), .current) },
            { _ = try await vault.stat(try name("x/a"), .version(1)) },
            { _ = try await vault.history(try name("x/a")) },
            { _ = try await vault.read("x/a") },
            { _ = try await vault.read("x/large") },
            { try await vault.save("x/a", sample(9)) },
            { try await vault.upload("x/new", sample(10, count: 1000)) },
            { try await vault.rename("x/a", "x/d") },
            { try await vault.change(.copy(from: try name("x"), to: try name("y"))) },
            { _ = try await vault.keep(last: 1) },
            { _ = try await vault.collect() },
            { _ = try await vault.verify(VerifyRequest()) },
            { _ = try await vault.usage() },
            { _ = try await vault.audit(limit: 10) },
            { try await vault.remove("x") },
        ]
        for (index, use) in uses.enumerated() {
            do {
                try await use()
            } catch {
                #expect(error is VaultError, "\(comment) at \(index): \(error)")
            }
        }
        await vault.close()
    }

    @Test(arguments: [
        (
            "entry",
            ["version", "sequence", "since", "size", "depth", "chunker", "kind", "mode", "modified", "saved_at"]
        ),
        ("version", ["until", "version", "sequence", "size", "depth", "kind", "mode", "saved_at"]),
        (
            "vault",
            ["sequence", "stored_bytes", "pending_bytes", "journal_bytes", "epoch", "quota", "chunker", "setbacks"]
        ),
        ("chunk", ["pack", "offset", "length", "pending"]), ("pack", ["number", "length"]),
        ("former_name", ["since", "until", "object"]), ("retired_name", ["last_version"]),
        ("journal_group", ["last_sequence", "time", "offset", "length"]), ("upload", ["touched_at", "mark"]),
        ("upload_chunk", ["bytes"]),
    ])
    func noNumberEndsTheProgram(_ table: String, _ columns: [String]) async throws {
        try await withTemporaryDirectory { directory in
            let original = directory.appending("original")
            try await makeVault(original)
            for column in columns {
                for value in [Int64.max, .min] {
                    let copy = directory.appending("copy")
                    try? FileManager.default.removeItem(atPath: copy.text)
                    copyVault(original, to: copy)
                    // A column that must differ in each row is changed in one.
                    let one = "rowid = (SELECT min(rowid) FROM \(table))"
                    let isKey =
                        ["number", "last_sequence"].contains(column) && ["pack", "journal_group"].contains(table)
                    try await change(
                        copy, ["UPDATE \(table) SET \(column) = \(value)" + (isKey ? " WHERE \(one)" : "")])
                    try await use(copy, "\(table).\(column) = \(value)")
                }
            }
        }
    }

    @Test(arguments: [
        "UPDATE entry SET size = 'x'", "UPDATE entry SET size = 1.5", "UPDATE entry SET root = x''",
        "UPDATE entry SET tags = zeroblob(100000)", "UPDATE entry SET tags = x'ffffffffffffffffff'",
        "UPDATE entry SET tags = x'0000'", "UPDATE entry SET saved_by = CAST(x'ff00' AS TEXT)",
        "UPDATE pack SET id = x'00'", "UPDATE chunk SET digest = x'00'",
        "UPDATE journal_group SET digest = x'00'", "UPDATE vault SET quota = 'much'", "DELETE FROM vault",
        "INSERT INTO dropped VALUES (-9223372036854775808, 9223372036854775807, x'00')",
        "INSERT INTO lease VALUES (x'00', -1, 9223372036854775807)",
        "INSERT INTO answer VALUES ('anna', x'00', 0, x'ff')",
        "INSERT INTO audit VALUES (5, 4, 0, 'a', 'b', 'save', NULL, -1)",
        "INSERT INTO outbox VALUES (1, x'00', 'save', '..', NULL, -1, '', '', 0, -1, -1, 0, 0, NULL, NULL)",
    ])
    func noValueEndsTheProgram(_ statement: String) async throws {
        try await withTemporaryDirectory { directory in
            try await makeVault(directory)
            // What no table takes cannot be there.
            try? await change(directory, [statement])
            try await use(directory, "\(statement)")
        }
    }

    @Test(arguments: ["x/../../evil", "../evil", "/evil", "x//evil", "x/./a", "x", "", "x/a\0b", "x/\u{201B}zz"])
    func aNameThatIsNoneIsDamage(_ text: String) async throws {
        try await withTemporaryDirectory { directory in
            try await makeVault(directory.appending("v"))
            let hexadecimal = text.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            try await change(
                directory.appending("v"),
                ["UPDATE entry SET name = CAST(x'\(hexadecimal)' AS TEXT) WHERE name = 'x/a'"])
            let target = directory.appending("a/b")
            try FileManager.default.createDirectory(atPath: target.text, withIntermediateDirectories: true)
            try await withVault(directory.appending("v"), access: .readOnly) { vault in
                // A name of no bytes is before all that are listed.
                if text != "x", !text.isEmpty {
                    #expect(await code { _ = try await vault.entries() } == .integrity)
                }
                _ = try? await Pull(from: vault, options: TreeOptions()).run(.all, target)
                _ = try? await Pull(from: vault, options: TreeOptions()).run(try NamePrefix("x"), target)
            }
            #expect(try DirectoryListing(directory.appending("a")).names == [Array("b".utf8)])
            #expect(Set(try DirectoryListing(directory).names) == [Array("a".utf8), Array("v".utf8)])
        }
    }

    /// A few nodes make a file of 2^60 bytes, each of which is the same.
    @Test func nodesThatNameTheSameOnesAreWalkedOnce() async throws {
        try await withTemporaryDirectory { directory in
            let chunk = Chunk(digest: Digest(of: [1]), bytes: BufferSlice(copying: [1]))
            var reference = chunk.reference
            var records = [PackRecord(kind: .chunk, digest: chunk.digest, bytes: chunk.bytes)]
            for level in 1...5 as ClosedRange<UInt8> {
                let references = Array(repeating: reference, count: ListNode.referencesMax)
                let node = ListNode(level: level, references: references)
                let bytes = node.encoded
                reference = ChunkReference(digest: Digest(of: bytes), span: node.span)
                records.append(
                    PackRecord(kind: .listNode, digest: reference.digest, bytes: BufferSlice(copying: bytes)))
            }
            try await withVault(directory) { vault in
                try await vault.save("x", [1])
                let appended = try await vault.packs.append(records)
                let received = zip(records, appended.locations).map {
                    ReceivedChunk(digest: $0.digest, location: $1, hold: appended.hold)
                }
                _ = try await vault.catalog.record(
                    UnrecordedChunks(received: received), of: UploadID(UniqueID()), by: "", at: 1, mark: nil)
            }
            let root = reference.digest.description
            try await change(
                directory, ["UPDATE entry SET depth = 5, size = \(reference.span), root = x'\(root)'"])
            try await withVault(directory) { vault in
                #expect(try await vault.verify(VerifyRequest(prefix: try NamePrefix("x"))).isClean)
                let read = try await vault.openRead(try name("x"), .current)
                #expect(try await vault.layout(read.id, from: 1 << 59, count: 1).map(\.position) == [1 << 59])
                await vault.closeRead(read.id)
            }
        }
    }

    /// What is no text is behind all texts, so that every page would begin with it.
    @Test(arguments: ["x'6b'", "CAST(x'6bff' AS TEXT)"])
    func aKeyThatIsNoTextDoesNotKeepAMigrationFromItsEnd(_ key: String) async throws {
        try await withTemporaryDirectory { directory in
            let source = directory.appending("a")
            try await withVault(source) { vault in _ = try await vault.store([1], as: "k", ifVersion: 0) }
            try await change(source, ["UPDATE hook_value SET key = \(key)"])
            await expect(.integrity) {
                try await withVault(source) { vault in
                    try await withVault(directory.appending("b")) { copy in
                        _ = try await VaultMigration(from: vault, to: copy).run()
                    }
                }
            }
        }
    }

    @Test func aNameThatIsNoTextIsDamage() async throws {
        try await withTemporaryDirectory { directory in
            try await makeVault(directory)
            try await change(directory, ["UPDATE entry SET name = CAST(name AS BLOB)"])
            await expect(.integrity) { _ = try await withVault(directory) { try await $0.keep(last: 1) } }
        }
    }

    @Test(arguments: [
        ["ALTER TABLE entry RENAME TO kept", "CREATE VIEW entry AS SELECT * FROM kept"],
        [
            "CREATE TRIGGER evil AFTER INSERT ON entry BEGIN DELETE FROM version; END"
        ],
        ["CREATE TABLE more (x)"], ["DROP INDEX journal_group_time"], ["DROP TABLE audit"],
        ["ALTER TABLE entry ADD COLUMN more GENERATED ALWAYS AS (hex(zeroblob(1000000))) VIRTUAL"],
        ["CREATE INDEX entry_more ON entry (abs(size))"],
    ])
    func anotherSchemaIsDamageAndRebuilt(_ statements: [String]) async throws {
        try await withTemporaryDirectory { directory in
            try await makeVault(directory)
            try await change(directory, statements)
            for access in [StoredVault.Access.create, .readWrite, .readOnly] {
                #expect(await code { try await withVault(directory, access: access) { _ in } } == .integrity)
            }
            #expect(try await !VaultRepair(directory).catalogIsSound())
            _ = try await VaultRepair(directory).rebuild()
            try await withVault(directory, access: .readWrite) { vault in
                let (names, bytes) = (try await vault.names(), try await vault.read("x/a"))
                #expect(names == ["x/a", "x/c", "x/large"])
                #expect(bytes == sample(2))
            }
        }
    }

    @Test func aCatalogWithARowThatCannotBeIsNotSound() async throws {
        try await withTemporaryDirectory { directory in
            try await makeVault(directory)
            #expect(try await VaultRepair(directory).catalogIsSound())
            try await change(directory, ["UPDATE version SET size = -1"])
            #expect(try await !VaultRepair(directory).catalogIsSound())
        }
    }

    @Test(arguments: ["", "-wal", "-shm"])
    func aLinkIsNoCatalog(_ suffix: String) async throws {
        try await withTemporaryDirectory { directory in
            let vault = directory.appending("v")
            try await makeVault(vault)
            let file = vault.appending("catalog.sqlite\(suffix)")
            let victim = directory.appending("victim")
            try? FileManager.default.removeItem(atPath: victim.text)
            if suffix.isEmpty {
                try FileManager.default.moveItem(atPath: file.text, toPath: victim.text)
            } else {
                try? FileManager.default.removeItem(atPath: file.text)
                try victim.setContents(sample(1))
            }
            let before = try victim.contents()
            symlink(victim.text, file.text)
            for access in [StoredVault.Access.create, .readWrite, .readOnly] {
                #expect(await code { try await withVault(vault, access: access) { _ in } } == .integrity)
            }
            #expect(try victim.contents() == before)
        }
    }

    @Test func aJournalBesideTheCatalogIsNotPlayedBack() async throws {
        try await withTemporaryDirectory { directory in
            try await makeVault(directory)
            try directory.appending("catalog.sqlite-journal").setContents(sample(1, count: 2000))
            let before = try directory.appending("catalog.sqlite").contents()
            #expect(await code { try await withVault(directory) { _ in } } == .integrity)
            #expect(try directory.appending("catalog.sqlite").contents() == before)
            _ = try await VaultRepair(directory).rebuild()
            #expect(!directory.files().contains { $0.text.hasSuffix("catalog.sqlite-journal") })
            let bytes = try await withVault(directory, access: .readWrite) { try await $0.read("x/a") }
            #expect(bytes == sample(2))
        }
    }

    @Test func nobodyElseCanReadTheCatalogWhateverTheDirectoryAllows() async throws {
        try await withTemporaryDirectory { directory in
            chmod(directory.text, 0o755)
            func modes() throws -> [UInt32] {
                try directory.files().filter { $0.text.contains("catalog.sqlite") }.map { file in
                    try FileStatus(of: file).mode & 0o077
                }
            }
            try await makeVault(directory)
            #expect(try modes().allSatisfy { $0 == 0 })
            for file in directory.files() where file.text.contains("catalog.sqlite") { chmod(file.text, 0o644) }
            try await withVault(directory, access: .readWrite) { vault in
                try await vault.save("z", sample(7))
                #expect(try modes().allSatisfy { $0 == 0 })
            }
        }
    }
}
