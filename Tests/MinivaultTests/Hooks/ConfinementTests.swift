import Foundation
import Glibc
import TestSupport
import Testing
import VaultClient
import VaultModel

/// The kernel's bounds of workers of hooks, whatever runs in them.
@Suite struct ConfinementTests {
    private static var isRoot: Bool { geteuid() == 0 }

    /// The fields of a process's `status`, by their names.
    private func status(_ process: Int32, thread: String? = nil) -> [String: String] {
        let path = thread.map { "/proc/\(process)/task/\($0)/status" } ?? "/proc/\(process)/status"
        let text = String(decoding: contents(Array(path.utf8)) ?? [], as: UTF8.self)
        let pairs = text.split(separator: "\n").compactMap { line -> (String, String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].split(whereSeparator: \.isWhitespace).joined(separator: " ")
            return (String(line[..<colon]), value)
        }
        return Dictionary(pairs) { first, _ in first }
    }

    @Test func aWorkerIsBehindTheFilterInAllItsThreads() async throws {
        let server = try await HookServer("vault.on('before_save', {timeout = 60}, function(event) event:path() end)")
        try await server.save("f")
        let worker = try #require(server.server.workers.first)
        let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(worker)/task")
        #expect(threads.count > 1)
        for thread in threads {
            let status = status(worker, thread: thread)
            #expect(status["Seccomp"] == "2" && status["NoNewPrivs"] == "1", "\(status)")
        }
        let text = String(decoding: contents(Array("/proc/\(worker)/limits".utf8)) ?? [], as: UTF8.self)
        let limits = text.split(separator: "\n").map { $0.split(separator: " ") }
        func limit(_ words: String...) -> UInt64? {
            let line = limits.first { $0.starts(with: words) { $0 == $1 } }
            return line.flatMap { UInt64($0[words.count]) }
        }
        // Of 64 MiB of Lua.
        #expect(try #require(limit("Max", "data", "size")) < 1 << 30, "\(text)")
        #expect(try #require(limit("Max", "address", "space")) < 64 << 30)
        #expect(limit("Max", "file", "size") == 1 << 44)
        #expect(limit("Max", "core", "file", "size") == 0)
        #expect(limit("Max", "open", "files") == 512)
        if Self.isRoot { #expect(limit("Max", "processes") == 1024) }
        await server.end()
    }

    @Test(.enabled(if: isRoot)) func aWorkerIsAUserOfItsOwn() async throws {
        // Two that run at once.
        let server = try await HookServer(
            """
            vault.on("before_save", {match = "f*", timeout = 60}, function(event)
              vault.kv.incr("begun", 1)
              while vault.kv.get "begun" < 2 do vault.sleep(0.005) end
              event:tag("path", event:path())
            end)
            """)
        let other = try await server.server.connect(as: "anna")
        async let second = server.save("f2", on: other)
        let first = try await server.save("f1")
        _ = try await second
        let workers = server.server.workers.map { status($0) }
        let users = Set(workers.compactMap { $0["Uid"] })
        try #require(users.count == workers.count && users.count >= 2, "\(workers)")
        for status in workers {
            let users = Set((status["Uid"] ?? "").split(separator: " ") + (status["Gid"] ?? "").split(separator: " "))
            #expect(users.count == 1, "\(status)")
            let user = try #require(users.first.flatMap { UInt32($0) })
            #expect(
                (60_800...61_055).contains(user) && status["Groups"] == ""
                    && status["CapEff"]?.allSatisfy { $0 == "0" } == true)
        }
        // As that user nothing of the server's can be read, nor what the other one has.
        let user = try #require(workers[0]["Uid"]?.split(separator: " ").first)
        let data = server.sandbox.path + "/data"
        let path = try #require(first.entry.tags["path"])
        #expect("\(path)".hasPrefix(data + "/workers/"))
        let outcome = try await server.sandbox.shell(
            """
            chmod 755 . home
            as() { setpriv --reuid=\(user) --regid=\(user) --clear-groups "$@" 2>/dev/null; }
            as true || echo "cannot become another user"
            for file in '\(data)' '\(data)/workers'; do as ls "$file" >/dev/null && echo "$file"; done
            find '\(data)' -type f | while read -r file; do as cat "$file" >/dev/null && echo "$file"; done
            exit 0
            """)
        #expect(outcome.output == "", "\(outcome.output)")
        await other.close()
        await server.end()
    }

    @Test func programsAreTheServersAndNotBehindTheFilter() async throws {
        let server = try await HookServer(
            """
            vault.on("before_save", {match = "f"}, function(event)
              local ran = vault.exec({"sh", "-c", [[
                id -u; grep Seccomp: /proc/self/status; pwd -P; cat; cat "$1"; echo "$SECRET" >&2; exit 7
              ]], "sh", event:path()}, {stdin = "from the hook\\n"})
              vault.put("output", ran.stdout)
              vault.put("errors", ran.stderr)
              local piped = event:pipe {"sh", "-c", "stat -Lc %F /dev/stdin; cat"}
              vault.put("piped", piped.stdout)
              local killed = vault.exec {"sh", "-c", "kill -KILL $$"}
              local large = vault.exec({"wc", "-c"}, {stdin = ("x"):rep(3e6)})
              event:tag("codes", ran.code .. " " .. killed.code .. " " .. large.stdout:match "%d+")
            end)
            """, options: ["--hooks-exec", "sh", "--hooks-exec", "wc"])
        let entry = try await server.save("f").entry
        #expect(entry.tags["codes"] == "7 137 3000000", "\(server.log)")
        let output = try await server.text(of: "output")?.split(separator: "\n").map(String.init) ?? []
        try #require(output.count == 5, "\(output)")
        #expect(output[0] == "\(geteuid())" && output[1] == "Seccomp:\t0")
        #expect(output[2].contains("/data/workers/") && output[3] == "from the hook" && output[4] == "content")
        #expect(try await server.text(of: "errors") == "\n")
        #expect(try await server.text(of: "piped") == "regular file\ncontent")
        await server.end()
    }

