import Foundation
import TestSupport
import Testing

/// Patterns, tags, options and the environment, for names of any bytes.
@Suite struct BytesTests {
    private func names(_ sandbox: Sandbox, _ prefix: String) async throws -> [String] {
        try await sandbox.succeed("list", "\(prefix)").lines
    }

    private func tree(_ sandbox: Sandbox) throws {
        try sandbox.write(Array("t/caf".utf8) + [0xE9] + Array(".tmp".utf8), [1])
        try sandbox.write("t/‛quoted‛.tmp", [2])
        try sandbox.write("t/plain", [3])
    }

    @Test func patternsMatchBytes() async throws {
        let sandbox = try Sandbox()
        try tree(sandbox)
        let latin = Array("caf".utf8) + [0xE9]
        try await sandbox.succeed(
            "push", "t", "p", "--exclude", Word(latin + Array(".tmp".utf8)), "--exclude", "‛*‛.tmp")
        #expect(try await names(sandbox, "p") == ["p/plain"])
        try await sandbox.succeed("push", "t", "q", "--include", Word(latin + Array("*".utf8)))
        #expect(try await names(sandbox, "q") == ["q/caf‛E9.tmp"])
        try await sandbox.succeed("push", "t", "r", "--include", "caf?.tmp", "--include", "[‛]quoted*")
        #expect(try await names(sandbox, "r") == ["r/caf‛E9.tmp"])
    }

    @Test func aPatternThatMatchesNothingIsTold() async throws {
        let sandbox = try Sandbox()
        for name in ["t/build/x", "t/src/build/y", "t/top"] { try sandbox.write(name, [1]) }
        let pushed = try await sandbox.succeed(
            "push", "t", "--exclude", "./build", "--exclude", "./buil", "--include", "top", "--include", [0xFF, 0x2F])
        #expect(pushed.errors.contains("minivault: the pattern './buil' matched nothing.\n"))
        #expect(pushed.errors.contains("minivault: the pattern '‛FF/' matched nothing.\n"))
        #expect(pushed.errors.components(separatedBy: "matched nothing").count == 3)
        #expect(try await names(sandbox, "t") == ["t/top"])
        try await sandbox.succeed("push", "t", "all", "--exclude", "./build/")
        #expect(try await names(sandbox, "all") == ["all/src/build/y", "all/top"])
        let pulled = try await sandbox.succeed("pull", "all", "out", "--exclude", "/buildd")
        #expect(pulled.errors.contains("minivault: the pattern '/buildd' matched nothing.\n"))
        #expect(try await sandbox.succeed("push", "t", "--exclude", "none", "--quiet").errors.isEmpty)
    }

    @Test(arguments: ["../x", "a/./b", ".", "", "/", "PATH/t/build", "!PATH/t"])
    func aPatternThatCanMatchNothingIsRefused(pattern: String) async throws {
        let sandbox = try Sandbox()
        try sandbox.write("t/build/x", [1])
        let pattern = pattern.replacingOccurrences(of: "PATH", with: sandbox.path)
        for words in [["push", "t", "p"], ["pull", "p", "t"]] as [[Word]] {
            try await sandbox.succeed("push", "t", "p")
            let outcome = try await sandbox.start(words + ["--exclude", Word(pattern)]).end()
            #expect(outcome.status == 1 && outcome.errors.contains("pattern"), "\(outcome.errors)")
        }
    }

