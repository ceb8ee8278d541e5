import Foundation
import Glibc
import TestSupport
import Testing

/// The program on a terminal.
@Suite struct TerminalTests {
    /// `TIOCSPTLCK` and `TIOCGPTN` (ioctl_tty(2)), macros that Swift does not see.
    private static let (setLock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)

    /// What the program writes to a terminal of 60 columns.
    private func run(_ sandbox: Sandbox, _ words: Word...) async throws -> (text: String, status: Int32) {
        let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var (isLocked, number): (Int32, UInt32) = (0, 0)
        guard terminal >= 0, ioctl(terminal, Self.setLock, &isLocked) == 0,
            ioctl(terminal, Self.getNumber, &number) == 0
        else { throw SystemFailure("no terminal") }
        defer { close(terminal) }
        let end = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var size = winsize(ws_row: 24, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(terminal, UInt(TIOCSWINSZ), &size)
        _ = fcntl(terminal, F_SETFL, O_NONBLOCK)
        let running = try RunningProgram(
            Sandbox.program, words, environment: sandbox.environment, directory: sandbox.path, input: [], terminal: end)
        close(end)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(terminal, &buffer, buffer.count)
            // EIO tells that the program's end is closed.
            if count < 0, errno != EAGAIN { break }
            if count > 0 { bytes += buffer[..<count] } else { try await Task.sleep(for: .milliseconds(2)) }
        }
        return (String(decoding: bytes, as: UTF8.self), try await running.end().status)
    }

    @Test func drawsProgressAndTakesItAway() async throws {
        let sandbox = try Sandbox()
        let name = "large-" + String(repeating: "n", count: 80)
        try await sandbox.shell("truncate -s 300M \(name)")
        let saved = try await run(sandbox, "save", Word(name))
        #expect(saved.status == 0)
        let drawn = saved.text.components(separatedBy: "\r\u{1B}[K")
        #expect(drawn.count > 1, "\(saved.text)")
        for line in drawn.dropLast() {
            #expect(!line.contains("\n") && line.count < 60 && line.contains("/s"), "\(line)")
        }
        #expect(drawn.contains { $0.contains(" of 300 MiB") && $0.contains(" left") })
        #expect(drawn.last?.hasPrefix("\(name)  version 1  300 MiB") == true)
        let quiet = try await run(sandbox, "save", Word(name), "--as", "x", "-q")
        #expect(quiet.text == "")
        let plain = try await sandbox.succeed("save", Word(name), "--as", "y")
        #expect(!plain.output.contains("\u{1B}") && plain.errors == "")
    }

    @Test func alignsLongListings() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("a\u{1B}[31m", "x")
        try sandbox.write("b", randomBytes(5000, seed: 1))
        try await sandbox.succeed("save", "a\u{1B}[31m", "b")
        let listed = try await run(sandbox, "list", "--long")
        let lines = listed.text.components(separatedBy: "\r\n").filter { !$0.isEmpty }
        #expect(lines.count == 2 && lines[0].hasSuffix("a\\x1B[31m") && lines[1].hasSuffix("    v1  b"))
        #expect(lines[1].contains("  4.9 KiB  "))
        #expect(try await run(sandbox, "stat", "b").text.contains("4.9 KiB (5000 bytes)"))
    }
}
