import CProcess
import Foundation
import Glibc

/// A process with its output in files, so that nothing waits for the test to read it.
final class RunningProgram: Sendable {
    private static let deadlineSeconds = 300

    let id: pid_t
    private let files: String

    /// - Parameters:
    ///   - input: what standard input gives.
    ///   - terminal: a descriptor to use as all three standard streams instead.
    init(
        _ program: String, _ words: [Word], environment: [String: String], directory: String, input: [UInt8],
        terminal: Int32? = nil
    ) throws {
        files = FileManager.default.temporaryDirectory.appendingPathComponent("program-" + UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: files, withIntermediateDirectories: true)
        try Data(input).write(to: URL(fileURLWithPath: files + "/input"))

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let terminal {
            for stream in 0...2 { posix_spawn_file_actions_adddup2(&actions, terminal, Int32(stream)) }
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, files + "/input", O_RDONLY, 0)
            posix_spawn_file_actions_addopen(&actions, 1, files + "/output", O_WRONLY | O_CREAT | O_TRUNC, 0o644)
            posix_spawn_file_actions_addopen(&actions, 2, files + "/errors", O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        }
        // A connection of another test would not end while this program has a copy of it.
        cprocess_start_without(&actions, 3)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A test runner may have signals blocked or ignored, which a child would inherit.
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        let changingDirectory = [Word("env"), Word("-C"), Word(directory), Word(program)]
        let arguments = (changingDirectory + words).map { strdup(cString($0.bytes)) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var id = pid_t()
        let status = posix_spawn(&id, "/usr/bin/env", &actions, &attributes, arguments, variables)
        guard status == 0 else {
            errno = status
            throw SystemFailure("cannot start \(program)")
        }
        self.id = id
    }

    deinit {
        try? FileManager.default.removeItem(atPath: files)
    }

    var outputSize: Int {
        let attributes = try? FileManager.default.attributesOfItem(atPath: files + "/output")
        return (attributes?[.size] as? NSNumber)?.intValue ?? 0
    }

    var output: [UInt8] { contents(Array((files + "/output").utf8)) ?? [] }
    var errors: String { String(decoding: contents(Array((files + "/errors").utf8)) ?? [], as: UTF8.self) }

    func send(_ signal: Int32) {
        kill(id, signal)
    }

    /// Waits until `condition` holds, or the program has ended.
    func wait(until condition: () -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(RunningProgram.deadlineSeconds)
        while !condition() {
            var information = siginfo_t()
            waitid(P_PID, id_t(id), &information, WEXITED | WNOHANG | WNOWAIT)
            if information._sifields._sigchld.si_pid != 0 { return }
            if ContinuousClock.now > deadline {
                send(SIGKILL)
                throw SystemFailure("the program did not come that far: \(errors)")
            }
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    /// Waits for the program's end; one that does not end in a minute is killed, and throws.
    func end() async throws -> Outcome {
        var status: Int32 = 0
        let deadline = ContinuousClock.now + .seconds(RunningProgram.deadlineSeconds)
        var isLate = false
        while waitpid(id, &status, WNOHANG) == 0 {
            if !isLate, ContinuousClock.now > deadline {
                isLate = true
                send(SIGKILL)
            }
            try await Task.sleep(for: .milliseconds(2))
        }
        if isLate { throw SystemFailure("the program did not end: \(errors)") }
        let signal = status & 0x7F
        return Outcome(status: signal == 0 ? (status >> 8) & 0xFF : -signal, outputBytes: output, errors: errors)
    }
}