    /// Whether a process runs whose command line begins so.
    private func isRunning(_ words: String, _ sandbox: Sandbox) async throws -> Bool {
        let pattern = "^" + words.split(separator: " ").joined(separator: ".")
        return try await sandbox.shell("grep -al '\(pattern)' /proc/[0-9]*/cmdline 2>/dev/null").output != ""
    }

    @Test func aProgramEndsWhenItsHookGivesItUp() async throws {
        let server = try await HookServer(
            """
            vault.on("before_save", {match = "f"}, function(event)
              local is_done, problem = pcall(vault.exec, {"sleep", "87654.321"}, {timeout = 0.2})
              event:tag("first", problem.code)
              is_done, problem = pcall(vault.timeout, 0.2, vault.exec, {"sleep", "87654.322"})
              event:tag("second", problem.code)
              is_done, problem = pcall(vault.exec, {"none-such"})
              event:tag("third", problem.code)
            end)
            """, options: ["--hooks-exec", "sleep", "--hooks-exec", "none-such"])
        let tags = try await server.save("f").entry.tags
        #expect(
            tags["first"] == "timeout" && tags["second"] == "timeout" && tags["third"] == "not_found", "\(server.log)")
        #expect(try await soon { try await !isRunning("sleep 87654.32", server.sandbox) })
        await server.end()
    }

    @Test func nothingOfHooksOutlivesTheServer() async throws {
        let server = try await HookServer(
            """
            vault.on("save", {match = "f", timeout = 600}, function()
              vault.exec {"sh", "-c", "sleep 76543.21 & sleep 76543.22; true"}
            end)
            """, options: ["--hooks-exec", "sh"])
        try await server.save("f")
        #expect(try await soon { try await isRunning("sleep 76543.21", server.sandbox) }, "\(server.log)")
        #expect(try await soon { try await isRunning("sleep 76543.22", server.sandbox) })
        let workers = server.server.workers
        server.server.kill()
        #expect(try await soon { try await !isRunning("sleep 76543.2", server.sandbox) })
        #expect(try await soon { workers.allSatisfy { kill($0, 0) != 0 && errno == ESRCH } })
        await server.vault.close()
    }

    @Test func hooksOnTrialAreConfinedAlike() async throws {
        let sandbox = try Sandbox()
        try sandbox.write(
            "hooks.lua",
            """
            vault.on("before_save", function(event)
              print(vault.exec {"sh", "-c", "echo secret=$SECRET; grep Seccomp: /proc/self/status"}.stdout)
              print(pcall(vault.connect, "minivault://bert@127.0.0.1"))
              event:reject(event:path())
            end)
            """)
        try sandbox.write("f", "content")
        let outcome = try await sandbox.start(
            ["hook", "test", "hooks.lua", "--event", "before_save", "f", "--hooks-exec", "sh"],
            environment: ["SECRET": "told", "MINIVAULT_PASSWORD": "told", "TMPDIR": sandbox.path]
        ).end()
        #expect(outcome.status == 7, "\(outcome.errors)")
        #expect(
            outcome.output.contains("secret=\\nSeccomp:\\t0") && !outcome.output.contains("told"), "\(outcome.output)")
        #expect(outcome.output.contains("Hooks may not connect to '127.0.0.1'"))
        #expect(outcome.lines.last?.contains("\(sandbox.path)/minivault-hooks-") == true)
        // Nothing is left.
        #expect(try await sandbox.shell("ls -d minivault-hooks-* 2>/dev/null").output == "")
    }

    @Test func theServerSaysWhatWorkersLack() async throws {
        let server = try await HookServer("vault.on('save', print)")
        #expect(server.log.contains("not wholly confined") != Self.isRoot, "\(server.log)")
        await server.end()
        guard Self.isRoot else { return }
        let sandbox = try Sandbox()
        try sandbox.write("hooks.lua", "vault.on('before_save', function(event) event:tag('seen', 'yes') end)")
        // Without the right to change users there are workers all the same, of the server's own user.
        let outcome = try await sandbox.shell(
            """
            mkfifo told
            setpriv --bounding-set=-setuid '\(Sandbox.program)' serve --data data --hooks hooks.lua --listen 127.0.0.1:0 \
              >told 2>log &
            server=$!
            read -r line <told
            children=$(cat /proc/$server/task/*/children)
            grep -h ^Uid: /proc/${children%% *}/status
            kill -TERM $server
            wait $server
            cat log
            """)
        #expect(
            outcome.lines.first?.split(whereSeparator: \.isWhitespace) == ["Uid:", "0", "0", "0", "0"], "\(outcome)")
        #expect(outcome.output.contains("not wholly confined") && outcome.output.contains("a user of their own"))
    }
}
