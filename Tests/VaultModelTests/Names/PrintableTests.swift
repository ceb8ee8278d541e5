import Testing

@testable import VaultModel

@Suite struct PrintableTests {
    @Test(arguments: ["", "plain", "ä 日本 \u{1F600}", "C:\\path", "e\u{301}"])
    func leavesHarmlessTextAlone(text: String) {
        #expect(printable(text) == text)
    }

    @Test(arguments: [
        ("a\nb", "a\\nb"), ("a\tb", "a\\tb"), ("\r", "\\x0D"), ("\u{1B}[2J", "\\x1B[2J"), ("\u{7F}", "\\x7F"),
        ("\\\n", "\\\\\\n"), ("\u{9B}2J", "\\u{9b}2J"), ("a\u{202E}b", "a\\u{202e}b"), ("\u{2066}", "\\u{2066}"),
        ("\u{200F}", "\\u{200f}"), ("\u{061C}", "\\u{61c}"), ("\u{2028}", "\\u{2028}"),
    ])
    func escapesWhatMovesACursorOrReordersText(text: String, expected: String) {
        #expect(printable(text) == expected)
    }

    @Test func showsBytesThatAreNotUTF8AsNamesDo() throws {
        #expect(printable([0x61, 0xFF]) == "a‛FF")
        #expect(try Name(pathBytes: [0x61, 0xFF]).description == "a‛FF")
        #expect(VaultError(.invalid, "x", name: try Name("a\nb")).name?.description == "a\\nb")
    }
}
