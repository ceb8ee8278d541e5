import Foundation
import TestSupport
import Testing

@Suite struct CommandTests {
    @Test func savesReadsAndLists() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("a.txt", "hello")
        try sandbox.write("b.txt", "other")
        let saved = try await sandbox.succeed("save", "a.txt", "b.txt", "--as", "docs/", "--tag", "k=v=w")
        #expect(saved.output == "docs/a.txt  version 1  5 B  5 B new\ndocs/b.txt  version 1  5 B  5 B new\n")
        let again = try await sandbox.succeed("save", "a.txt", "--as", "docs/a.txt", "--tag", "k=v=w")
        #expect(again.output == "docs/a.txt  version 1, unchanged  5 B  0 B new\n")
        #expect(try await sandbox.succeed("save", "-q", "a.txt").output == "")
        #expect(try await sandbox.succeed("list").output == "a.txt\ndocs/a.txt\ndocs/b.txt\n")
        #expect(try await sandbox.succeed("list", "docs").lines.count == 2)
        #expect(try await sandbox.succeed("list", "docs/").lines.count == 2)
        #expect(try await sandbox.run("list", "doc").status == 3)
        let long = try await sandbox.succeed("list", "--long", "docs/a.txt").lines[0].split(separator: "\t")
        #expect(
            long.count == 5 && long[0].hasPrefix("-rw") && long[1] == "5" && long[3] == "v1" && long[4] == "docs/a.txt")
        #expect(long[2].hasSuffix("Z") && long[2].count == 20)
        try await sandbox.succeed("read", "docs/a.txt")
        #expect(sandbox.read("a.txt") == Array("hello".utf8))
        #expect(try await sandbox.run("read", "docs/b.txt", "out/").status == 3)
        try sandbox.makeDirectory(Array("out".utf8))
        let read = try await sandbox.succeed("read", "docs/b.txt", "out/")
        #expect(read.output == "" && sandbox.read("out/b.txt") == Array("other".utf8))
        #expect(try await sandbox.succeed("stat", "docs/a.txt").output.contains("tags\tk=v=w\n"))
    }

    @Test func keepsEveryVersionUntilToldOtherwise() async throws {
        let sandbox = try Sandbox()
        for text in ["one", "two", "three"] {
            try sandbox.write("f", text)
            try await sandbox.succeed("save", "f")
        }
        #expect(try await sandbox.succeed("history", "f").lines.count == 3)
        #expect(try await sandbox.succeed("read", "f", "-", "--version", "2").output == "two")
        #expect(try await sandbox.succeed("stat", "f", "--version", "1", "--json").objects[0]["size"] as? Int == 3)
        try await sandbox.succeed("revert", "f", "1")
        #expect(try await sandbox.succeed("read", "f", "-").output == "one")
        try await sandbox.succeed("rename", "f", "g/h")
        try await sandbox.succeed("copy", "g", "c")
        #expect(try await sandbox.succeed("history", "g/h").lines.count == 4)
        #expect(try await sandbox.succeed("history", "c/h").lines.count == 1)
        #expect(try await sandbox.succeed("tag", "c/h", "a=b", "n=5").output == "a=b\nn=5\n")
        #expect(try await sandbox.succeed("tag", "c/h", "a=").output == "n=5\n")
        #expect(try await sandbox.succeed("tag", "c/h").output == "n=5\n")
        try await sandbox.succeed("remove", "g", "c/h")
        #expect(try await sandbox.succeed("list").output == "")
        #expect(try await sandbox.succeed("list", "--versions", "g").lines.last?.hasPrefix("x") == true)
        let kept = try await sandbox.succeed("keep", "--last", "2", "--dry-run")
        #expect(kept.output.contains("to forget"))
        try await sandbox.succeed("keep", "--last", "1")
        #expect(try await sandbox.succeed("gc").output.contains("freed"))
        #expect(try await sandbox.succeed("verify").errors.contains("0 damaged, 0 versions affected"))
    }

    @Test func streamsBinaryContent() async throws {
        let sandbox = try Sandbox()
        let bytes = [0, 10, 13, 255, 0xC3, 0x28] + randomBytes(3_000_000, seed: 1) + [0]
        let saved = try await sandbox.succeed("save", "-", "--as", "bin", input: bytes)
        #expect(saved.output.hasPrefix("bin  version 1  2.9 MiB"))
        #expect(try await sandbox.succeed("read", "bin", "-").outputBytes == bytes)
        try await sandbox.succeed("save", "-", "--as", "empty")
        #expect(try await sandbox.succeed("read", "empty", "-").outputBytes == [])
        let piped = try await sandbox.shell("'\(Sandbox.program)' read bin - | head -c 100 | wc -c")
        #expect(piped.output.trimmingCharacters(in: .whitespaces) == "100\n" && piped.errors == "", "\(piped.errors)")
        let full = try await sandbox.shell("'\(Sandbox.program)' read bin - > /dev/full")
        #expect(full.status == 7 && full.errors.contains("No space left"))
        let list = try await sandbox.shell("'\(Sandbox.program)' list > /dev/full")
        #expect(list.status == 1 && list.errors.contains("No space left"))
        let closed = try await sandbox.shell("'\(Sandbox.program)' list >&-")
        #expect(closed.status == 1 && closed.errors.contains("Bad file descriptor"))
    }

    @Test func writesNothingIntoTheVaultInPlaceOfAClosedStream() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("f", randomBytes(300_000, seed: 4))
        let closings = [">&-", "2>&-", "<&-", "<&- >&- 2>&-", ">&- 2>&-"]
        for (index, closing) in closings.enumerated() {
            try await sandbox.shell("'\(Sandbox.program)' save f --as f\(index) \(closing)")
            try await sandbox.shell("'\(Sandbox.program)' push home h\(index) --json \(closing)")
        }
        #expect(try await sandbox.succeed("verify").errors.contains("0 damaged"))
        for index in closings.indices {
            #expect(try await sandbox.succeed("read", "f\(index)", "-").outputBytes == randomBytes(300_000, seed: 4))
        }
    }

    @Test func printsOneObjectALine() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("t/a\n\"\u{1}é.txt", "a")
        try sandbox.write("t/b", "bb")
        let pushed = try await sandbox.succeed("push", "t", "--json")
        #expect(pushed.objects.count == 2 && pushed.lines.count == 2)
        #expect(pushed.objects[0]["name"] as? String == "t/a\n\"\u{1}é.txt")
        #expect(Set(pushed.objects[0].keys) == ["name", "version", "size", "new_bytes", "created"])
        let saved = try await sandbox.succeed("save", "t/b", "--as", "t/b", "--json")
        #expect(saved.objects[0]["created"] as? Bool == false && saved.objects[0]["new_bytes"] as? Int == 0)
        let listed = try await sandbox.succeed("list", "--json")
        #expect(listed.objects.count == 2 && listed.objects[1]["kind"] as? String == "file")
        let versions = try await sandbox.succeed("list", "--json", "--versions")
        #expect(versions.objects.count == 2)
        #expect(try await sandbox.succeed("history", "t/b", "--json").objects.count == 1)
        let pulled = try await sandbox.succeed("pull", "t", "out", "--json")
        #expect(pulled.objects.count == 2)
    }

    @Test func mirrorsTrees() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("t/a.txt", "a")
        try sandbox.write("t/sub/b.tmp", "b")
        try sandbox.write("t/.hidden/c", "c")
        try sandbox.makeDirectory(Array("t/empty".utf8))
        try await sandbox.shell("ln -s /nowhere t/link; mkfifo t/pipe; chmod 640 t/a.txt")
        let dry = try await sandbox.succeed("push", "t", "--dry-run")
        let objects = try await sandbox.succeed("push", "t", "--dry-run", "--json").objects
        #expect(!objects.isEmpty && objects.allSatisfy { $0["would"] as? String == "save" })
        #expect(dry.lines.count == 5 && dry.lines.allSatisfy { $0.hasPrefix("would save ") })
        #expect(try await sandbox.succeed("list").output == "")
        let pushed = try await sandbox.succeed("push", "t")
        #expect(pushed.output == "" && pushed.errors.contains("5 saved, 1 skipped, 0 removed, 0 failed"))
        #expect(pushed.errors.contains("minivault: skipped 't/pipe': it is a socket, a pipe or a device."))
        #expect(try await sandbox.succeed("push", "t", "-q").errors == "")
        try await sandbox.succeed("pull", "t", "out")
        #expect(
            try await sandbox.shell("rm t/pipe; diff -r --no-dereference t out && stat -c %a out/a.txt").output
                == "640\n")
        try await sandbox.succeed("push", "t", "p/q", "--exclude", "*.tmp", "--exclude", ".hidden/")
        #expect(try await sandbox.succeed("list", "p").lines == ["p/q/a.txt", "p/q/empty", "p/q/link", "p/q/sub"])
        try sandbox.write("t/a.txt", "changed")
        try await sandbox.shell("rm -r t/sub; touch t/new")
        let compared = try await sandbox.run("compare", "t")
        #expect(
            compared.status == 8 && compared.lines == ["changed  t/a.txt", "  added  t/new", "removed  t/sub/b.tmp"])
        let refused = try await sandbox.run("push", "t", "--delete", "--max-delete", "0")
        #expect(refused.status == 1 && refused.errors.contains("nothing was removed"))
        #expect(try await sandbox.succeed("push", "t", "--delete").errors.contains("1 removed"))
        try sandbox.write("out/extra", "x")
        #expect(try await sandbox.succeed("pull", "t", "out", "--delete", "--dry-run").output.contains("would remove"))
        try await sandbox.succeed("pull", "t", "out", "--delete")
        #expect(try await sandbox.shell("diff -r --no-dereference t out").status == 0)
        try await sandbox.succeed("pull", "/", "all")
        #expect(sandbox.exists("all/p/q/a.txt") && sandbox.exists("all/t/new"))
    }

    @Test func makesTheEmbeddedVaultOnFirstUse() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("f", "x")
        let nobody: [String: String?] = ["MINIVAULT_VAULT": nil as String?]
        #expect(try await sandbox.succeed("list", environment: nobody).output == "")
        try await sandbox.succeed("save", "f", environment: nobody)
        #expect(sandbox.exists("home/data/minivault/default/catalog.sqlite"))
        try await sandbox.succeed(
            "save", "f", environment: ["MINIVAULT_VAULT": nil as String?, "XDG_DATA_HOME": nil as String?])
        #expect(sandbox.exists("home/.local/share/minivault/default/catalog.sqlite"))
        try sandbox.makeVault("named")
        try await sandbox.succeed("save", "f", "--vault", "named")
        try await sandbox.succeed("--vault", "named", "stat", "f")
        try await sandbox.succeed("--vault=named", "stat", "f")
        #expect(try await sandbox.run("stat", "f").status == 3)
    }

    @Test func triesAllFilesAndEndsWithTheFirstFailure() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("a", "a")
        try sandbox.write("b", "b")
        let outcome = try await sandbox.run("save", "a", "missing", "b")
        #expect(outcome.status == 3 && outcome.lines.count == 2)
        #expect(outcome.errors == "minivault: Cannot look at 'missing': No such file or directory.\n")
        let removed = try await sandbox.run("remove", "a", "missing", "b")
        #expect(removed.status == 3 && removed.errors.hasPrefix("removed a\nminivault: The vault holds nothing"))
        #expect(try await sandbox.succeed("list").output == "")
        #expect(try await sandbox.succeed("history", "a").output.contains("\tremoved\t"))
        try sandbox.write("t/x", "x")
        try sandbox.write("t/y", "y")
        try await sandbox.succeed("save", "a", "--as", "t/x/below")
        let pushed = try await sandbox.run("push", "t")
        #expect(pushed.status == 1 && pushed.errors.contains("1 failed"))
        #expect(try await sandbox.succeed("push", "t", "--on-error", "continue").errors.contains("1 failed"))
        #expect(try await sandbox.succeed("read", "t/y", "-").output == "y")
    }

    @Test func tellsExitCodesApart() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("f", "f")
        try await sandbox.succeed("save", "f")
        let usage: [[Word]] = [
            ["save"], ["save", "."], ["save", "f", "--as", "a", "--tag", "=v"], ["save", "f", "--tag", "v"],
            ["save", "-"],
            ["save", "f", "f", "--as", "x"], ["save", "f", "--if-version", "x"], ["nonsense"], ["list", "a", "b"],
            ["list", "--at", "someday"], ["list", "--at", "1795952460"],
            ["list", "--at", "2026-02-31"], ["list", "--at", "2026-13-01"],
            ["read", "f", "-", "--version", "1", "--at", "@5"], ["verify", "--sample", "0"],
            ["verify", "--sample", "nan"],
            ["keep"], ["keep", "--last", "-1"], ["keep", "--within", "soon"], ["push", "t", "--on-error", "stop"],
            ["push", "t", "--max-delete", "-1"], ["run"], ["--nonsense"], ["stat", "f", "--vault"], ["--vault"],
        ]
        for words in usage {
            let outcome = try await sandbox.start(words).end()
            let line = words.map { String(decoding: $0.bytes, as: UTF8.self) }
            #expect(outcome.status == 2, "\(line): \(outcome.errors)")
            #expect(outcome.output == "" && outcome.errors != "", "\(line)")
        }
        #expect(try await sandbox.run("save", ".").errors.contains("use push to save a tree"))
        let missing: [[Word]] = [
            ["read", "none"], ["stat", "none"], ["history", "none"], ["remove", "none"], ["rename", "none", "x"],
            ["copy", "none", "x"], ["revert", "f", "9"], ["tag", "none", "a=b"], ["pull", "none", "out"],
            ["push", "none"], ["list", "--vault", "none"], ["stat", "f", "--version", "7"],
            ["stat", "f", "--at", "@0"],
        ]
        for words in missing {
            let outcome = try await sandbox.start(words).end()
            #expect(
                outcome.status == 3, "\(words.map { String(decoding: $0.bytes, as: UTF8.self) }): \(outcome.errors)")
        }
        try sandbox.write("tree/x", "x")
        try await sandbox.succeed("push", "tree")
        for command in ["stat", "read"] as [Word] {
            #expect(try await sandbox.run(command, "tree").errors.contains("has names below it"))
        }
        let failing: [[Word]] = [
            ["save", "f", "--as", "f/below"], ["save", "f", "--if-version", "9"], ["copy", "f", "f"], ["stat", "a//b"],
            ["list", "--vault", "home/.."], ["run", "missing.lua"],
        ]
        for words in failing {
            let outcome = try await sandbox.start(words).end()
            #expect(
                outcome.status == 1, "\(words.map { String(decoding: $0.bytes, as: UTF8.self) }): \(outcome.errors)")
        }
        #expect(try await sandbox.run("list", "--vault", "minivault://host/v").status == 4)
        #expect(
            try await sandbox.run("login", "minivault://127.0.0.1:1", "--accept-new").status == 5)
    }

    @Test func helps() async throws {
        let sandbox = try Sandbox()
        for words: [Word] in [[], ["help"], ["--help"], ["-h"]] {
            let outcome = try await sandbox.start(words).end()
            #expect(outcome.status == 0 && outcome.output.contains("SUBCOMMANDS:") && outcome.errors == "")
        }
        let commands = [
            "save", "read", "list", "push", "pull", "stat", "history", "remove", "rename", "copy", "revert", "tag",
            "compare",
            "keep", "gc", "verify", "run",
        ]
        for command in commands {
            for words: [Word] in [["help", Word(command)], [Word(command), "--help"]] {
                let outcome = try await sandbox.start(words).end()
                #expect(outcome.status == 0 && outcome.output.contains("USAGE: minivault \(command)"))
            }
        }
        let version = try await sandbox.succeed("--version")
        #expect(version.output == "0.1.0\n")
        #expect(!sandbox.exists("home/data"))
    }

    @Test func deniesToAnotherUser() async throws {
        guard getuid() == 0 else { return }
        let sandbox = try Sandbox()
        try sandbox.write("f", "f")
        try await sandbox.succeed("save", "f")
        try await sandbox.shell("chmod 755 .; chmod -R go-rwx vault")
        let denied = try await sandbox.shell("setpriv --reuid 65534 --clear-groups '\(Sandbox.program)' list")
        #expect(denied.status == 4, "\(denied.errors)")
        try await sandbox.shell("chmod -R go+rX vault")
        let read = try await sandbox.shell("setpriv --reuid 65534 --clear-groups '\(Sandbox.program)' read f -")
        #expect(read.status == 0 && read.output == "f", "\(read.errors)")
        let saved = try await sandbox.shell("setpriv --reuid 65534 --clear-groups '\(Sandbox.program)' save f")
        #expect(saved.status == 4, "\(saved.errors)")
    }
}
