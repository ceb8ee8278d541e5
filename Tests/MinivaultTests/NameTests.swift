import Foundation
import Testing

/// Names of any bytes, on the command line and in trees.
@Suite struct NameTests {
    static let names: [[UInt8]] = [
        Array("a\nb".utf8), Array("tab\tand \u{1B}[31mred".utf8), [0xFF, 0xFE, 0x41], Array("x".utf8) + [0xC3],
        Array("caf\u{E9}".utf8), Array("cafe\u{301}".utf8), Array("\u{301}".utf8), Array(repeating: 0x79, count: 255),
        Array(String(repeating: "é", count: 127).utf8), Array("‛".utf8), Array("‛FF".utf8), Array("‛".utf8) + [0xFF],
        Array("  ".utf8), Array("back\\slash".utf8), Array("quote\"'".utf8), Array("*?[x]".utf8), Array("-".utf8),
        Array("--help".utf8), Array("...".utf8), Array("\u{202E}rtl".utf8), [0x80], [0x01], [0x7F],
    ]

    /// The name as a word of the command line: an escape character that is no escape is doubled.
    private func word(_ prefix: String, _ name: [UInt8]) -> Word {
        guard let text = String(validating: name, as: UTF8.self) else { return Word(Array(prefix.utf8) + name) }
        return Word(prefix + text.replacingOccurrences(of: "‛", with: "‛‛"))
    }

    @Test func passThroughTreesUnchanged() async throws {
        let sandbox = try Sandbox()
        for (index, name) in Self.names.enumerated() {
            try sandbox.write(Array("t/".utf8) + name, Array("content \(index)".utf8))
            try sandbox.write(Array("t/d".utf8) + name.prefix(250) + Array("/".utf8) + name, [UInt8(index)])
        }
        let pushed = try await sandbox.succeed("push", "t", "--json")
        #expect(pushed.objects.count == 2 * Self.names.count)
        #expect(try await sandbox.succeed("list", "--json").objects.count == 2 * Self.names.count)
        #expect(try await sandbox.succeed("list").lines.count == 2 * Self.names.count)
        let listed = try await sandbox.succeed("list").outputBytes
        #expect(!listed.contains { $0 < 0x20 && $0 != 0x0A || $0 == 0x7F })
        try await sandbox.succeed("pull", "t", "out")
        for (index, name) in Self.names.enumerated() {
            #expect(sandbox.read(Array("out/".utf8) + name) == Array("content \(index)".utf8))
        }
        #expect(try await sandbox.shell("diff -r t out").status == 0)
        #expect(try await sandbox.succeed("push", "out", "t", "--checksum").errors.contains("0 failed; 0 B"))
    }

    @Test func areTakenFromTheCommandLine() async throws {
        let sandbox = try Sandbox()
        for (index, name) in Self.names.enumerated() {
            try sandbox.write(Array("t/".utf8) + name, Array("content \(index)".utf8))
            let path = Word(Array("t/".utf8) + name)
            let saved = try await sandbox.succeed("save", path, "--as", word("p/", name))
            #expect(saved.lines.count == 1)
            try await sandbox.succeed("save", path, "--as", "q/")
            let content = "content \(index)"
            #expect(try await sandbox.succeed("read", word("p/", name), "-").output == content)
            try await sandbox.succeed("read", word("q/", name), Word(Array("out".utf8) + name.prefix(252)))
            #expect(sandbox.read(Array("out".utf8) + name.prefix(252)) == Array(content.utf8))
            #expect(try await sandbox.succeed("stat", word("p/", name)).output.contains("size\t\(content.utf8.count)"))
        }
        #expect(try await sandbox.succeed("list", "--json", "p").objects.count == Self.names.count)
        #expect(try await sandbox.succeed("list", "--json", "q").objects.count == Self.names.count)
        let tagged = try await sandbox.succeed("tag", "p/\u{301}", "k=\u{301}v", "é=NFC")
        #expect(tagged.output == "k=\u{301}v\né=NFC\n")
        #expect(
            try await sandbox.run("save", "t/\u{301}", "--as", Word(Array(repeating: 0x79, count: 256))).status == 1)
    }

    @Test func reachScriptsAsTheirBytes() async throws {
        let sandbox = try Sandbox()
        for name in Self.names {
            let path = Array("t/".utf8) + name
            try sandbox.write(path, [0x78])
            let hexadecimal = path.map { String(format: "%02x", $0) }.joined()
            let outcome = try await sandbox.script(
                """
                local function hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
                assert(hex(arg[1]) == "\(hexadecimal)", hex(arg[1]))
                assert(hex((...)) == "\(hexadecimal)")
                assert(vault.save(arg[1], "s/").size == 1)
                vault.read(vault.save(arg[1]).name, arg[1] .. ".out")
                """.replacingOccurrences(of: ".out\"", with: name.count > 250 ? "\"" : ".out\""), Word(path))
            #expect(outcome.status == 0, "\(outcome.errors)")
        }
        try sandbox.write([0xFF, 0x2E, 0x6C, 0x75, 0x61], Array("assert(arg[0] == '\\xff.lua') print 'ran'".utf8))
        #expect(try await sandbox.succeed("run", [0xFF, 0x2E, 0x6C, 0x75, 0x61]).output == "ran\n")
        try await sandbox.succeed("init", [0xFF, 0x76])
        #expect(
            try await sandbox.succeed("run", "--vault", [0xFF, 0x76], [0xFF, 0x2E, 0x6C, 0x75, 0x61]).output == "ran\n")
    }
}
