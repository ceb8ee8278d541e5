import Foundation
import TestSupport
import Testing

/// Times as the program shows and reads them, by a clock that the tests set.
@Suite struct TimeTests {
    /// Sets the clock by which programs of the sandbox live.
    private func set(_ clock: String, _ sandbox: Sandbox) throws -> [String: String] {
        let seconds = try #require(ISO8601DateFormatter().date(from: clock)).timeIntervalSince1970
        try sandbox.write("clock", withUnsafeBytes(of: Int64(seconds).littleEndian) { Array($0) })
        return ["MINIVAULT_TEST_CLOCK": sandbox.path + "/clock", "LD_PRELOAD": "\(try PreloadedLibrary.clock.get())"]
    }

    /// Saves a version of `f` at each time, which it holds.
    private func save(_ times: [String], _ sandbox: Sandbox) async throws {
        for time in times {
            try sandbox.write("f", time)
            try await sandbox.succeed("save", "f", environment: try set(time, sandbox))
        }
    }

    /// The lines that a command writes to a terminal.
    private func show(_ sandbox: Sandbox, _ zone: String, _ words: Word...) async throws -> [String] {
        let terminal = try Terminal()
        let running = try terminal.run(sandbox, words, environment: ["TZ": zone])
        #expect(try await running.end().status == 0)
        return terminal.text.components(separatedBy: "\r\n").filter { !$0.isEmpty }
    }

    @Test func theAuditStandsInTheOrderOfWhatHappened() async throws {
        let sandbox = try Sandbox()
        let times = [
            "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2028-01-01T00:00:00Z", "1970-01-01T00:00:09Z",
            "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z",
        ]
        for (number, time) in times.enumerated() {
            try await sandbox.succeed(
                "user", "add-vault", Word("v\(number)"), "--data", "data", environment: try set(time, sandbox))
        }
        func vaults(_ words: Word...) async throws -> [String] {
            let now = try set("2026-01-05T00:00:00Z", sandbox)
            let outcome = try await sandbox.start(["audit", "--data", "data"] + words, environment: now).end()
            return try outcome.lines.map { try #require($0.components(separatedBy: "\t").last) }.map {
                String($0.prefix(2))
            }
        }
        let all = try await sandbox.succeed("audit", "--data", "data").output
        #expect(try await vaults() == ["v0", "v1", "v2", "v3", "v4", "v5"], "\(all)")
        #expect(try await vaults("--since", "2026-01-02T12:00:00Z") == ["v2", "v3", "v4", "v5"])
        #expect(try await vaults("--since", "2026-01-03T12:00:00Z") == ["v5"])
    }

    /// Around the hour that New York has twice, and after it.
    private static let times = [
        "2026-11-01T04:59:59Z", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-01T07:00:09Z",
    ]

    @Test(arguments: [
        (
            "America/New_York",
            [
                "2026-11-01 00:59:59", "2026-11-01 01:30:00-04:00", "2026-11-01 01:30:00-05:00", "2026-11-01 02:00:09",
            ]
        ),
        (
            "EST5EDT,M3.2.0,M11.1.0",
            [
                "2026-11-01 00:59:59", "2026-11-01 01:30:00-04:00", "2026-11-01 01:30:00-05:00", "2026-11-01 02:00:09",
            ]
        ),
        (
            "Asia/Tokyo",
            ["2026-11-01 13:59:59", "2026-11-01 14:30:00", "2026-11-01 15:30:00", "2026-11-01 16:00:09"]
        ),
        (
            ":/usr/share/zoneinfo/Asia/Kathmandu",
            ["2026-11-01 10:44:59", "2026-11-01 11:15:00", "2026-11-01 12:15:00", "2026-11-01 12:45:09"]
        ),
        (
            "Nowhere/Unknown",
            ["2026-11-01 04:59:59", "2026-11-01 05:30:00", "2026-11-01 06:30:00", "2026-11-01 07:00:09"]
        ),
    ])
    func whatATerminalShowsIsReadAsTheSameTime(_ zone: String, _ expected: [String]) async throws {
        let sandbox = try Sandbox()
        try await save(TimeTests.times, sandbox)
        let shown = try await show(sandbox, zone, "history", "f").map { line in
            line.drop { $0 == " " }.components(separatedBy: "  ")[1]
        }
        #expect(shown == expected)
        for (time, text) in zip(TimeTests.times, shown) {
            for word in [text, text.replacingOccurrences(of: " ", with: "T"), time] {
                let read = try await sandbox.succeed("read", "f", "-", "--at", Word(word), environment: ["TZ": zone])
                #expect(read.output == time, "\(word)")
            }
        }
        // To the minute it is the first second.
        let minute = Word(String(expected[3].dropLast(3)))
        let before = try await sandbox.succeed("read", "f", "-", "--at", minute, environment: ["TZ": zone])
        #expect(before.output == TimeTests.times[2])
    }

