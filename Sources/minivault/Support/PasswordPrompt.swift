import Glibc
import VaultModel
import VaultWire

/// Gets passwords from where they may come from: a file, the environment, or a terminal without echo.
enum PasswordPrompt {
    /// Bytes of a password that is set.
    private static let newBytesMin = 8

    /// A password to log in with.
    ///
    /// - Parameter file: the file named on the command line, if one was.
    static func password(of user: UserName, file: String?) throws(VaultError) -> PasswordText {
        if let given = try given(file) { return try PasswordText(given) }
        return try PasswordText(try ask("Password of \(user): "))
    }

    /// A password to be set, typed twice where it is typed.
    static func newPassword(of user: UserName, file: String?) throws(VaultError) -> PasswordText {
        let text: String
        if let given = try given(file) {
            text = given
        } else {
            text = try ask("New password of \(user): ")
            guard try ask("The same again: ") == text else {
                throw VaultError(.invalid, "The two passwords differ; nothing was changed.")
            }
        }
        guard text.utf8.count >= newBytesMin else {
            throw VaultError(.invalid, "A password has \(newBytesMin) bytes at least.")
        }
        return try PasswordText(text)
    }

    /// Whether a password is given by a file or the environment.
    static func isGiven(file: String?) -> Bool {
        file != nil || EnvironmentVariable.bytes("MINIVAULT_PASSWORD") != nil
    }

    private static func given(_ file: String?) throws(VaultError) -> String? {
        guard let file else { return try EnvironmentVariable.text("MINIVAULT_PASSWORD") }
        let path = CommandText.path(file)
        let bytes = try SmallFile.read(path, bytesMax: PasswordText.bytesMax * 2)
        if try FileStatus(of: path, followsLinks: true).mode & 0o077 != 0 {
            Output.note("minivault: '\(path)' can be read by others: 'chmod 600' it.")
        }
        // The first line: editors end a file with a newline, some with a carriage return before it.
        let lines = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        var line = lines.first ?? []
        if lines.count > 1, line.last == UInt8(ascii: "\r") { line.removeLast() }
        guard let text = String(validating: line, as: UTF8.self), !text.isEmpty else {
            throw VaultError(.invalid, "'\(path)' has no password in its first line.", path: path)
        }
        return text
    }

    private static func ask(_ prompt: String) throws(VaultError) -> String {
        guard let terminal = try? OpenFile(LocalPath("/dev/tty"), flags: O_RDWR | O_NOCTTY) else {
            throw VaultError(
                .login, "There is no terminal to ask for a password: use --password-file or MINIVAULT_PASSWORD.")
        }
        let echo = try HiddenInput(terminal)
        defer { echo.end() }
        write(prompt, to: terminal)
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while true {
            let count = try retrying("read", terminal.path) { read(terminal.descriptor, &byte, 1) }
            if count == 0 || byte == UInt8(ascii: "\n") { break }
            guard line.count < PasswordText.bytesMax * 2 else { continue }
            line.append(byte)
        }
        write("\n", to: terminal)
        guard let text = String(validating: line, as: UTF8.self) else {
            throw VaultError(.invalid, "A password is text in UTF-8.")
        }
        return text
    }

    private static func write(_ text: String, to terminal: OpenFile) {
        _ = Array(text.utf8).withUnsafeBytes { Glibc.write(terminal.descriptor, $0.baseAddress, $0.count) }
    }
}

/// A terminal that does not show what is typed, until the end, or until the program is ended by a signal.
private struct HiddenInput {
    private let terminal: OpenFile
    private let before: termios

    init(_ terminal: OpenFile) throws(VaultError) {
        self.terminal = terminal
        var settings = termios()
        try retrying("read the settings of", terminal.path) { tcgetattr(terminal.descriptor, &settings) }
        before = settings
        settings.c_lflag &= ~tcflag_t(ECHO)
        settings.c_lflag |= tcflag_t(ICANON | ISIG)
        // Keys that would stop or kill the program and leave the terminal as it is now do nothing meanwhile.
        withUnsafeMutableBytes(of: &settings.c_cc) { keys in
            for key in [VSUSP, VQUIT] { keys[Int(key)] = 0 }
        }
        let restored = before
        Interruption.whenAsked {
            var settings = restored
            tcsetattr(terminal.descriptor, TCSANOW, &settings)
            _exit(ExitStatus.interrupted.rawValue)
        }
        let hidden = settings
        try retrying("hide what is typed at", terminal.path) {
            var settings = hidden
            return tcsetattr(terminal.descriptor, TCSAFLUSH, &settings)
        }
    }

    func end() {
        var settings = before
        tcsetattr(terminal.descriptor, TCSAFLUSH, &settings)
        Interruption.whenAsked { _exit(ExitStatus.interrupted.rawValue) }
    }
}
