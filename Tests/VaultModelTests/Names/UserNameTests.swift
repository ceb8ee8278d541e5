import TestSupport
import Testing

@testable import VaultModel

@Suite struct UserNameTests {
    @Test(arguments: ["a", "7", "ada", "ada.lovelace", "a-b_c", "0x", String(repeating: "a", count: 64)])
    func keepsTheText(_ text: String) throws {
        #expect(try UserName(text).text == text)
        #expect(try UserName(text).description == text)
    }

    @Test(arguments: [
        "", ".", "..", "-a", "_a", "Ada", "a b", "a/b", "a,b", "a=b", "ä", "a\0", "a\n",
        String(repeating: "a", count: 65),
    ])
    func refusesWhatIsNoUserName(_ text: String) {
        #expect(code { try UserName(text) } == .invalid)
    }

    @Test func doesNotRepeatTextThatIsTooLong() {
        let text = String(repeating: "x", count: 100_000)
        let error = #expect(throws: VaultError.self) { try UserName(text) }
        #expect((error?.message.utf8.count ?? .max) < 100)
    }
}
