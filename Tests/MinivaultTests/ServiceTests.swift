import Foundation
import Testing
import VaultModel

/// The server as `scripts/minivault.service` has systemd run it.
@Suite struct ServiceTests {
    private let sandbox: Sandbox
    private static let unit = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../scripts/minivault.service").standardized.path
    private static let filter = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("filter.c").path

    init() throws { sandbox = try Sandbox() }

    /// The system calls of a group, as this machine's systemd names them.
    private func calls(of word: String) async throws -> Set<String> {
        guard word.hasPrefix("@") else { return [word] }
        var calls: Set<String> = []
        for line in try await sandbox.shell("systemd-analyze syscall-filter \(word)").lines.dropFirst() {
            let name = line.trimmingCharacters(in: .whitespaces)
            if !name.isEmpty, !name.hasPrefix("#") { calls.formUnion(try await self.calls(of: name)) }
        }
        return calls
    }

    /// What the unit lets the server do: lines in their order, those with `~` taking away.
    private func allowed() async throws -> Set<String> {
        var allowed = try await calls(of: "@default")
        let key = "SystemCallFilter="
        for line in try String(contentsOfFile: ServiceTests.unit, encoding: .utf8).split(separator: "\n") {
            guard line.hasPrefix(key) else { continue }
            let text = line.dropFirst(key.count)
            for word in text.drop(while: { $0 == "~" }).split(separator: " ") {
                let calls = try await calls(of: String(word))
                if text.hasPrefix("~") { allowed.subtract(calls) } else { allowed.formUnion(calls) }
            }
        }
        return allowed
    }

    @Test func theServerServesWithTheSystemCallsThatItsUnitAllows() async throws {
        try await serve(with: try await allowed())
    }

    @Test func theServerServesWhereWorkersCannotGiveUpFiles() async throws {
        let calls = try await allowed().filter { !$0.hasPrefix("landlock_") }
        let log = try await serve(with: calls)
        #expect(log.contains("a bar to other files than their own"), "\(log)")
    }

    /// Has a server saved to and read from that is killed at any system call but some.
    ///
    /// - Returns: its log.
    @discardableResult
    private func serve(with calls: Set<String>) async throws -> String {
        try #require(calls.count > 100 && !calls.contains("reboot"), "\(calls.sorted())")
        try sandbox.write("allowed", calls.sorted().joined(separator: "\n"))
        try sandbox.write("password", "correct horse battery\n")
        try sandbox.write(
            "hooks.lua",
            """
            vault.on('before_save', {timeout = 60}, function(event)
              event:tag('seen', event:pipe {'cat'}.code == 0 and 'yes' or 'no')
            end)
            """)
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let outcome = try await sandbox.shell(
            """
            set -e
            PATH=$PATH:'\(path)'
            clang -o filter '\(ServiceTests.filter)' -lseccomp
            chmod 600 password
            '\(Sandbox.program)' user add anna --data data --password-file password
            mkfifo told
            cp '\(Sandbox.program)' program
            as=()
            # systemd gives the service a user of its own.
            if [ $EUID = 0 ]; then
                chmod 755 . program filter hooks.lua && chmod 644 allowed && chown -R nobody:nogroup data
                as=(setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/)
            fi
            "${as[@]}" ./filter allowed ./program serve --data data --hooks hooks.lua --hooks-exec cat \
                --listen 127.0.0.1:0 >told 2>log &
            server=$!
            trap 'kill -KILL $server 2>/dev/null; cat log >&2' EXIT
            read -r line <told
            url=minivault://anna@127.0.0.1:$(sed 's/.*port \\([0-9]*\\),.*/\\1/' <<<"$line")
            '\(Sandbox.program)' login "$url" --accept-new --password-file password
            head -c 2000000 /dev/urandom >large
            '\(Sandbox.program)' save --vault "$url" large hooks.lua
            '\(Sandbox.program)' read --vault "$url" large - | cmp - large
            '\(Sandbox.program)' stat --vault "$url" hooks.lua | grep -q seen=yes
            '\(Sandbox.program)' gc --vault "$url"
            trap - EXIT
            kill -TERM $server
            wait $server
            """)
        #expect(outcome.status == 0, "\(outcome.errors)")
        return String(decoding: sandbox.read("log") ?? [], as: UTF8.self)
    }
}