    @Test func aPipeShowsUTCWhateverTheZone() async throws {
        let sandbox = try Sandbox()
        try await save(TimeTests.times, sandbox)
        let history = try await sandbox.succeed("history", "f", environment: ["TZ": "Asia/Tokyo"])
        #expect(history.lines.map { String($0.split(separator: "\t")[1]) } == TimeTests.times)
        let stat = try await sandbox.succeed("stat", "f", environment: ["TZ": "Asia/Tokyo"])
        #expect(stat.output.contains("saved\t2026-11-01T07:00:09Z by "))
        let json = try await sandbox.succeed("stat", "f", "--json").objects[0]
        #expect(json["saved_at"] as? Int == 1_793_516_409)
    }

    @Test func showsTimesOfFilesFromBefore1970() async throws {
        let sandbox = try Sandbox()
        try await sandbox.shell("touch -d '1903-12-17 10:35:00.5 UTC' f")
        try await sandbox.succeed("save", "f")
        #expect(try await sandbox.succeed("list", "--long").output.contains("\t1903-12-17T10:35:00Z\t"))
        #expect(try await show(sandbox, "UTC", "list", "--long")[0].contains("  1903-12-17 10:35  "))
        #expect(try await show(sandbox, "UTC", "stat", "f").contains("modified  1903-12-17 10:35:00"))
        let listed = try await sandbox.script("print(vault.files('.')().modified_at)")
        #expect(listed.output == "-2084102700\n", "\(listed.output)")
    }

    @Test func readsWhatIsRelativeToTheClock() async throws {
        let sandbox = try Sandbox()
        try await save(TimeTests.times, sandbox)
        var environment = try set("2026-11-01T09:00:00Z", sandbox)
        environment["TZ"] = "Asia/Tokyo"
        for (word, version) in [("15:29", 1), ("16:00:09", 3), ("now", 3), ("3h", 1), ("@1793511000", 1)] {
            let read = try await sandbox.succeed("read", "f", "-", "--at", Word(word), environment: environment)
            #expect(read.output == TimeTests.times[version], "\(word)")
        }
        let absent = try await sandbox.run("read", "f", "-", "--at", "yesterday", environment: environment)
        #expect(absent.status == 3)
        #expect(absent.errors.contains("at 2026-10-30T15:00:00Z"), "\(absent.errors)")
        let stat = try await sandbox.run("stat", "f", "--at", "2026-10-31", environment: environment)
        #expect(stat.status == 3 && stat.errors.contains("at 2026-10-30T15:00:00Z"), "\(stat.errors)")
    }

    @Test func scriptsTakeTheSameTimes() async throws {
        let sandbox = try Sandbox()
        try await save(TimeTests.times, sandbox)
        var environment = try set("2026-11-01T09:00:00Z", sandbox)
        environment["TZ"] = "Asia/Tokyo"
        let script = """
            for _, at in ipairs {1793511000, "2026-11-01 14:30", "2026-11-01T05:30:00Z", "15:29", "3h"} do
              assert(vault.get("f", {at = at}) == "2026-11-01T05:30:00Z", at)
              assert(vault.stat("f", {at = at}).saved_at == 1793511000, at)
              assert(vault.list("", {at = at}):all()[1].version == 2, at)
              vault.pull("", "out", {at = at, overwrite = true})
              assert(io.open("out/f"):read "a" == "2026-11-01T05:30:00Z", at)
              assert(vault.compare("out", "", {at = at})() == nil, at)
            end
            local ok, err = pcall(vault.get, "f", {at = "1793511000"})
            assert(not ok and err.code == "invalid" and err.message:find("'@1793511000'", 1, true), err)
            ok, err = pcall(vault.get, "f", {at = "2026-10-31"})
            assert(not ok and err.code == "not_found" and err.message:find("2026-10-30T15:00:00Z", 1, true), err)
            """
        let outcome = try await sandbox.script(script, environment: environment)
        #expect(outcome.status == 0, "\(outcome.errors)")
    }

    @Test func thePromptShowsTimesAsCommandsDo() async throws {
        let sandbox = try Sandbox()
        try await save(TimeTests.times, sandbox)
        let shown = try await show(sandbox, "America/New_York", "repl", "-e", "vault.history('f')[2]")
        #expect(shown.joined().contains("(2026-11-01 01:30:00-04:00)"), "\(shown)")
        let piped = try await sandbox.succeed("repl", "-e", "vault.history('f')[2]")
        #expect(piped.output.contains("(2026-11-01T05:30:00Z)"), "\(piped.output)")
    }

    @Test func theHelpSaysWhatIsTaken() async throws {
        let sandbox = try Sandbox()
        for command in ["list", "read", "stat", "pull", "compare", "audit"] as [Word] {
            let help = try await sandbox.succeed("help", command).output.split(whereSeparator: \.isWhitespace)
            #expect(help.joined(separator: " ").contains("'2026-11-29 16:39', '16:39', 'yesterday', '12h' (ago)"))
        }
        #expect(try await sandbox.succeed("help").output.contains("@1795952460"))
        try await save(TimeTests.times, sandbox)
        let refused = try await sandbox.run("list", "--at", "1795952460")
        #expect(refused.status == 2 && refused.errors.contains("'@1795952460'"))
        let gap = try await sandbox.run("list", "--at", "2026-03-29 02:30", environment: ["TZ": "Europe/Berlin"])
        #expect(gap.status == 2 && gap.errors.contains("set forward past it"))
    }
}