    @Test func aPrefixThatHoldsNothingIsTold() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("t/a", [1])
        try await sandbox.succeed("push", "t")
        for words in [
            ["list", "nosuch"], ["list", "--json", "t/b"], ["keep", "nosuch", "--last", "1"], ["verify", "nosuch"],
            ["remove", "nosuch"], ["pull", "nosuch", "out"],
        ] as [[Word]] {
            let outcome = try await sandbox.start(words).end()
            #expect(outcome.status == 3 && outcome.output.isEmpty, "\(words)")
            #expect(outcome.errors.contains("The vault holds nothing under '"), "\(outcome.errors)")
            #expect(outcome.errors.split(separator: "\n").count == 1)
        }
        let compared = try await sandbox.run("compare", "t", "nosuch")
        #expect(compared.status == 8 && compared.output == "  added  nosuch/a\n")
        #expect(compared.errors == "minivault: The vault holds nothing under 'nosuch'.\n")
        // What was removed has versions, which can be listed and forgotten.
        try await sandbox.succeed("remove", "t/a")
        #expect(try await sandbox.run("list", "t").status == 3)
        #expect(try await sandbox.succeed("list").output.isEmpty)
        #expect(try await sandbox.succeed("list", "t", "--versions").lines.count == 2)
        #expect(try await sandbox.run("verify", "t").status == 3)
        try await sandbox.succeed("keep", "t", "--last", "5")
    }

    @Test func tagsAreAsTyped() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("f", [1])
        try await sandbox.succeed(
            "save", "f", "--tag", "‛k=‛v‛", "--tag", "\u{E9}=1", "--tag", "e\u{301}=2")
        let output = try await sandbox.succeed("stat", "f").output
        #expect(Array(output.utf8).firstRange(of: "tags\te\u{301}=2 \u{E9}=1 ‛k=‛v‛\n".utf8) != nil, "\(output)")
        try await sandbox.succeed("tag", "f", "e\u{301}=")
        let tagged = try await sandbox.succeed("tag", "f").outputBytes
        #expect(tagged == Array("\u{E9}=1\n‛k=‛v‛\n".utf8))
        for word in [Word(Array("k=".utf8) + [0xE9]), Word([0xE9] + Array("=v".utf8))] {
            let outcome = try await sandbox.run("save", "f", "--tag", word)
            #expect(outcome.status == 1 && outcome.errors.contains("UTF-8"), "\(outcome.errors)")
        }
    }

    @Test func dryRunsTellPathsApart() async throws {
        let sandbox = try Sandbox()
        for name in [[0xE9], Array("‛E9".utf8), Array("a\nb".utf8)] as [[UInt8]] {
            try sandbox.write(Array("t/".utf8) + name, [1])
        }
        let dry = try await sandbox.succeed("push", "t", "p", "--dry-run")
        #expect(
            dry.lines == ["would save t/a\\nb as p/a‛0Ab", "would save t/‛E9 as p/‛E9", "would save t/‛‛E9 as p/‛‛E9"])
        let paths = try await sandbox.succeed("push", "t", "p", "--dry-run", "--json").objects.map {
            $0["path"] as? String
        }
        #expect(paths == ["t/a\nb", "t/‛E9", "t/‛‛E9"])
        try await sandbox.succeed("push", "t", "p")
        try await sandbox.succeed("remove", "p/‛E9", "p/‛‛E9")
        let removals = try await sandbox.succeed("pull", "p", "t", "--delete", "--dry-run", "--json").objects
        #expect(removals.map { $0["path"] as? String } == ["t/‛E9", "t/‛‛E9"])
    }

    @Test func vaultsAreWhereTheEnvironmentSays() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("f", [1])
        for name in [#"v\xe9"#, #"v\xe2\x80\x9bE9"#, #"v\xe2\x80\x9b\xe2\x80\x9b"#, #"v\xff\xe2\x80\x9b"#] {
            let outcome = try await sandbox.shell(
                """
                mkdir -p w && export MINIVAULT_VAULT=$PWD/w/$'\(name)' && '\(Sandbox.program)' init --quiet &&
                  '\(Sandbox.program)' save f --quiet && test -d w/$'\(name)' &&
                  '\(Sandbox.program)' list --vault w/$'\(name)' && ls w | wc -l && rm -r w
                """)
            #expect(outcome.output == "f\n1\n", "\(name) \(outcome.errors)")
        }
        let password = try await sandbox.shell(
            "MINIVAULT_PASSWORD=$'p\\xe9ssword' '\(Sandbox.program)' user add anna --data d")
        #expect(
            password.status == 1 && password.errors.contains("MINIVAULT_PASSWORD is not UTF-8"), "\(password.errors)")
    }

    @Test func chunksOfThePromptAreAsTyped() async throws {
        let sandbox = try Sandbox()
        #expect(try await sandbox.succeed("repl", "-e", "print(#'‛')").output == "3\n")
        #expect(try await sandbox.run("repl", "-e", [0x27, 0xFF, 0x27]).status == 1)
    }

    /// The data directory, the temporary one and a program that hooks may start, with names of any bytes.
    @Test func hooksRunWhereverTheirFilesAre() async throws {
        let sandbox = try Sandbox()
        try sandbox.write(
            "hooks.lua", "vault.on('before_save', function(event) print(vault.exec({'./\\xff‛'}).stdout) end)")
        try sandbox.write([0xFF] + Array("‛".utf8), Array("#!/bin/sh\necho started".utf8))
        try sandbox.write("f", [1])
        let outcome = try await sandbox.shell(
            """
            chmod +x $'\\xff\\xe2\\x80\\x9b' && mkdir $'tmp\\xe9' && export TMPDIR=$PWD/$'tmp\\xe9' &&
            '\(Sandbox.program)' hook test hooks.lua --event before_save f --hooks-exec $'./\\xff\\xe2\\x80\\x9b' && ls $'tmp\\xe9'
            """)
        #expect(outcome.status == 0 && outcome.output.contains("started"), "\(outcome.output) \(outcome.errors)")
        #expect(outcome.lines.last?.contains("accepted") == true)
    }
}
