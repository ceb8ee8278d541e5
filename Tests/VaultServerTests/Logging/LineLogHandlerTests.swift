import Logging
import Testing
import VaultModel

@testable import VaultServer

@Suite struct LineLogHandlerTests {
    private func human(_ value: String) -> String {
        LineLogHandler.line(.human, .info, "message", [("key", value)], at: 0)
    }

    private func json(_ value: String) -> String {
        LineLogHandler.line(.json, .info, "message", [("key", value)], at: 0)
    }

    @Test(arguments: [
        ("plain", "plain"), ("", #""""#), ("two words", #""two words""#), ("a=b", #""a=b""#),
        ("C:\\path", #""C:\\path""#),
        (#"x" user=root"#, #""x\" user=root""#), (#"x\" user=root"#, #""x\\\" user=root""#), ("\\", #""\\""#),
        ("a\nb", #""a\nb""#), ("\u{1B}[2J", #""\x1B[2J""#), ("a\u{202E}b", #""a\u{202e}b""#),
        ("\u{200B}\u{9B}", #""\u{200b}\u{9b}""#), (#"\n"#, #""\\n""#),
    ])
    func noValueEndsItsWord(_ value: String, _ word: String) {
        #expect(human(value) == "1970-01-01T00:00:00.000Z info message key=\(word)\n")
    }

    @Test func linesOfJSONAreJSON() {
        #expect(
            json("\"\\\n\u{1B}\u{202E}\u{9B}é")
                == #"{"time":"1970-01-01T00:00:00.000Z","level":"info","message":"message","key":"\"\\\n\u001b\u202e\u009bé"}"#
                + "\n")
    }
}
