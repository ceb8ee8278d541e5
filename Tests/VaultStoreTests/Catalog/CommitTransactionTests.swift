import Testing
import VaultModel

@testable import VaultStore

/// How much of what it is given one commit does.
@Suite struct CommitTransactionTests {
    private func call(_ change: Change, presence: CommitCall.Presence? = nil) -> CommitCall {
        var call = CommitCall(requests: [.change(change)], by: Caller(user: "anna"))
        call.presence = presence
        return call
    }

    private func code(_ results: [Result<CommitResult, VaultError>]) -> VaultError.Code? {
        if case .failure(let error)? = results.first { error.code } else { nil }
    }

    @Test func moreNamesThanARequestMayChangeAreRefusedBeforeAnythingIsChanged() throws {
        let rows = ManyRows(count: StoreLimits.namesPerChangeMax + 1)
        var transaction = try CommitTransaction(rows, at: 5, reservedBytes: 0)
        let results = try transaction.apply(call(.remove(try NamePrefix("d"))), rows)
        guard case .failure(let error)? = results.first else {
            Issue.record("not refused")
            return
        }
        #expect(error.code == .invalid)
        #expect(error.message.contains("1000000") && error.message.contains("'d'"))
        #expect(error.message.contains("a smaller prefix at a time"))
        #expect(!transaction.hasEffect && rows.applied == 0)
    }

    @Test func moreBytesOfNamesThanARequestMayChangeAreRefused() throws {
        let rows = ManyRows(count: StoreLimits.namesPerChangeMax, length: 4000)
        var transaction = try CommitTransaction(rows, at: 5, reservedBytes: 0)
        let results = try transaction.apply(call(.remove(try NamePrefix("d"))), rows)
        guard case .failure(let error)? = results.first else {
            Issue.record("not refused")
            return
        }
        #expect(error.code == .invalid && error.message.contains("1024 MiB of names and tags under 'd'"))
        #expect(rows.applied == 0)
    }

    @Test func theBoundIsForAllChangesOfARequest() throws {
        let rows = ManyRows(count: StoreLimits.namesPerChangeMax / 2 + 1)
        var transaction = try CommitTransaction(rows, at: 5, reservedBytes: 0)
        let rename = CommitRequest.change(.rename(from: try name("d"), to: try name("e")))
        let results = try transaction.apply(
            CommitCall(requests: [rename, rename], by: Caller(user: "anna")), rows)
        #expect(results.map { (try? $0.get()) != nil } == [true, false])
        // The next call has a bound of its own.
        #expect(code(try transaction.apply(call(.rename(from: try name("d"), to: try name("e"))), rows)) == nil)
    }

    @Test func fewNamesAreInMemoryAtOnceHoweverLongTheyAre() throws {
        for length in [4, 4000] {
            let rows = ManyRows(count: 5000, length: length)
            var transaction = try CommitTransaction(
                rows, at: 5, reservedBytes: 0,
                spill: { PackLocation(pack: PackID(), offset: 64, length: UInt32($0.bytes.count)) })
            #expect(code(try transaction.apply(call(.remove(try NamePrefix("d"))), rows)) == nil)
            #expect(rows.applied == 5000)
            #expect(rows.pageMax <= StoreLimits.walkedNamesMax)
            #expect(rows.pageMax * length <= 2 * StoreLimits.walkedBytesMax)
            #expect(transaction.records().reduce(0) { $0 + $1.bytes.count } < StoreLimits.groupBytesMax + 10_000)
        }
    }

    @Test func aFewNamesAreLookedUpOnce() throws {
        let rows = ManyRows(count: 10)
        var transaction = try CommitTransaction(rows, at: 5, reservedBytes: 0)
        #expect(code(try transaction.apply(call(.remove(try NamePrefix("d"))), rows)) == nil)
        #expect(rows.pages == 1)
    }

