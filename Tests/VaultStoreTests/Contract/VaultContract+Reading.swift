import TestSupport
import Testing
import VaultModel

extension VaultContract {
    @Suite struct Reading {
        @Test(arguments: VaultImplementation.all)
        func aListingIsOneSnapshotWhileNamesChange(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let names = (100..<130).map { "n/\($0)" }
                _ = try await vault.save(names.map { try small($0, sample(1)) })
                let before = try await vault.entries()
                var pages = [try await vault.list(ListQuery(limit: 7))]
                #expect(pages[0].entries.count == 7)
                try await vault.remove("n/110")
                try await vault.save("n/111", sample(2))
                try await vault.rename("n/112", "n/125a")
                try await vault.save("n/112", sample(3))
                try await vault.rename("n/129", "a")
                try await vault.save("n/115b", sample(2))
                while let next = pages[pages.count - 1].next { pages.append(try await vault.list(next)) }
                #expect(pages.flatMap(\.entries) == before)
                #expect(pages.allSatisfy { $0.entries.count <= 7 })
            }
        }

        @Test(arguments: VaultImplementation.all)
        func anOldStateIsListedAndReadByTimeAndSequence(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let start = subject.clock.now
                try await vault.save("a", sample(1))
                subject.clock.advance(10)
                let second = try await vault.save("a", sample(2)).entry
                try await vault.save("b", sample(3))
                subject.clock.advance(10)
                try await vault.remove("a")
                try await vault.rename("b", "c")
                #expect(try await vault.names() == ["c"])
                #expect(try await vault.names(.time(start - 1)) == [])
                #expect(try await vault.names(.time(start)) == ["a"])
                #expect(try await vault.names(.time(start + 9)) == ["a"])
                #expect(try await vault.names(.time(start + 10)) == ["a", "b"])
                #expect(try await vault.names(.sequence(second.sequence)) == ["a"])
                #expect(try await vault.names(.sequence(0)) == [])
                #expect(try await vault.names(.sequence(.max)) == ["c"])
                #expect(try await vault.read("a", .time(start)) == sample(1))
                #expect(try await vault.read("a", .time(start + 15)) == sample(2))
                #expect(try await vault.read("a", .sequence(second.sequence)) == sample(2))
                #expect(try await vault.read("a", .version(1)) == sample(1))
                #expect(try await vault.stat(try name("a"), .time(start + 20)) == nil)
                #expect(try await vault.stat(try name("a"), .version(9)) == nil)
                #expect(try await vault.stat(try name("a"), .version(.max)) == nil)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func smallContentsAreReadTogetherAndFailAlone(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.save("a", sample(1))
                try await vault.save("empty", [])
                _ = try await ContentSave(to: vault).save(
                    randomBytes(Limits.smallFileBytesMax + 1, seed: 3), try small("large", []).intent)
                try await vault.save("longer", sample(5))
                try await vault.save("gone", sample(1))
                try await vault.remove("gone")
                try await vault.save("a", sample(2))
                let length = Limits.smallFileBytesMax
                func read(_ text: String, _ length: Int, _ selector: Selector = .current) throws -> SmallRead {
                    SmallRead(name: try name(text), selector: selector, length: length)
                }
                let results = try await vault.read([
                    read("a", length), read("a", length, .version(1)), read("empty", 0), read("gone", length),
                    read("none", length), read("large", length), read("longer", 1), read("a", length),
                ])
                let bytes = results.map { result in
                    (try? result.get()).map { $0.chunk?.bytes.bytes ?? [] }
                }
                #expect(bytes == [sample(2), sample(1), [], nil, nil, nil, nil, sample(2)])
                #expect(try results[1].get().entry.version == 1)
                let codes = results.map { result -> VaultError.Code? in
                    if case .failure(let error) = result { error.code } else { nil }
                }
                #expect(codes == [nil, nil, nil, .notFound, .notFound, .conflict, .conflict, nil])
                #expect(try await vault.read([]).isEmpty)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func oldNamesReadAcrossRenames(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let times = (0..<4).map { subject.clock.now + Int64($0) * 10 }
                try await vault.save("a", sample(1))
                subject.clock.advance(10)
                try await vault.rename("a", "b")
                subject.clock.advance(10)
                try await vault.save("a", sample(2))
                try await vault.save("b", sample(3))
                subject.clock.advance(10)
                try await vault.rename("a", "c")
                try await vault.rename("b", "a")
                #expect(try await vault.names(.time(times[0])) == ["a"])
                #expect(try await vault.names(.time(times[1])) == ["b"])
                #expect(try await vault.names(.time(times[2])) == ["a", "b"])
                #expect(try await vault.names(.time(times[3])) == ["a", "c"])
                #expect(try await vault.read("a", .time(times[0])) == sample(1))
                #expect(try await vault.stat(try name("a"), .time(times[1])) == nil)
                #expect(try await vault.read("b", .time(times[1])) == sample(1))
                #expect(try await vault.read("a", .time(times[2])) == sample(2))
                #expect(try await vault.read("b", .time(times[2])) == sample(3))
                #expect(try await vault.read("a", .time(times[3])) == sample(3))
                #expect(try await vault.read("a", .version(1)) == sample(1))
                #expect(try await vault.history(try name("a")).map(\.version) == [1, 2])
                let versions = try await vault.entries(
                    ListQuery(selector: .time(times[2]), includesVersions: true))
                #expect(versions.map(\.name.text) == ["a", "b", "b"])
            }
        }

        @Test(arguments: VaultImplementation.all)
        func aPrefixMovesWithItsHistory(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.save("p/a", sample(1))
                try await vault.save("p/a", sample(2))
                try await vault.save("p/q/b", sample(3))
                try await vault.save("p/gone", sample(4))
                try await vault.remove("p/gone")
                try await vault.save("p2", sample(5))
                try await vault.save("taken", sample(6))
                let sequence = try #require(try await vault.entries().map(\.sequence).max())
                #expect(await code { try await vault.rename("p", "taken") } == .exists)
                #expect(await code { try await vault.rename("p", "p/x") } == .invalid)
                #expect(await code { try await vault.rename("nothing", "x") } == .notFound)
                #expect(try await vault.names() == ["p/a", "p/q/b", "p2", "taken"])
                try await vault.rename("p", "r/s")
                #expect(try await vault.names() == ["p2", "r/s/a", "r/s/q/b", "taken"])
                #expect(try await vault.history(try name("r/s/a")).map(\.version) == [1, 2])
                #expect(try await vault.read("r/s/a", .version(1)) == sample(1))
                #expect(try await vault.names(.sequence(sequence)) == ["p/a", "p/q/b", "p2", "taken"])
                #expect(try await vault.read("p/a", .sequence(sequence)) == sample(2))
            }
        }

        @Test(arguments: VaultImplementation.all)
        func aCopyStartsItsHistoryAfresh(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.save("p/a", sample(1))
                try await vault.save("p/a", sample(2), tags: ["k": "v"])
                try await vault.save("p/b", sample(3))
                let change = Change.copy(from: try name("p"), to: try name("q"))
                #expect(try await vault.change(change).count == 2)
                #expect(await code { try await vault.change(change) } == .exists)
                #expect(try await vault.names() == ["p/a", "p/b", "q/a", "q/b"])
                #expect(try await vault.history(try name("q/a")).map(\.version) == [1])
                #expect(try await vault.stat(try name("q/a"), .current)?.tags == ["k": "v"])
                #expect(try await vault.read("q/a") == sample(2))
                try await vault.save("p/a", sample(4))
                #expect(try await vault.read("q/a") == sample(2))
            }
        }

        @Test(arguments: VaultImplementation.all)
        func aListingTakesPrefixVersionsAndAfter(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                for text in ["p", "p!", "p-x", "p.y", "p/a", "p0"] where text != "p" {
                    try await vault.save(text, sample(1))
                }
                try await vault.save("p/a", sample(2))
                try await vault.save("p/b/c", sample(2))
                try await vault.remove("p/b/c")
                try await vault.save("p/ü", sample(2))
                #expect(try await vault.names() == ["p!", "p-x", "p.y", "p/a", "p/ü", "p0"])
                let below = try await vault.entries(ListQuery(prefix: try NamePrefix("p")))
                #expect(below.map(\.name.text) == ["p/a", "p/ü"])
                let single = try await vault.entries(ListQuery(prefix: try NamePrefix("p/a")))
                #expect(single.map(\.name.text) == ["p/a"])
                let all = try await vault.entries(ListQuery(prefix: try NamePrefix("p"), includesVersions: true))
                #expect(all.map(\.name.text) == ["p/a", "p/a", "p/b/c", "p/b/c", "p/ü"])
                #expect(all.map(\.version) == [1, 2, 1, 2, 1])
                let after = try await vault.entries(ListQuery(after: try name("p.y")))
                #expect(after.map(\.name.text) == ["p/a", "p/ü", "p0"])
                let inside = try await vault.entries(
                    ListQuery(prefix: try NamePrefix("p"), after: try name("p/a"), limit: 1))
                #expect(inside.map(\.name.text) == ["p/ü"])
                let before = try await vault.entries(
                    ListQuery(prefix: try NamePrefix("p"), after: try name("a"), limit: 1))
                #expect(before.map(\.name.text) == ["p/a", "p/ü"])
                let old = try await vault.entries(ListQuery(selector: .sequence(6), includesVersions: true))
                #expect(old.map(\.sequence).max() == 6)
                #expect(old.count == 6)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func aPageEndsWhereItsEntriesAreLongAlsoWithinTheVersionsOfAName(
            _ implementation: VaultImplementation
        ) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let long = TagText(String(repeating: "t", count: 60_000))
                try await vault.save("a", sample(1))
                for number in 0..<45 { try await vault.save("b", sample(1), tags: ["k": long, "n": "\(number)"]) }
                for number in 0..<45 { try await vault.save("c/\(number + 100)", sample(1), tags: ["k": long]) }
                try await vault.save("d", sample(1))
                var query: ListQuery? = ListQuery(includesVersions: true, limit: 1000)
                var (entries, pages): ([Entry], Int) = ([], 0)
                while let asked = query {
                    let page = try await vault.list(asked)
                    #expect(page.entries.reduce(0) { $0 + $1.memoryBytes } < 2 * Limits.pageBytesMax)
                    entries += page.entries
                    pages += 1
                    query = page.next
                }
                #expect(pages > 2)
                #expect(
                    entries.map(\.name.text) == ["a"] + Array(repeating: "b", count: 45)
                        + (0..<45).map { "c/\($0 + 100)" } + ["d"])
                #expect(entries.filter { $0.name.text == "b" }.map(\.version) == Array(1...45))
                let found = try await vault.entries(
                    ListQuery(prefix: try NamePrefix("b"), includesVersions: true, tags: ["n": "42"]))
                #expect(found.map(\.version) == [43])
                #expect(try await vault.names().count == 48)
                #expect(try await vault.history(try name("b")).map(\.version) == Array(1...45))
            }
        }

        @Test(arguments: VaultImplementation.all)
        func layoutAndFetchStartAnywhere(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let bytes = sample(1, count: 1050)
                try await vault.upload("a", bytes)
                let read = try await vault.openRead(try name("a"), .current)
                for start in [0, 1, 99, 100, 500, 1049] {
                    var rest: [UInt8] = []
                    try await Download(from: vault).stream(read, from: UInt64(start)) { rest += $0 }
                    #expect(rest == Array(bytes[start...]))
                }
                #expect(try await vault.layout(read.id, from: 1050, count: 4) == [])
                #expect(try await vault.layout(read.id, from: .max, count: 4) == [])
                #expect(try await vault.layout(read.id, from: 250, count: 2).map(\.position) == [200, 300])
                await vault.closeRead(read.id)
                #expect(await code { _ = try await vault.layout(read.id, from: 0, count: 1) } == .notFound)
                #expect(await code { _ = try await vault.fetch([], of: read.id) } == .notFound)
                #expect(await code { _ = try await vault.openRead(try name("b"), .current) } == .notFound)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func aFileOfManyListNodesReadsBack(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let bytes = sample(1, count: 30_000)
                let saved = try #require(try await vault.upload("a", bytes, chunkSize: 3, perSegment: 2500))
                #expect(saved.entry.content.depth == 2)
                #expect(try await vault.read("a") == bytes)
                let again = try #require(
                    try await vault.upload("b", sample(2, count: 3) + bytes, chunkSize: 3, perSegment: 2500))
                #expect(again.newBytes == 3)
                #expect(try await vault.verify(VerifyRequest()).isClean)
            }
        }
    }
}
