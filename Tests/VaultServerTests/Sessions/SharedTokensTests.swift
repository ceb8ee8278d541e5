import Testing
import VaultModel

@testable import VaultServer

/// What servers tell each other by way of clients, who must not be able to change a bit of it.
@Suite struct SharedTokensTests {
    private let tokens = SharedTokens(key: [UInt8](repeating: 5, count: 32))
    private let ticket = SharedTokens.Ticket(
        user: "anna", vaultName: "team", vault: "0123", deviceKey: [1, 2, 3], passwordMark: [])

    @Test func aTicketIsReadUntilItIsOver() {
        let token = tokens.ticket(ticket, now: 1000)
        #expect(tokens.ticket(opening: token, now: 1000) == ticket)
        #expect(tokens.ticket(opening: token, now: 999 + ServerLimits.ticketSecondsMax) == ticket)
        #expect(tokens.ticket(opening: token, now: 1000 + ServerLimits.ticketSecondsMax) == nil)
        #expect(tokens.ticket(ticket, now: 1000) != token)
    }

    @Test func aPassNamesContentWhateverBecomesOfTheName() throws {
        let pass = SharedTokens.Pass(
            user: "anna", vault: "0123", name: try Name("a/b"),
            content: Content(ChunkReference(digest: Digest(of: [1]), span: 77)))
        let token = tokens.pass(pass, now: 1000)
        #expect(tokens.pass(opening: token, now: 1001) == pass)
        #expect(tokens.pass(opening: token, now: 1000 + ServerLimits.passSecondsMax) == nil)
    }

    @Test func oneKindIsNotTakenForTheOther() throws {
        let token = tokens.ticket(ticket, now: 1000)
        #expect(tokens.pass(opening: token, now: 1000) == nil)
        let pass = SharedTokens.Pass(user: "anna", vault: "0123", name: try Name("a"), content: .empty)
        #expect(tokens.ticket(opening: tokens.pass(pass, now: 1000), now: 1000) == nil)
    }

    @Test func noBitCanBeChangedAndNoByteCutOff() {
        let token = tokens.ticket(ticket, now: 1000)
        for index in token.indices {
            var changed = token
            changed[index] ^= 1
            #expect(tokens.ticket(opening: changed, now: 1000) == nil)
            #expect(tokens.ticket(opening: Array(token[..<index]), now: 1000) == nil)
        }
        #expect(tokens.ticket(opening: token + [0], now: 1000) == nil)
        let others = SharedTokens(key: [UInt8](repeating: 6, count: 32))
        #expect(others.ticket(opening: token, now: 1000) == nil)
    }

    @Test func aMarkTellsPasswordsApartForThoseWhoHaveTheKey() {
        #expect(tokens.mark(of: [1]) == tokens.mark(of: [1]))
        #expect(tokens.mark(of: [1]) != tokens.mark(of: [2]))
        #expect(SharedTokens(key: [UInt8](repeating: 6, count: 32)).mark(of: [1]) != tokens.mark(of: [1]))
    }
}
