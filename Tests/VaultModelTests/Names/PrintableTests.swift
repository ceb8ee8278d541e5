import Testing

@testable import VaultModel

@Suite struct PrintableTests {
    @Test(arguments: [
        "", "plain", "ä 日本 \u{1F600}", "C:\\path", "e\u{301}", "می\u{200C}خواهم", "\u{2764}\u{FE0F}",
        "\u{1F468}\u{200D}\u{1F469}",
    ])
    func leavesHarmlessTextAlone(text: String) {
        #expect(printable(text) == text)
    }

    @Test(arguments: [
        ("a\nb", "a\\nb"), ("a\tb", "a\\tb"), ("\r", "\\x0D"), ("\u{1B}[2J", "\\x1B[2J"), ("\u{7F}", "\\x7F"),
        ("\\\n", "\\\\\\n"), ("\u{9B}2J", "\\u{9b}2J"), ("a\u{202E}b", "a\\u{202e}b"), ("\u{2066}", "\\u{2066}"),
        ("\u{200F}", "\\u{200f}"), ("\u{061C}", "\\u{61c}"), ("\u{2028}", "\\u{2028}"),
        ("a\u{200B}\u{FEFF}", "a\\u{200b}\\u{feff}"), ("a\u{AD}b", "a\\u{ad}b"), ("\u{E0041}", "\\u{e0041}"),
        ("a\u{FE0F}", "a\\u{fe0f}"), ("\u{3164}", "\\u{3164}"), ("\u{FFF9}", "\\u{fff9}"),
    ])
    func escapesWhatMovesACursorOrReordersText(text: String, expected: String) {
        #expect(printable(text) == expected)
    }

    @Test func showsBytesThatAreNotUTF8AsNamesDo() throws {
        #expect(printable([0x61, 0xFF]) == "a‛FF")
        #expect(try Name(pathBytes: [0x61, 0xFF]).description == "a‛FF")
        #expect(VaultError(.invalid, "x", name: try Name("a\nb")).name?.description == "a\\nb")
    }

    /// `a\n` of two letters and `a` with a new line are told apart.
    @Test func differentTextIsShownDifferently() {
        #expect(printable("a\\n".utf8) == "a\\\\n")
        #expect(printable("a\n".utf8) == "a\\n")
        #expect(printable("\\u{9b}".utf8) == "\\\\u{9b}")
        #expect(printable("\\\\".utf8) == "\\\\\\\\")
    }

    @Test func aMessageIsEscapedOnce() {
        for text in ["'a\\nb' is there", "\u{1B}[2J \\ \u{202E}", "‛FF ‛‛"] {
            let once = printable(text)
            #expect(printable(once) == once)
        }
        #expect(printable("'a\\nb' ‛‛") == "'a\\nb' ‛‛")
    }

    @Test(arguments: [
        ("a\"\\\n\t\r", #""a\"\\\n\t\r""#), ("\u{1}\u{7F}\u{9B}", #""\u0001\u007f\u009b""#),
        ("\u{202E}\u{200B}", #""\u202e\u200b""#), ("\u{E0041}", #""\udb40\udc41""#), ("é\u{200D}", "\"é\u{200D}\""),
    ])
    func stringsOfJSONHaveNothingHidden(text: String, expected: String) throws {
        #expect(quotedAsJSON(text) == expected)
    }

    @Test(arguments: [
        ("plain", "plain"), ("a\nb", "a‛0Ab"), ("a\u{202E}b", "a‛E2‛80‛AEb"), ("\u{9B}", "‛C2‛9B"),
        ("a\u{200B}", "a\u{200B}"),
        ("‛‛\n", "‛‛‛0A"), ("‛FF", "‛FF"),
    ])
    func aNameIsTypedBackAsItIsWritten(text: String, typed: String) throws {
        let name = try Name(text)
        #expect(name.typed == typed)
        #expect(try Name(typed: Array(typed.utf8)) == name)
    }

    @Test func whatStandsForNothingIsNoName() {
        for text in ["‛", "‛0", "a‛zz", "‛2F", "‛00", "‛2E‛2E/a"] {
            #expect(throws: VaultError.self) { try Name(typed: Array(text.utf8)) }
        }
    }
}
