import Testing

@testable import VaultServer

@Suite struct RefusalTallyTests {
    private let tally = RefusalTally()
    private let start = ContinuousClock.now

    private func key(_ user: String, vault: String = "v") -> RefusalTally.Key {
        RefusalTally.Key(kind: .denied, user: user, vault: vault)
    }

    @Test func refusalsWithinAMinuteAreOneLine() {
        #expect(tally.begins(key("anna"), at: start))
        #expect(!tally.begins(key("anna"), at: start + .seconds(1)))
        // Nothing can be added before the line is there.
        #expect(tally.take(at: start + .seconds(1)).isEmpty)
        tally.begin(key("anna"), 7)
        #expect(!tally.begins(key("anna"), at: start + .seconds(59)))
        #expect(tally.take(at: start + .seconds(59)).map { [Int($0.id), $0.more] } == [[7, 2]])
        #expect(tally.take(at: start + .seconds(59)).isEmpty)
        #expect(tally.begins(key("anna"), at: start + .seconds(61)))
    }

    @Test func eachUserKindAndVaultHasALine() {
        #expect(tally.begins(key("anna"), at: start))
        #expect(tally.begins(key("bert"), at: start))
        #expect(tally.begins(key("anna", vault: "w"), at: start))
        #expect(tally.begins(RefusalTally.Key(kind: .loginFailed, user: "anna", vault: "v"), at: start))
        #expect(!tally.begins(key("anna"), at: start))
    }

    @Test func aLineThatCouldNotBeWrittenIsTriedAgain() {
        #expect(tally.begins(key("anna"), at: start))
        tally.begin(key("anna"), nil)
        #expect(tally.begins(key("anna"), at: start))
    }

    @Test func whoTriesManyNamesFillsNoMemory() {
        for number in 0..<2 * RefusalTally.linesMax { _ = tally.begins(key("\(number)"), at: start) }
        // What is not remembered has a line each.
        #expect(tally.begins(key("\(2 * RefusalTally.linesMax - 1)"), at: start))
        #expect(!tally.begins(key("1"), at: start))
    }
}
