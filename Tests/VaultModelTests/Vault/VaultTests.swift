import Testing

@testable import VaultModel

@Suite struct UniqueIDTests {
    @Test func returnsFromItsTextAndItsBytes() {
        for id in [UniqueID(), UniqueID(high: 0, low: 1), UniqueID(high: .max, low: 0)] {
            #expect(UniqueID(id.description) == id)
            #expect(UniqueID(id.bytes) == id)
            #expect(id.description.utf8.count == 32)
        }
        #expect(UniqueID(high: 1, low: 0xAB).description == "000000000000000100000000000000ab")
        #expect(Set((0..<1000).map { _ in UniqueID() }).count == 1000)
    }

    @Test(arguments: [
        "", "0", String(repeating: "0", count: 31), String(repeating: "0", count: 33),
        String(repeating: "A", count: 32),
        "+" + String(repeating: "0", count: 31),
        String(repeating: "0", count: 16) + "-" + String(repeating: "0", count: 15),
        String(repeating: "é", count: 16),
    ])
    func refusesOtherText(text: String) {
        #expect(UniqueID(text) == nil)
        #expect(UniqueID([UInt8](text.utf8.prefix(15))) == nil)
    }
}

@Suite struct VaultErrorTests {
    @Test func keepsWhatItIsMadeFrom() throws {
        struct Other: Error {}
        #expect(VaultError(VaultError(.quota, "Full.")).code == .quota)
        #expect(VaultError(CancellationError()).code == .cancelled)
        #expect(VaultError(Other()).code == .internal)
        let error = VaultError(.quota, "Full.", cause: "ENOSPC").about(try Name("a")).about(try Name("b"))
        #expect(error.name == (try Name("a")))
        #expect(error.description == "Full. (ENOSPC)")
    }

    /// Scripts act on these words.
    @Test func namesItsCodesAsTheInterfaceDoes() {
        #expect(
            VaultError.Code.allCases.map(\.rawValue) == [
                "not_found", "exists", "denied", "login", "invalid", "conflict", "quota", "rejected", "integrity",
                "unavailable", "timeout", "cancelled", "internal",
            ])
    }
}
