import Testing
import VaultModel

@testable import VaultServer

@Suite struct AccessRulesTests {
    @Test func aPrefixCoversWholePartsOnly() throws {
        let rules = try rules([("a", .read)])
        #expect(rules.allows(.read, on: try Name("a")))
        #expect(rules.allows(.read, on: try Name("a/b")))
        #expect(!rules.allows(.read, on: try Name("ab")))
        #expect(!rules.allows(.save, on: try Name("a/b")))
        #expect(!rules.canReadEverything)
    }

    @Test func everythingBelowAPrefixTakesAGrantThatCoversIt() throws {
        let rules = try rules([("a/b", .full), ("c", .read)])
        #expect(rules.allows(.remove, onAllBelow: try NamePrefix("a/b/c")))
        #expect(!rules.allows(.remove, onAllBelow: try NamePrefix("a")))
        #expect(!rules.allows(.remove, onAllBelow: .all))
        #expect(!rules.allows(.remove, onAllBelow: try NamePrefix("c")))
        #expect(AccessRules([Grant(prefix: .all, rights: .full)]).allows(.remove, onAllBelow: .all))
    }

    @Test func readablePrefixesAreDisjointAndInTheOrderOfBytes() throws {
        let rules = try rules([("b", .read), ("a/x", .read), ("a", .append), ("b/c", .read), ("a-b", .read)])
        #expect(rules.readablePrefixes(within: .all).map { "\($0)" } == ["a-b", "a/x", "b"])
        #expect(rules.readablePrefixes(within: try NamePrefix("b/c/d")).map { "\($0)" } == ["b/c/d"])
        #expect(rules.readablePrefixes(within: try NamePrefix("a")).map { "\($0)" } == ["a/x"])
        #expect(rules.readablePrefixes(within: try NamePrefix("z")).isEmpty)
    }

    @Test func anyRightCountsAboveAndBelow() throws {
        let rules = try rules([("a/b", .append)])
        for prefix in ["a", "a/b", "a/b/c"] { #expect(rules.hasAnyRight(within: try NamePrefix(prefix))) }
        #expect(!rules.hasAnyRight(within: try NamePrefix("c")))
    }

    @Test func rightsAreReadAsTheyAreWritten() throws {
        for text in ["read", "read,save", "append", "read,save,remove,append"] {
            #expect("\(try Rights(text))" == text)
        }
        #expect(try Rights("full") == .full)
        for text in ["", "write", "read,", "read save"] {
            #expect(throws: VaultError.self) { try Rights(text) }
        }
    }

    private func rules(_ grants: [(String, Rights)]) throws -> AccessRules {
        AccessRules(try grants.map { Grant(prefix: try NamePrefix($0.0), rights: $0.1) })
    }
}
