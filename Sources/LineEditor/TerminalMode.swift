import Glibc
import Synchronization

/// The settings of the terminal while keys are read from it one by one.
///
/// Ctrl-C stays a signal, which reaches the program also while it is at work; Ctrl-Z is a key like others.
enum TerminalMode {
    /// The settings that the terminal had before; nil while it has them.
    private static let before = Mutex<(settings: termios, output: Int32)?>(nil)
    private static let isKnownAtExit = Atomic<Bool>(false)
    /// Asks a terminal to tell what is pasted, and no longer to (xterm's mode 2004).
    private static let (begin, end) = ("\u{1B}[?2004h", "\u{1B}[?2004l")

    /// - Parameter output: leads to the terminal.
    /// - Returns: false where the standard input is no terminal any more.
    static func enter(output: Int32) -> Bool {
        if isKnownAtExit.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged {
            atexit { TerminalMode.leave() }
        }
        return before.withLock { before in
            var settings = termios()
            guard tcgetattr(STDIN_FILENO, &settings) == 0 else { return false }
            if before == nil { before = (settings, output) }
            settings.c_lflag &= ~tcflag_t(ICANON | ECHO | IEXTEN)
            settings.c_iflag &= ~tcflag_t(ICRNL | INLCR | IGNCR | IXON | ISTRIP)
            withUnsafeMutableBytes(of: &settings.c_cc) { keys in
                keys[Int(VMIN)] = 1
                keys[Int(VTIME)] = 0
                // Zero is none (termios(3)).
                keys[Int(VSUSP)] = 0
            }
            guard tcsetattr(STDIN_FILENO, TCSADRAIN, &settings) == 0 else { return false }
            tell(begin, output)
            return true
        }
    }

    /// Gives the terminal the settings back that it had.
    static func leave() {
        before.withLock { before in
            guard let (known, output) = before else { return }
            var settings = known
            before = nil
            tell(end, output)
            // Output that nobody takes must not keep the program from its end.
            tcsetattr(STDIN_FILENO, TCSANOW, &settings)
        }
    }

    private static func tell(_ text: String, _ output: Int32) {
        _ = Array(text.utf8).withUnsafeBytes { write(output, $0.baseAddress, $0.count) }
    }
}
