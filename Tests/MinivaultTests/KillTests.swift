import Foundation
import Glibc
import TestSupport
import Testing

/// Kills the program at random moments: what it said is durable must be there after.
@Suite struct KillTests {
    private static let files = 300
    private static let killsPerSeed = 50
    private static let pool = randomBytes(8 << 20, seed: 99)

    /// A tree that keeps changing, and what was said of it.
    private struct Tree {
        var sandbox: Sandbox
        var random: SplitMix64

        func name(_ index: Int) -> String { "d\(index % 7)/e\(index % 3)/f\(index)" }

        /// Gives a file new content: 3 MB for one in a hundred, at most 20 kB for others.
        mutating func change(_ index: Int) throws {
            let count = index % 100 == 0 ? 3_000_000 : Int(random.next() % 20_000)
            let start = Int(random.next() % UInt64(KillTests.pool.count - count))
            let head = Array("\(index) \(random.next())\n".utf8)
            try sandbox.write("t/" + name(index), head + KillTests.pool[start..<start + count])
        }

        mutating func changeSome() throws {
            for _ in 0...(random.next() % 30) { try change(Int(random.next() % UInt64(KillTests.files))) }
            if random.next() % 5 == 0 { try change(100 * Int(random.next() % 3)) }
        }
    }

    /// Compares every name that was said to be saved with the file that was saved.
    private static let check = """
        for name in io.lines(arg[1]) do
          local file <close> = assert(io.open(name, "rb"))
          assert(vault.get(name) == file:read "a", name)
        end
        """

    @Test(arguments: [1, 2, 3] as [UInt64]) func loseNothingThatWasReported(seed: UInt64) async throws {
        let sandbox = try Sandbox()
        var tree = Tree(sandbox: sandbox, random: SplitMix64(seed: seed))
        for index in 0..<Self.files { try tree.change(index) }
        try sandbox.write("check.lua", Self.check)
        var kills = 0
        var reported = 0
        while kills < Self.killsPerSeed {
            let running = try sandbox.start(["push", "t", "--json"])
            // After some output, or some looks: the latter also hits the opening, and the end.
            let (bytes, looks) = (Int(tree.random.next() % 5000), Int(tree.random.next() % 150))
            let isByOutput = tree.random.next() % 2 == 0
            var count = 0
            try await running.wait {
                count += 1
                return isByOutput ? running.outputSize > bytes : count > looks
            }
            running.send(SIGKILL)
            let outcome = try await running.end()
            if outcome.status == -SIGKILL { kills += 1 } else { #expect(outcome.status == 0, "\(outcome.errors)") }

            let whole = outcome.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            let names = whole.compactMap { line -> String? in
                let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                return object?["name"] as? String
            }
            #expect(names.count == whole.count)
            reported += names.count
            try sandbox.write("names", names.map { $0 + "\n" }.joined())
            let checked = try await sandbox.run("run", "check.lua", "names")
            #expect(checked.status == 0, "after kill \(kills): \(checked.errors)")
            if kills % 20 == 19 {
                let verified = try await sandbox.run("verify")
                #expect(verified.status == 0, "after kill \(kills): \(verified.output)\(verified.errors)")
                try await sandbox.succeed("gc")
            }
            try tree.changeSome()
        }
        #expect(reported > Self.files)
        try await sandbox.succeed("push", "t", "--delete")
        try await sandbox.succeed("pull", "t", "out")
        #expect(try await sandbox.shell("diff -r t out").status == 0)
        #expect(try await sandbox.succeed("verify").errors.contains("0 damaged, 0 versions affected"))
        #expect(try await sandbox.succeed("compare", "out", "t", "--checksum").output == "")
    }

    @Test func leaveNoHalfFileWhenPulling() async throws {
        let sandbox = try Sandbox()
        var tree = Tree(sandbox: sandbox, random: SplitMix64(seed: 5))
        for index in 0..<Self.files { try tree.change(index) }
        try await sandbox.succeed("push", "t")
        var kills = 0
        for round in 0..<25 {
            let running = try sandbox.start(["pull", "t", "out", "--json"])
            let bytes = Int(tree.random.next() % 20_000)
            try await running.wait { running.outputSize > bytes }
            running.send(SIGKILL)
            if try await running.end().status == -SIGKILL { kills += 1 }
            let difference = try await sandbox.shell("diff -rq t out | grep -v '^Only in'")
            #expect(difference.output == "", "after round \(round): \(difference.output)")
            if round % 5 == 4 { try await sandbox.shell("rm -r out") }
        }
        #expect(kills > 0)
        try await sandbox.succeed("pull", "t", "out", "--delete")
        #expect(try await sandbox.shell("diff -r t out").status == 0)
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP]) func stopAndGoOnLater(signal: Int32) async throws {
        let sandbox = try Sandbox()
        try sandbox.write("t/small", "x")
        try await sandbox.shell("truncate -s 2G t/z-large; head -c 20000000 /dev/urandom > t/y-large")
        for words: [Word] in [
            ["push", "t", "--json"], ["save", "t/small", "t/z-large"],
        ] {
            let running = try sandbox.start(words)
            try await running.wait { running.outputSize > 0 }
            running.send(signal)
            let outcome = try await running.end()
            #expect(outcome.status == 130, "\(outcome.errors)")
            #expect(outcome.errors.hasSuffix("minivault: The operation was cancelled.\n"))
        }
        #expect(try await sandbox.succeed("read", "t/small", "-").output == "x")
        #expect(try await sandbox.run("stat", "t/z-large").status == 3)
        #expect(try await sandbox.run("stat", "z-large").status == 3)
        try await sandbox.shell("rm t/z-large")
        try await sandbox.succeed("push", "t")
        try await sandbox.succeed("pull", "t", "out")
        #expect(try await sandbox.shell("diff -r t out").status == 0)
    }

    @Test func stopReadingLargeLocalFilesToo() async throws {
        let sandbox = try Sandbox()
        try await sandbox.shell("mkdir t; touch t/a; truncate -s 60M t/y; for n in $(seq 1 60); do ln t/y t/z$n; done")
        try await sandbox.succeed("save", "t/y", "--as", "t/y")
        try await sandbox.script("for n = 1, 60 do vault.copy('t/y', 't/z' .. n) end")
        try await sandbox.shell("truncate -s 20G large")
        let head = "print 'ready' io.stdout:flush() "
        try sandbox.write("compare.lua", head + "for d in vault.compare('t', 't', {checksum = true}) do end")
        try sandbox.write("digest.lua", head + "vault.digest 'large'")
        try sandbox.write("sha256.lua", head + "while true do pcall(vault.digest, 'large', 'sha256') end")
        for words: [Word] in [
            ["compare", "t", "--checksum"], ["run", "compare.lua"], ["run", "digest.lua"], ["run", "sha256.lua"],
        ] {
            let running = try sandbox.start(words)
            try await running.wait { running.outputSize > 0 }
            running.send(SIGINT)
            let outcome = try await running.end()
            #expect(outcome.status == 130, "\(outcome.errors)")
        }
    }
}
