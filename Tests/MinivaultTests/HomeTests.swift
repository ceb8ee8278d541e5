import Glibc
import TestSupport
import Testing

/// Where the program keeps things for users whose environment says nothing.
@Suite(.enabled(if: geteuid() == 0, "other users are tried")) struct HomeTests {
    private let sandbox: Sandbox

    init() throws {
        sandbox = try Sandbox()
    }

    /// Runs the program as another user without an environment.
    private func run(as user: Int, _ words: String) async throws -> Outcome {
        let program = "setpriv --reuid \(user) --clear-groups '\(Sandbox.program)'"
        return try await sandbox.shell("env -i \(program) \(words) </dev/null")
    }

    @Test func withoutHOMEItIsThePasswdEntrys() async throws {
        // Debian's nobody has a home that is not there.
        guard let entry = getpwuid(65534), String(cString: entry.pointee.pw_dir) == "/nonexistent" else { return }
        let data = try await run(as: 65534, "user list")
        #expect(data.status == 3 && data.errors.contains("'/nonexistent/.local/share/minivault/server'"))
        let saved = try await run(as: 65534, "save /etc/hostname")
        #expect(saved.status != 0 && !saved.errors.contains("'/.local"), "\(saved.errors)")
        let login = try await run(as: 65534, "list --vault minivault://anna@127.0.0.1:1")
        #expect(login.status == 4 && login.errors.contains("minivault login"), "\(login.errors)")
    }

    @Test(arguments: ["user list", "save /etc/hostname", "list", "list --vault minivault://anna@127.0.0.1:1"])
    func withoutAnEntryHOMEIsAskedFor(_ words: String) async throws {
        let user = 54_321
        guard getpwuid(uid_t(user)) == nil else { return }
        let outcome = try await run(as: user, words)
        #expect(outcome.status == 1 && outcome.errors.contains("set HOME"), "\(outcome.errors)")
    }
}
