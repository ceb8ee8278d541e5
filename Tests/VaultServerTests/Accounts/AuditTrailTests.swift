import TestSupport
import Testing

@testable import VaultServer

@Suite struct AuditTrailTests {
    private let directory: TemporaryDirectory
    private let accounts: Accounts

    init() throws {
        directory = try TemporaryDirectory()
        accounts = try Accounts.open(directory("data"))
    }

    @Test func tellsTheNewestEventsOfAUserSinceATimeOldestFirst() throws {
        for time in Int64(1)...6 {
            let user = time.isMultiple(of: 2) ? "anna" : "bert"
            try accounts.record(AuditEvent(.login, user: user, peer: "10.0.0.1", time: time))
        }
        #expect(try accounts.audit(limit: 9).map(\.time) == [1, 2, 3, 4, 5, 6])
        #expect(try accounts.audit(limit: 2).map(\.time) == [5, 6])
        #expect(try accounts.audit(of: "anna", limit: 2).map(\.time) == [4, 6])
        #expect(try accounts.audit(of: "anna", since: 5, limit: 9).map(\.time) == [6])
        #expect(try accounts.audit(of: "carl", limit: 9).isEmpty)
    }

    @Test func aFloodOfFailuresPushesOutNothingElse() throws {
        try accounts.record(AuditEvent(.login, user: "anna", time: 1))
        for time in Int64(2)...30 { try accounts.record(AuditEvent(.loginFailed, user: "x", time: time)) }
        try accounts.write { try Accounts.prune($0, eventsMax: 5, failuresMax: 3) }
        #expect(try accounts.audit(limit: 99).map(\.time) == [1, 28, 29, 30])
        for time in Int64(31)...40 { try accounts.record(AuditEvent(.login, user: "bert", time: time)) }
        try accounts.write { try Accounts.prune($0, eventsMax: 5, failuresMax: 3) }
        #expect(try accounts.audit(limit: 99).map(\.time) == [28, 29, 30, 36, 37, 38, 39, 40])
    }

    @Test func textOfStrangersIsCutBetweenScalars() throws {
        try accounts.record(
            AuditEvent(
                .loginFailed, user: String(repeating: "é", count: 5000),
                detail: "e" + String(repeating: "\u{301}", count: 9000), time: 1))
        let event = try #require(try accounts.audit(limit: 1).first)
        #expect(event.user == String(repeating: "é", count: 256))
        #expect(event.detail.utf8.count <= 512)
        #expect("aé".cut(toBytes: 2) == "a" && "aé".cut(toBytes: 3) == "aé" && "é".cut(toBytes: 1) == "")
    }
}
