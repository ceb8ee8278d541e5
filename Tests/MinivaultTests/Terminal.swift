import Foundation
import Glibc

/// A terminal that a test types at.
final class Terminal {
    /// `TIOCSPTLCK` and `TIOCGPTN` (ioctl_tty(2)), macros that Swift does not see.
    private static let (setLock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)

    private let master: Int32
    private let slave: Int32
    private var seen = ""

    init() throws {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var (isLocked, number): (Int32, UInt32) = (0, 0)
        guard master >= 0, ioctl(master, Terminal.setLock, &isLocked) == 0,
            ioctl(master, Terminal.getNumber, &number) == 0
        else { throw SystemFailure("no terminal") }
        slave = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard slave >= 0 else { throw SystemFailure("no terminal") }
        _ = fcntl(master, F_SETFL, O_NONBLOCK)
    }

    deinit {
        close(master)
        close(slave)
    }

    /// Runs `minivault` in a session whose terminal this is.
    func run(
        _ sandbox: Sandbox, _ words: Word..., environment changes: [String: String] = [:]
    ) throws -> RunningProgram {
        try run(sandbox, words, environment: changes)
    }

    func run(
        _ sandbox: Sandbox, _ words: [Word], environment changes: [String: String] = [:]
    ) throws -> RunningProgram {
        try run(sandbox, executable: Sandbox.program, words, environment: changes)
    }

    /// Runs another program in a session whose terminal this is.
    func run(
        _ sandbox: Sandbox, executable: String, _ words: [Word], environment changes: [String: String] = [:]
    ) throws -> RunningProgram {
        drain()
        seen = ""
        return try RunningProgram(
            "/usr/bin/setsid", ["--ctty", "--wait", Word(executable)] + words,
            environment: sandbox.environment.merging(changes) { $1 }, directory: sandbox.path, input: [],
            terminal: slave)
    }

    func resize(columns: UInt16, rows: UInt16) {
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &size)
    }

    /// What the program has written since it was run.
    var text: String {
        drain()
        return seen
    }

    var echoes: Bool {
        var settings = termios()
        return tcgetattr(slave, &settings) == 0 && settings.c_lflag & tcflag_t(ECHO) != 0
    }

    func type(_ text: String) {
        _ = Array(text.utf8).withUnsafeBytes { write(master, $0.baseAddress, $0.count) }
    }

    /// Waits until the program has written `expected`, so many times.
    func wait(for expected: String, times: Int = 1) async throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while text.components(separatedBy: expected).count <= times {
            guard ContinuousClock.now < deadline else { throw SystemFailure("not asked: \(text)") }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    private func drain() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(master, &buffer, buffer.count)
            if count <= 0 { return }
            seen += String(decoding: buffer[..<count], as: UTF8.self)
        }
    }
}
