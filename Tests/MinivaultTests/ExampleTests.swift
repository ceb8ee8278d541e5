import Foundation
import Testing

@Suite struct ExampleTests {
    private let examples = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("examples").path

    @Test func backupSavesTreesAndForgetsOldVersions() async throws {
        let sandbox = try Sandbox()
        let backup = Word(examples + "/backup.lua")
        for name in ["docs/a.txt", "docs/b.tmp", "docs/.cache/c", "docs/sub/d~", "docs/sub/e", "photos/p.jpg"] {
            try sandbox.write(name, name)
        }
        // A file that has just been written is saved again: it might still change within one tick of its clock.
        try await sandbox.shell("find docs photos -exec touch -h -d '1 hour ago' {} +; sleep 2.1")
        let first = try await sandbox.succeed("run", backup, "docs/", "photos")
        #expect(first.lines[0].hasPrefix("docs: 2 saved, 0 unchanged, 0 removed; 0.0 MB, 0.0 MB of it new"))
        #expect(first.lines[1].hasPrefix("photos: 1 saved") && first.errors == "")
        #expect(try await sandbox.succeed("list").lines == ["docs/a.txt", "docs/sub/e", "photos/p.jpg"])
        let second = try await sandbox.succeed("run", backup, "docs", "./photos")
        #expect(
            second.lines[0].hasPrefix("docs: 0 saved, 2 unchanged")
                && second.lines[1].hasPrefix("photos: 0 saved, 1 unch"))
        #expect(try await sandbox.succeed("list", "--versions").lines.count == 3)
        for text in ["1", "2", "3", "4", "5"] {
            try sandbox.write("docs/a.txt", text)
            try await sandbox.succeed("run", backup, "docs")
        }
        // 'within = 2d' keeps all of today's.
        #expect(try await sandbox.succeed("history", "docs/a.txt").lines.count == 6)
        try await sandbox.shell("rm docs/sub/e")
        #expect(try await sandbox.succeed("run", backup, "docs").output.contains("1 removed"))
        #expect(try await sandbox.succeed("read", "docs/sub/e", "-", "--version", "1").output == "docs/sub/e")
    }

    @Test func backupEndsWithAFailureWhateverFailed() async throws {
        let sandbox = try Sandbox()
        let backup = Word(examples + "/backup.lua")
        try sandbox.write("ok/f", "f")
        try sandbox.write("twice/ok/f", "f")
        try sandbox.write("block", "x")
        try sandbox.write("bad/x", "x")
        let missing = try await sandbox.run("run", backup, "missing", "ok")
        #expect(missing.status == 1 && missing.output.hasPrefix("ok: 1 saved"))
        #expect(missing.errors.contains("failed: missing: ") && missing.errors.hasSuffix("1 failed\n"))
        #expect(try await sandbox.run("run", backup).status == 2)
        #expect(
            try await sandbox.run("run", backup, "ok", "twice/ok").errors.contains("would both be saved under 'ok'"))
        #expect(try await sandbox.run("run", backup, "/").status == 1)
        #expect(try await sandbox.run("run", backup, "ok/..").status == 1)
        try await sandbox.succeed("save", "block", "--as", "bad")
        let partly = try await sandbox.run("run", backup, "bad", "ok")
        #expect(partly.status == 1 && partly.output.hasPrefix("bad: 0 saved"), "\(partly.output)")
        #expect(partly.errors.hasPrefix("failed: bad/x: ") && partly.errors.hasSuffix("1 failed\n"), "\(partly.errors)")
    }

    @Test func restoreBringsBackNowAndThen() async throws {
        let sandbox = try Sandbox()
        let restore = Word(examples + "/restore.lua")
        try sandbox.write("t/f", "one")
        try sandbox.write("t/sub/g", "gone later")
        try await sandbox.succeed("push", "t")
        let time = try #require(try await sandbox.succeed("stat", "t/sub/g", "--json").objects[0]["saved_at"] as? Int)
        try await sandbox.shell("while [ $(date +%s) -le \(time) ]; do sleep 0.05; done")
        try sandbox.write("t/f", "two")
        try await sandbox.shell("rm -r t/sub")
        try await sandbox.succeed("push", "t", "--delete")
        let now = try await sandbox.succeed("run", restore, "t", "now")
        #expect(now.output == "1 files written, 0 were there already\nall files are as in the vault\n")
        #expect(sandbox.read("now/f") == Array("two".utf8) && !sandbox.exists("now/sub/g"))
        let then = try await sandbox.succeed("run", restore, "t", "then", "@\(time)")
        #expect(then.output.hasPrefix("2 files written"))
        #expect(sandbox.read("then/f") == Array("one".utf8) && sandbox.read("then/sub/g") == Array("gone later".utf8))
        #expect(try await sandbox.run("run", restore, "t", "x", "1971-01-01").status == 1)
        #expect(try await sandbox.run("run", restore, "t", "x", "soon").status == 1)
        #expect(try await sandbox.run("run", restore, "none", "x").status == 1)
        #expect(try await sandbox.run("run", restore).status == 2)
    }

    @Test func changedTellsWhatChanged() async throws {
        let sandbox = try Sandbox()
        let changed = Word(examples + "/changed.lua")
        for text in ["one", "two"] {
            try sandbox.write("f", text)
            try await sandbox.succeed("save", "f", "--as", "d/f")
        }
        try await sandbox.succeed("save", "f", "--as", "g")
        try await sandbox.succeed("remove", "g")
        let all = try await sandbox.succeed("run", changed, "1h")
        #expect(
            all.lines.map { $0.split(separator: "\t").dropFirst().joined(separator: " ") } == [
                "new     d/f v1", "changed d/f v2", "new     g v1", "removed g v2",
            ])
        #expect(try await sandbox.succeed("run", changed, "7d", "d").lines.count == 2)
        #expect(try await sandbox.succeed("run", changed, "2999-01-01").output == "nothing changed\n")
        #expect(try await sandbox.succeed("run", changed, "2026-01-02 03:04", "d").lines.count == 2)
        #expect(try await sandbox.run("run", changed, "99999999999").status == 1)
        #expect(try await sandbox.run("run", changed).status == 2)
        #expect(try await sandbox.run("run", changed, "soon").status == 1)
    }

    @Test func mirrorKeepsATreeAndGuardsAgainstAnEmptyOne() async throws {
        let sandbox = try Sandbox()
        let mirror = Word(examples + "/mirror.lua")
        for name in ["photos/a.jpg", "photos/b.jpg", "photos/c.jpg", "photos/d.tmp"] { try sandbox.write(name, name) }
        let first = try await sandbox.succeed("run", mirror, "photos", "pics")
        #expect(first.output.hasPrefix("pics: 3 saved, 0 unchanged, 0 removed") && first.lines.count == 1)
        #expect(try await sandbox.succeed("list").lines == ["pics/a.jpg", "pics/b.jpg", "pics/c.jpg"])
        try await sandbox.shell("rm photos/a.jpg")
        #expect(try await sandbox.succeed("run", mirror, "photos", "pics").output.contains(" 1 removed"))
        // What is left looks like a disk that is not mounted.
        try await sandbox.shell("rm photos/*")
        let unmounted = try await sandbox.run("run", mirror, "photos", "pics")
        #expect(unmounted.status == 1 && unmounted.errors.contains("nothing was removed"), "\(unmounted.errors)")
        #expect(try await sandbox.succeed("list").lines.count == 2)
        #expect(try await sandbox.run("run", mirror, "photos").status == 2)
        #expect(try await sandbox.run("run", mirror, "missing", "pics").status == 1)
    }

    @Test func photosAreImportedOnceAndNeverReplaced() async throws {
        let sandbox = try Sandbox()
        let photos = Word(examples + "/photos.lua")
        for (name, text) in [
            ("card/1/IMG_1.JPG", "one"), ("card/2/IMG_1.JPG", "two"), ("card/x.png", "x"), ("card/notes.txt", "n"),
        ] {
            try sandbox.write(name, text)
        }
        try await sandbox.shell("find card -type f -exec touch -d '2026-05-04 12:00 UTC' {} +")
        let first = try await sandbox.succeed("run", photos, "card", "Nikon")
        #expect(first.output.hasPrefix("3 photos imported"), "\(first.output) \(first.errors)")
        let names = try await sandbox.succeed("list").lines
        #expect(
            names == ["photos/2026/05/IMG_1-2.JPG", "photos/2026/05/IMG_1.JPG", "photos/2026/05/x.png"], "\(names)")
        #expect(
            try await sandbox.succeed("run", photos, "card", "Nikon").output.hasPrefix(
                "0 photos imported (0.0 MB), 3 held"))
        #expect(try await sandbox.succeed("stat", "photos/2026/05/x.png").output.contains("source"))
        #expect(try await sandbox.run("run", photos, "card").status == 2)
    }

    @Test func fanoutSavesToAllVaultsThatTakeIt() async throws {
        let sandbox = try Sandbox()
        let fanout = Word(examples + "/fanout.lua")
        try sandbox.write("a b.txt", "a")
        try sandbox.write("c.txt", "c")
        try sandbox.write("file", "in the way")
        for vault in ["v1", "v2", "v3"] { try sandbox.makeVault(vault) }
        let both = try await sandbox.succeed("run", fanout, "v1", "v2", "--", "a b.txt", "c.txt")
        #expect(both.lines.count == 3 && both.errors == "")
        for vault: Word in ["v1", "v2"] {
            #expect(try await sandbox.succeed("list", "--vault", vault).lines == ["a b.txt", "c.txt"])
        }
        let partly = try await sandbox.run("run", fanout, "file", "v3", "--", "c.txt", "missing")
        #expect(partly.status == 1 && partly.errors.contains("file") && partly.errors.contains("missing"))
        #expect(try await sandbox.succeed("list", "--vault", "v3").lines == ["c.txt"])
        #expect(try await sandbox.run("run", fanout, "v1", "c.txt").status == 2)
    }

    @Test func watchSavesWhatHasSettled() async throws {
        let sandbox = try Sandbox()
        let watch = Word(examples + "/watch.lua")
        try sandbox.write("in/a", "one")
        try sandbox.write("in/sub/b", "two")
        let first = try await sandbox.succeed("run", watch, "in", "seen", "1", "2")
        #expect(first.lines.count == 2, "\(first.output) \(first.errors)")
        #expect(try await sandbox.succeed("list").lines == ["seen/a", "seen/sub/b"])
        let again = try await sandbox.succeed("run", watch, "in", "seen", "1", "2")
        #expect(again.output == "")
        #expect(try await sandbox.run("run", watch).status == 2)
        let running = try sandbox.start(["run", watch, "in", "seen", "1"])
        try sandbox.write("in/c", "three")
        try await running.wait { running.outputSize > 0 }
        running.send(SIGINT)
        let ended = try await running.end()
        #expect(ended.status == 130 && ended.errors == "minivault: The script was interrupted.\n", "\(ended.errors)")
        #expect(try await sandbox.succeed("read", "seen/c", "-").output == "three")
    }

    @Test func drillFindsWhatCannotBeRestored() async throws {
        let sandbox = try Sandbox()
        let drill = Word(examples + "/drill.lua")
        for n in 1...20 { try sandbox.write("t/f\(n)", "content \(n)") }
        try await sandbox.succeed("push", "t", "docs")
        try await sandbox.shell("mkdir copies")
        let scratch = ["TMPDIR": sandbox.path + "/copies"]
        let good = try await sandbox.succeed("run", drill, "docs", "7", environment: scratch)
        #expect(good.output.hasPrefix("GOOD: 7 of 20 files tried, 7 are as saved"), "\(good.output)")
        #expect(try await sandbox.run("run", drill, "none").status == 1)
        #expect(try await sandbox.run("run", drill).status == 2)
        // Damage in the middle of the packs.
        try await sandbox.shell(
            "for f in vault/packs/*/*.pack; do printf 'XXXX' | dd of=$f bs=1 seek=200 conv=notrunc 2>/dev/null; done")
        let bad = try await sandbox.run("run", drill, "docs", "20", environment: scratch)
        #expect(try await sandbox.shell("ls copies").output == "")
        #expect(bad.status == 1 && bad.output.hasPrefix("BAD: 20 of 20 files tried"), "\(bad.output) \(bad.errors)")
    }
}