    @Test(arguments: [3, 7])
    func aChangeThatNobodyWaitsForEndsWithItsPage(_ page: Int) throws {
        let presence = CommitCall.Presence()
        let rows = ManyRows(count: 5000)
        rows.onPage = { if $0 == page { presence.end() } }
        var transaction = try CommitTransaction(rows, at: 5, reservedBytes: 0)
        #expect(throws: CancellationError.self) {
            try transaction.apply(call(.remove(try NamePrefix("d")), presence: presence), rows)
        }
        #expect(rows.pages == page)
    }

    @Test func aCallThatIsDivisibleIsCarriedOutInPartsAsTimeGoesBy() throws {
        let rows = ManyRows(count: 0)
        var time = Duration.zero
        var transaction = try CommitTransaction(
            rows, at: 5, reservedBytes: 0,
            elapsed: {
                time += .milliseconds(10)
                return time
            })
        let drops = (1...20).map { CommitRequest.drop(object: $0, name: nil, versions: [1]) }
        var call = CommitCall(requests: drops, by: Caller(user: "anna"))
        #expect(try transaction.apply(call, rows).count == 20)
        call.isDivisible = true
        // It has a time of its own, whatever was done before it in the same commit.
        #expect(try transaction.apply(call, rows).count == 3)
        #expect(rows.applied == 23)
        time += .seconds(1)
        #expect(try transaction.apply(call, rows).count == 3)
    }

    @Test func callsThatAreLeftWhereMuchWasDoneWaitForTheNextCommit() throws {
        var time = Duration.zero
        let rows = ManyRows(count: 0)
        var transaction = try CommitTransaction(rows, at: 5, reservedBytes: 0, elapsed: { time })
        let small = call(.tag(try name("x"), [:]))
        #expect(try transaction.apply([small, small, small], rows, within: .milliseconds(4)).count == 3)
        time = .milliseconds(4)
        #expect(try transaction.apply([small, small, small], rows, within: .milliseconds(4)).count == 1)
    }
}

/// Rows of a made-up catalog that has as many names as are wanted below each prefix, all of one length.
private final class ManyRows: CommitRows {
    private let count: Int
    private let path: [UInt8]
    private(set) var pages = 0
    private(set) var pageMax = 0
    private(set) var applied = 0
    /// Is told the number of each page.
    var onPage: (Int) -> Void = { _ in }

    /// - Parameter length: bytes of a name, about.
    init(count: Int, length: Int = 8) {
        self.count = count
        let padding = String(repeating: "p", count: 200) + "/"
        path = Array(("d/" + String(repeating: padding, count: length / 201)).utf8)
    }

    func state() -> CommitState {
        CommitState(
            sequence: 7, epoch: 0, usage: VaultUsage(contentBytes: 0, quota: nil),
            head: JournalHead(sequence: 7, digest: nil, time: 5))
    }

    func live(_ prefix: NamePrefix, after: Name?, limit: Int) throws -> [Entry] {
        pages += 1
        onPage(pages)
        let start = try after.map { try #require(Int(String(decoding: $0.lastPart, as: UTF8.self))) } ?? 0
        let rest = min(limit, count - start)
        pageMax = max(pageMax, rest)
        if rest == 0 { return [] }
        // Only the last one tells how far a walk has come.
        let digits = String(start + rest)
        let last = Entry(
            name: Name(validated: path + Array((String(repeating: "0", count: 8 - digits.utf8.count) + digits).utf8)),
            kind: .file, content: .empty, version: 1, sequence: 1, attributes: Attributes(mode: 0, modified: 0),
            savedAt: 5, savedBy: "", tags: [:])
        return [Entry](repeating: last, count: rest)
    }

    func apply(_ change: JournalChange, sequence: UInt64, time: Int64, pausing: () throws -> Void) { applied += 1 }

    func answer(to change: UniqueID, of user: String) -> (answer: StoredAnswer, time: Int64)? { nil }
    func keep(_ answer: StoredAnswer, to change: UniqueID, of user: String, at time: Int64) {}
    func entry(_ name: Name) -> StoredVersion? { nil }
    func hasNames(below name: Name) -> Bool { false }
    func hasMoved(_ prefix: NamePrefix, since sequence: UInt64) -> Bool { false }
    func version(_ number: UInt64, of current: StoredVersion) -> Entry? { nil }
    func lastRetiredVersion(of name: Name) -> UInt64 { 0 }
    func isKnown(_ digest: Digest) -> Bool { false }
    func isDisowned(_ pack: PackID) -> Bool { false }
    func foresee(_ names: [Name]) {}
    func setOrigin(_ origin: Attributes.Origin, of name: Name) {}
    func mark(of upload: UploadID) -> UInt64? { nil }
    func end(_ upload: UploadID) {}
    func settle(_ digest: Digest) -> UInt64 { 0 }
    func forgetUploads(freeing bytes: UInt64) -> FreedRoom { FreedRoom(state().usage) }
    func insert(_ event: OutboxEvent) {}
    func insert(_ record: AuditRecord) {}
    func finish(
        _ stored: [ReceivedChunk], _ groups: [StoredGroup], settled: UInt64, recordBytes: UInt64, sequence: UInt64
    ) {}
}
