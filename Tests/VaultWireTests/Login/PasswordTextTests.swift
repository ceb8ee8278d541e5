import TestSupport
import Testing
import VaultModel

@testable import VaultWire

@Suite struct PasswordTextTests {
    /// The examples of RFC 4013, section 3, and what the mappings of section 2 give.
    @Test(arguments: [
        ("I\u{AD}X", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u{AA}", "a"),
        ("\u{2168}", "IX"),
        ("a\u{A0}b\u{3000}c", "a b c"),
        ("a\u{200B}\u{FEFF}b\u{FE0F}", "ab"),
        ("e\u{301}", "\u{E9}"),
        (" pass word ", " pass word "),
        ("\u{FB01}n", "fin"),
        ("🔑🪪", "🔑🪪"),
        ("\u{5E9}\u{5DC}1\u{5D5}\u{5DD}", "\u{5E9}\u{5DC}1\u{5D5}\u{5DD}"),
    ])
    func preparesWhatIsTyped(_ typed: String, _ prepared: String) throws {
        #expect(try PasswordText(typed).bytes == Array(prepared.utf8))
    }

    @Test(arguments: [
        "", "\u{AD}", "\u{200B}\u{2060}",
        "\u{7}", "a\u{7F}", "a\u{80}", "a\n", "a\0b",
        "\u{E000}", "\u{F0000}", "\u{10FFFD}",
        "\u{FFF9}", "\u{FFFD}", "\u{2FF0}", "\u{202E}a", "\u{200E}", "\u{206A}", "\u{E0001}", "\u{E0041}",
        "\u{378}",
    ])
    func refusesWhatCannotBeTypedAgain(_ typed: String) {
        #expect(code { try PasswordText(typed) } == .invalid)
    }

    @Test(arguments: [0xFDD0, 0xFDEF, 0xFFFE, 0xFFFF, 0x1FFFE, 0x10FFFF] as [UInt32])
    func refusesWhatIsNoCharacter(_ value: UInt32) throws {
        let typed = "a" + String(Character(try #require(Unicode.Scalar(value))))
        #expect(code { try PasswordText(typed) } == .invalid)
    }

    @Test(arguments: ["\u{627}1", "1\u{627}", "\u{627}a\u{627}", "a\u{627}", "\u{5D0}\u{915}\u{5D0}"])
    func refusesLettersOfBothDirections(_ typed: String) {
        #expect(code { try PasswordText(typed) } == .invalid)
    }

    @Test func boundsTheLengthBeforeAndAfterItIsPrepared() throws {
        #expect(try PasswordText(String(repeating: "x", count: 1024)).bytes.count == 1024)
        #expect(code { try PasswordText(String(repeating: "x", count: 1025)) } == .invalid)
        #expect(code { try PasswordText(String(repeating: "\u{AD}", count: 600) + "x") } == .invalid)
        // Three bytes that become eighteen letters, most of them of two bytes.
        #expect(code { try PasswordText(String(repeating: "\u{FDFA}", count: 100)) } == .invalid)
    }

    @Test func isNeverPrinted() throws {
        let password = try PasswordText("secret")
        #expect(!"\(password)".contains("secret"))
        #expect(!String(reflecting: password).contains("secret"))
    }

    @Test func findsTheBoundsOfEveryRange() {
        let table: [UInt32] = [3, 5, 9, 9]
        let found = (0...12).filter { StringprepTables.contains(Unicode.Scalar(UInt8($0)), in: table) }
        #expect(found == [3, 4, 5, 9])
    }

    @Test(arguments: [
        StringprepTables.mappedToNothing, StringprepTables.spaces, StringprepTables.prohibited,
        StringprepTables.rightToLeft, StringprepTables.leftToRight,
    ])
    func tablesAreInOrder(_ table: [UInt32]) {
        #expect(table.count.isMultiple(of: 2))
        #expect(zip(table, table.dropFirst()).allSatisfy { $0 <= $1 })
    }
}
