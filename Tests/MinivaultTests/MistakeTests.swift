import TestSupport
import Testing

/// Slips that would cost somebody's files, and the sentences that tell what is so.
@Suite struct MistakeTests {
    @Test func twoFilesOfOneLastPartAreNotSavedOverEachOther() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("a/x", "one")
        try sandbox.write("b/x", "two")
        for words: [Word] in [["save", "a/x", "b/x"], ["save", "a/x", "b/x", "--as", "in/"]] {
            let outcome = try await sandbox.start(words).end()
            #expect(outcome.status == 2 && outcome.errors.contains("a/x") && outcome.errors.contains("b/x"))
        }
        #expect(try await sandbox.succeed("list").output == "")
        try await sandbox.succeed("save", "a/x", "./a/x")
        let script = try await sandbox.script(
            """
            vault.save "a/x"
            vault.save "a/x"
            local ok, e = pcall(vault.save, "b/x")
            print(ok, e.code)
            vault.save("b/x", "y")
            """)
        #expect(script.output == "false\tinvalid\n", "\(script.errors)")
        #expect(try await sandbox.succeed("read", "x", "-").output == "one")
    }

    @Test func twoTreesOfOneLastPartAreNotPushedOverEachOther() async throws {
        let sandbox = try Sandbox()
        for user in ["anna", "bert"] { try sandbox.write("\(user)/docs/\(user)", user) }
        let script = try await sandbox.script(
            """
            for _, dir in ipairs(arg) do print(pcall(vault.push, dir, nil, {delete = true})) end
            print(vault.push("bert/docs", "bert").saved)
            """, "anna/docs", "anna/docs", "bert/docs")
        #expect(script.lines.count == 4 && script.lines[2].hasPrefix("false") && script.lines[3] == "1", "\(script)")
        #expect(try await sandbox.succeed("list").output == "bert/bert\ndocs/anna\n")
        // Across runs a line tells it.
        let other = try await sandbox.succeed("push", "bert/docs")
        #expect(other.errors.contains("'docs' was last filled from '") && other.errors.contains("/anna/docs'"))
        #expect(try await !sandbox.succeed("push", "bert/docs").errors.contains("last filled"))
        let back = try await sandbox.script("vault.push 'anna/docs'")
        #expect(back.errors.contains("/bert/docs'") && back.status == 0)
    }

    @Test func aPrefixInsideAnotherIsToldOfToo() async throws {
        let sandbox = try Sandbox()
        for path in ["a/x", "a/docs/z", "b/y"] { try sandbox.write(path, path) }
        try await sandbox.succeed("push", "b", "n/docs")
        let dry = try await sandbox.succeed("push", "a", "n", "--dry-run")
        let above = try await sandbox.succeed("push", "a", "n")
        for push in [dry, above] {
            #expect(push.errors.contains("'n/docs' was last filled from '"), "\(push.errors)")
        }
        #expect(try await !sandbox.succeed("push", "a", "n").errors.contains("last filled"))
        // A part of the tree goes where the tree puts it.
        let part = try await sandbox.succeed("push", "a/docs", "n/docs")
        #expect(part.errors.contains("'n/docs' was last filled from") && !part.errors.contains("'n' was last filled"))
        let other = try await sandbox.succeed("push", "b", "n/docs/deep")
        #expect(other.errors.contains("' was last filled from"), "\(other.errors)")
    }

    @Test func aDryRunOfARemovalTellsTheNames() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("t/a", "a")
        try sandbox.write("t/b/c", "c")
        try await sandbox.succeed("push", "t")
        let dry = try await sandbox.succeed("remove", "--dry-run", "t")
        #expect(dry.output == "would remove t/a\nwould remove t/b/c\n")
        #expect(try await sandbox.succeed("list").lines.count == 2)
        #expect(try await sandbox.run("remove", "--dry-run", "none").status == 3)
        #expect(try await sandbox.run("remove", "--dry-run", "--if-version", "9", "t/a").status == 1)
    }

    @Test func absenceIsExplained() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("t/f", "one")
        try await sandbox.succeed("save", "t/f")
        try sandbox.write("t/f", "two")
        try await sandbox.succeed("save", "t/f")
        try await sandbox.succeed("push", "t")
        for words: [Word] in [["read", "f", "-"], ["read", "f", "out"], ["stat", "f"]] {
            let version = try await sandbox.start(words + ["--version", "9"]).end()
            #expect(version.status == 3 && version.errors.contains("has no version 9"), "\(version.errors)")
            #expect(version.errors.contains("from 1 to 2"))
            let early = try await sandbox.start(words + ["--at", "2001-01-01"]).end()
            #expect(early.status == 3 && early.errors.contains("its first version is of 20"), "\(early.errors)")
        }
        #expect(try await sandbox.run("list", "--at", "2001-01-01").errors.contains("held nothing at 2001-01-01"))
        for words: [Word] in [["list", "t"], ["compare", "t"]] {
            let early = try await sandbox.start(words + ["--at", "2001-01-01"]).end()
            #expect(early.errors.contains("nothing under 't' at 2001-01-01"), "\(early.errors)")
        }
        #expect(try await sandbox.run("stat", "t").errors.contains("has names below it"))
        #expect(try await sandbox.run("history", "t").errors.contains("has names below it"))
        try await sandbox.succeed("remove", "t", "f")
        let removed = try await sandbox.run("history", "t")
        #expect(removed.status == 3 && removed.errors.contains("were removed") && removed.errors.contains("--versions"))
        #expect(try await sandbox.run("read", "f", "-").errors.contains("'f' was removed at 20"))
        #expect(try await sandbox.run("stat", "never").errors.contains("holds nothing under 'never'"))
    }

    @Test func theSampleOfAVerificationHasOneUnit() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("f", "f")
        try await sandbox.succeed("save", "f")
        for share in ["1", "0.5", "100%", "5%", "0.01%"] as [Word] {
            try await sandbox.succeed("verify", "--sample", share)
        }
        for share in ["5", "0", "-1", "101%", "0%", "x", "nan", "%"] as [Word] {
            let outcome = try await sandbox.start([
                Word("verify"), Word("--sample=" + String(decoding: share.bytes, as: UTF8.self)),
            ]).end()
            #expect(outcome.status == 2 && outcome.errors.contains("0.05"), "\(outcome.errors)")
        }
        let script = try await sandbox.script(
            """
            print(vault.verify("", {sample = 1}).checked_chunks, vault.verify("", {sample = "100%"}).checked_chunks)
            print(pcall(vault.verify, "", {sample = 5}))
            """)
        #expect(script.lines[0] == "1\t1" && script.lines[1].contains("5.0"), "\(script)")
    }

    @Test func whatTheProgramsInputGivesIsSavedAndNoLink() async throws {
        let sandbox = try Sandbox()
        let program = Sandbox.program
        try await sandbox.shell("printf dump | '\(program)' save -q /dev/stdin --as d")
        try await sandbox.shell("bash -c \"'\(program)' save -q <(printf dump) --as p\"; printf dump > f")
        try await sandbox.shell("'\(program)' save -q /dev/stdin --as r < f")
        for name in ["d", "p", "r"] as [Word] { #expect(try await sandbox.succeed("read", name, "-").output == "dump") }
    }

    @Test func aServersDataIsNotPutIntoAVault() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("f", "content")
        try await sandbox.succeed("save", "f")
        let vault = Word(sandbox.vault.value)
        for words: [Word] in [["serve", "--listen", "127.0.0.1:0"], ["user", "add-vault", "team"]] {
            let outcome = try await sandbox.start(words + ["--data", vault]).end()
            #expect(outcome.status != 0 && outcome.errors.contains("is a vault"), "\(words): \(outcome.errors)")
        }
    }

    @Test func progressEndsAtItsTotalAlsoWhereThatIsNothing() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("empty", "")
        let script = try await sandbox.script(
            """
            local last
            vault.save("empty", "empty", {progress = function(p) last = p end})
            print(last.done, last.total)
            """)
        #expect(script.output == "0\t0\n", "\(script)")
    }

    @Test func whatIsReadIntoTheProgramsOutputGoesThere() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("f", "content")
        try await sandbox.succeed("save", "f")
        #expect(try await sandbox.succeed("read", "--quiet", "f", "/dev/stdout").output == "content")
        #expect(try await sandbox.shell("readlink /dev/stdout").output == "/proc/self/fd/1\n")
        let both = try await sandbox.shell(
            "(echo a; '\(Sandbox.program)' read -q f /dev/stdout; echo b) > out; cat out")
        #expect(both.output == "a\ncontentb\n", "\(both.errors)")
        #expect(try await sandbox.succeed("read", "f", "/dev/null").output == "")
        #expect(try await sandbox.shell("test -c /dev/null && echo device").output == "device\n")
    }
}
