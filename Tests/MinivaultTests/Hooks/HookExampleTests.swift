import Foundation
import Glibc
import TestSupport
import Testing
import VaultClient
import VaultModel

/// The hooks of `examples/hooks`, with the addresses and limits of the tests.
@Suite struct HookExampleTests {
    /// An example's text with some of it replaced, which must be there.
    private func example(_ name: String, _ changes: [(String, String)] = []) throws -> String {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("examples/hooks/\(name)")
        var text = try String(contentsOf: file, encoding: .utf8)
        for (old, new) in changes {
            #expect(text.contains(old), "\(name) has no \(old)")
            text = text.replacingOccurrences(of: old, with: new)
        }
        return text
    }

    @Test func typesAreToldByContent() async throws {
        let server = try await HookServer(try example("types.lua", [("200 * MB", "1000")]))
        let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0]
        #expect(try await server.save("a.png", png).entry.tags["type"] == "png")
        #expect(try await server.save("notes", Array("Grüße\n".utf8)).entry.tags["type"] == "text")
        #expect(try await server.save("empty", []).entry.tags.isEmpty)
        for (name, bytes, reason) in [
            ("a.jpg", png, "it is called .jpg, but is png"),
            ("b.pdf", Array("text".utf8), "it is called .pdf, but is text"),
            ("program", [0x7F, 0x45, 0x4C, 0x46, 0, 1], "it is neither"),
            ("large", [UInt8](repeating: 65, count: 2000), "are allowed"),
        ] {
            let refusal = await server.refusal(of: name, bytes)
            #expect(refusal?.code == .rejected && refusal?.message.contains(reason) == true, "\(name): \(server.log)")
        }
        await server.end()
    }

    @Test func whatIsInfectedGoesToQuarantine() async throws {
        let scanner = try Sandbox()
        let program = try scanner.write(
            "clamdscan",
            """
            #!/bin/sh
            content=$(cat)
            case $content in
            *INFECTED*) echo "stream: Test-Signature FOUND"; exit 1 ;;
            *BROKEN*) echo "cannot connect" >&2; exit 2 ;;
            esac
            """)
        chmod(program, 0o755)
        let server = try await HookServer(
            try example("virusscan.lua", [("\"clamdscan\"", "\"\(program)\"")]), users: ["security"],
            options: ["--hooks-exec", program])
        #expect(try await server.save("good").entry.tags["scanned"] != nil)
        for (name, bytes) in [
            ("bad", Array("INFECTED".utf8)),
            ("d/large", Array("INFECTED".utf8) + randomBytes(2_000_000, seed: 3).map { $0 | 1 }),
        ] {
            let entry = try await server.save(name, bytes).entry
            #expect(
                entry.name.text == "quarantine/anna/\(name)" && entry.tags["infected"] == "Test-Signature",
                "\(server.log)")
            #expect(try await server.vault.stat(Name(name), .current) == nil)
        }
        #expect(await server.refusal { _ = try await server.text(of: "quarantine/anna/bad") }?.code == .rejected)
        #expect(await server.refusal(of: "unknown", Array("BROKEN".utf8))?.code == .rejected)
        #expect(server.log.contains("cannot connect") && server.log.contains("infected with Test-Signature"))
        await server.end()
    }

    @Test func textIsSavedBesidePages() async throws {
        let server = try await HookServer(try example("text.lua"))
        let page =
            "<html><style>p {}</style><body><p>Caf&#233; &amp; <b>bar</b></p><p>two</p><script>x()</script></body></html>"
        try await server.save("site/index.html", Array(page.utf8))
        try await server.wait(for: "Café & bar\n\ntwo\n", of: "site/index.html.txt")
        let entry = try await server.vault.stat(Name("site/index.html.txt"), .current)
        #expect(entry?.tags == ["source": "site/index.html", "version": "1"] && entry?.savedBy == "hooks")
        _ = try await server.vault.changing(.remove(NamePrefix("site/index.html")))
        #expect(try await soon { try await server.vault.stat(Name("site/index.html.txt"), .current) == nil })
        await server.end()
    }

    @Test func savesAreReplicatedToASecondVault() async throws {
        let other = try Sandbox()
        try other.write("password", "correct horse\n")
        try await other.succeed("user", "add", "mirror", "--data", "data", "--password-file", "password")
        let target = try await ServerProcess.start(data: LocalPath(other.path + "/data"), users: [:])
        defer { target.kill() }
        let url = "minivault://mirror@127.0.0.1:\(target.port)"
        let server = try await HookServer(
            try example("replicate.lua", [("minivault://mirror@other.example\"", "\(url)\"")]),
            options: ["--hooks-connect", "127.0.0.1"])
        // As the user that the server runs as.
        let home: [String: String?] = ["HOME": server.sandbox.path + "/data", "XDG_DATA_HOME": nil]
        try await server.sandbox.succeed(
            "login", Word(url), "--accept-new", "--password-file", Word(other.path + "/password"), environment: home)
        func mirrored() async throws -> [String] {
            try await server.sandbox.succeed("list", "--vault", Word(url), environment: home).lines
        }
        let large = randomBytes(1_500_000, seed: 9)
        try await server.save("a", Array("one".utf8))
        try await server.save("d/b", large)
        #expect(try await soon { try await mirrored() == ["a", "d/b"] }, "\(server.log)")
        let read = try await server.sandbox.succeed("read", "d/b", "-", "--vault", Word(url), environment: home)
        #expect(read.outputBytes == large)
        _ = try await server.vault.changing(.rename(from: Name("a"), to: Name("c")))
        #expect(try await soon { try await mirrored() == ["c", "d/b"] }, "\(server.log)")
        _ = try await server.vault.changing(.remove(NamePrefix("d")))
        #expect(try await soon { try await mirrored() == ["c"] }, "\(server.log)")
        await server.end()
    }

    @Test func usersHaveQuotas() async throws {
        let server = try await HookServer(
            try example("quota.lua", [("GB = 1000000000", "GB = 1"), ("50 * GB", "1000 * GB")]))
        /// What hooks have counted shows in why too much is refused.
        func counted(_ bytes: Int) async throws -> Bool {
            try await soon {
                await server.refusal(of: "probe", randomBytes(2000, seed: 1))?.message.contains(
                    "has used \(bytes).00 of 1000.00")
                    ?? false
            }
        }
        try await server.save("a", randomBytes(600, seed: 1))
        #expect(try await counted(600), "\(server.log)")
        #expect(await server.refusal(of: "b", randomBytes(500, seed: 2))?.code == .rejected)
        try await server.save("b", randomBytes(300, seed: 2))
        #expect(try await counted(900))
        // It replaces what counts already.
        try await server.save("a", randomBytes(700, seed: 3))
        #expect(try await counted(1000))
        _ = try await server.vault.changing(.remove(NamePrefix("a")))
        #expect(try await counted(300), "\(server.log)")
        await server.end()
    }

    @Test func noticesGoOutByWebhookAndMail() async throws {
        let sandbox = try Sandbox()
        let receiver = try RunningProgram(
            "/usr/bin/python3",
            [
                "-c",
                """
                import http.server, sys
                class Handler(http.server.BaseHTTPRequestHandler):
                    def do_POST(self):
                        body = self.rfile.read(int(self.headers["Content-Length"]))
                        print(self.path, self.headers["Content-Type"], body.decode(), flush=True)
                        self.send_response(200)
                        self.end_headers()
                server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
                print(server.server_port, flush=True)
                server.serve_forever()
                """,
            ], environment: sandbox.environment, directory: sandbox.path, input: [])
        try await receiver.wait { receiver.output.contains(UInt8(ascii: "\n")) }
        let port = String(decoding: receiver.output.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        let mailer = try sandbox.write("sendmail", "#!/bin/sh\ncat >> \(sandbox.path)/mail\n")
        chmod(mailer, 0o755)
        let server = try await HookServer(
            try example(
                "notify.lua",
                [("https://chat.example/", "http://127.0.0.1:\(port)/"), ("\"sendmail\"", "\"\(mailer)\"")]),
            options: ["--hooks-exec", "curl", "--hooks-exec", mailer])
        try await server.save("reports/2026 \"q\".txt")
        try await server.save("other")
        try await receiver.wait {
            String(decoding: receiver.output, as: UTF8.self).contains("/hooks/vault application/json")
        }
        let text = String(decoding: receiver.output, as: UTF8.self)
        #expect(text.contains(#""text":"anna saved reports/2026 \"q\".txt (7 bytes)""#), "\(text) \(server.log)")
        #expect(!text.contains("other"))
        _ = try await server.vault.changing(.remove(NamePrefix("reports")))
        #expect(
            try await soon {
                sandbox.read("mail").map { String(decoding: $0, as: UTF8.self).contains("can still be read") } ?? false
            })
        let mail = String(decoding: sandbox.read("mail") ?? [], as: UTF8.self)
        #expect(
            mail.contains("Subject: anna removed reports/2026 \"q\".txt\n") && mail.contains("Version 1 can"), "\(mail)"
        )
        receiver.send(SIGKILL)
        _ = try await receiver.end()
        await server.end()
    }

    @Test func oldVersionsGoOnSchedule() async throws {
        let server = try await HookServer(
            try example(
                "retention.lua",
                [("{at = \"03:00\"}", "\"1s\""), ("within = \"2d\", daily = 14, weekly = 8, monthly = 24", "last = 1")])
        )
        for text in ["1", "2", "3"] { try await server.save("f", Array(text.utf8)) }
        #expect(try await soon { try await server.vault.history(Name("f")).count == 1 }, "\(server.log)")
        #expect(try await server.text(of: "f") == "3")
        #expect(
            try await soon {
                server.log.contains("anna: dropped 2 versions of ''") || server.log.contains("anna: dropped")
            })
        await server.end()
    }
}
