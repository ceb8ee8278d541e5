import Foundation
import Glibc
import TestSupport
import Testing
import VaultModel
import VaultStore

/// What commands report to programs, and by their exit codes.
@Suite struct ReportTests {
    private let sandbox: Sandbox

    init() throws {
        sandbox = try Sandbox()
        for name in ["a", "b"] { try sandbox.write("t/\(name)", name) }
    }

    private func only(_ outcome: Outcome, sourceLocation: SourceLocation = #_sourceLocation) throws -> [String: Any] {
        #expect(outcome.lines.count == 1, sourceLocation: sourceLocation)
        return try #require(outcome.objects.first, sourceLocation: sourceLocation)
    }

    @Test func differencesAreOneObjectEachAndExitCodeEight() async throws {
        try await sandbox.succeed("push", "t")
        let equal = try await sandbox.succeed("compare", "t", "--json")
        #expect(equal.output == "")
        try sandbox.write("t/a", "changed")
        try sandbox.write("t/c", "new")
        try await sandbox.shell("rm t/b")
        let different = try await sandbox.run("compare", "t", "--json")
        #expect(different.status == 8 && different.errors == "")
        #expect(
            different.objects.map { $0 as? [String: String] } == [
                ["name": "t/a", "change": "changed"], ["name": "t/b", "change": "removed"],
                ["name": "t/c", "change": "added"],
            ])
        #expect(try await sandbox.run("compare", "t").status == 8)
    }

    @Test(.enabled(if: geteuid() == 0)) func whatCannotBeReadCountsMoreThanADifference() async throws {
        try await sandbox.succeed("push", "t")
        try await sandbox.shell("chmod 000 t/a; echo new > t/c; chmod 755 . home; chmod -R go+rX vault")
        let failed = try await sandbox.shell(
            "setpriv --reuid 65534 --clear-groups '\(Sandbox.program)' compare t --checksum")
        #expect(failed.status == 4 && failed.output.contains("added  t/c"), "\(failed.errors)")
    }

    @Test func keepAndGcTellCounts() async throws {
        for text in ["one", "two", "three"] {
            try sandbox.write("f", text)
            try await sandbox.succeed("save", "f")
        }
        let dry = try only(try await sandbox.succeed("keep", "--last", "1", "--dry-run", "--json"))
        #expect(dry["dropped"] as? Int == 2 && dry["kept"] as? Int == 1 && dry["dry_run"] as? Bool == true)
        let kept = try only(try await sandbox.succeed("keep", "--last", "1", "--json"))
        #expect(kept["dropped"] as? Int == 2 && kept["forgotten"] as? Int == 0 && kept["dry_run"] as? Bool == false)
        let collected = try only(try await sandbox.succeed("gc", "--json"))
        #expect(collected["removed_chunks"] as? Int == 2 && collected["freed_bytes"] is Int)
        #expect(collected["kept_bytes"] is Int && collected["changed_packs"] is Int && collected["retained"] is [Any])
    }

    @Test func gcTellsWhatUnfinishedUploadsKeep() async throws {
        let vault = try await StoredVault.open(LocalPath(sandbox.vault.value), access: .create, savedBy: "anna")
        let upload = try await vault.beginUpload(
            SaveIntent(name: Name("big"), attributes: Attributes(mode: 0o644, modified: 1)))
        let bytes = randomBytes(300_000, seed: 8)
        let chunk = Chunk(digest: Digest(of: bytes), bytes: BufferSlice(copying: bytes))
        _ = try await vault.offer([chunk.reference], to: upload)
        try await vault.put([chunk], to: upload)
        await vault.abort(upload)
        await vault.close()
        let report = try only(try await sandbox.succeed("gc", "--json"))
        let retained = try #require(report["retained"] as? [[String: Any]])
        let uploads = try #require(retained.first { $0["reason"] as? String == "uploads" }, "\(report)")
        #expect(uploads["count"] as? Int == 1 && (uploads["bytes"] as? Int ?? 0) > 300_000)
        let end = try #require(uploads["ends_at"] as? Int) - Int(Date().timeIntervalSince1970)
        #expect((86_000...86_400).contains(end))
        let text = try await sandbox.succeed("gc").output
        #expect(text.contains("of 1 unfinished upload until ") && text.contains("'save' or 'push'"))
        let told = try await sandbox.script("for _, r in ipairs(vault.gc().retained) do print(r.reason, r.ends_at) end")
        #expect(told.output.contains("uploads\t"))
    }

    @Test func verifyTellsCountsAndDamage() async throws {
        try await sandbox.succeed("push", "t")
        let clean = try only(try await sandbox.succeed("verify", "--json"))
        #expect(clean["clean"] as? Bool == true && clean["checked_chunks"] as? Int == 2)
        #expect((clean["damaged"] as? [Any])?.isEmpty == true && clean["rebuilt"] is NSNull)
        try await sandbox.shell("rm vault/catalog.sqlite*")
        let rebuilt = try only(try await sandbox.succeed("verify", "--repair", "--json"))
        #expect((rebuilt["rebuilt"] as? [String: Any])?["groups"] is Int)
        try await sandbox.shell("chmod u+w vault/packs/*/*; truncate -s 70 vault/packs/*/*")
        let damaged = try await sandbox.run("verify", "--json")
        let report = try only(damaged)
        #expect(damaged.status == 6 && report["clean"] as? Bool == false)
        let names = (report["damaged"] as? [[String: Any]])?.compactMap { $0["name"] as? String }
        #expect(names?.sorted() == ["t/a", "t/b"])
    }

    @Test func statusTellsOfTheVault() async throws {
        try await sandbox.succeed("push", "t")
        let local = try only(try await sandbox.succeed("status", "--json"))
        #expect(local["vault"] as? String == sandbox.path + "/vault" && local["quota"] is NSNull)
        #expect((local["stored_bytes"] as? Int ?? 0) > 0)
        let server = try await sandbox.serve()
        defer { server.kill() }
        let remote = try only(try await sandbox.succeed("status", "--json"))
        #expect(remote["user"] as? String == "anna" && remote["vault"] as? String == "anna")
        #expect(remote["server"] as? String == "127.0.0.1:\(server.port)" && remote["stored_bytes"] as? Int == 0)
        #expect((remote["grants"] as? [String])?.count == 1 && (remote["hooks"] as? [Any])?.isEmpty == true)
    }

    @Test func theDevicesOfAUserAreOneObjectEach() async throws {
        let server = try await sandbox.serve()
        defer { server.kill() }
        let key = try only(try await sandbox.succeed("user", "keys", "anna", "--json", "--data", "data"))
        #expect((key["fingerprint"] as? String)?.hasPrefix("SHA256:") == true && key["enrolled_at"] is Int)
        #expect(key["label"] is String)
    }
}
