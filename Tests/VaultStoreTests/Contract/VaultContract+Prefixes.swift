import Testing
import VaultModel

extension VaultContract {
    /// Changes of more names than are in memory at once.
    @Suite struct Prefixes {
        private static let count = 700

        private func fill(_ vault: any Vault, _ top: String) async throws {
            let numbers = Array(0..<Self.count)
            for start in stride(from: 0, to: numbers.count, by: 100) {
                let part = numbers[start..<min(start + 100, numbers.count)]
                let saves = try part.map { try small("\(top)/d\($0 % 7)/\($0)", sample($0), tags: ["n": "\($0)"]) }
                for result in try await vault.save(saves) { _ = try result.get() }
            }
        }

        private func names(below top: String) -> [String] {
            (0..<Self.count).map { "\(top)/d\($0 % 7)/\($0)" }.sorted()
        }

        @Test(arguments: VaultImplementation.all)
        func allNamesOfAPrefixAreCopied(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await fill(vault, "a")
                #expect(try await vault.change(.copy(from: try name("a"), to: try name("b/c"))).count == Self.count)
                #expect(try await vault.names() == names(below: "a") + names(below: "b/c"))
                for number in [0, 63, 64, 65, 319, 320, 699] {
                    let text = "b/c/d\(number % 7)/\(number)"
                    #expect(try await vault.read(text) == sample(number))
                    let entry = try await vault.stat(try name(text), .current)
                    #expect(entry?.version == 1 && entry?.tags == ["n": TagText("\(number)")])
                }
            }
        }

        @Test(arguments: VaultImplementation.all)
        func allNamesOfAPrefixAreRenamedWithTheirHistories(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await fill(vault, "a")
                try await vault.save("a/d0/0", sample(1000))
                // What was there once does not come back, but its numbers are not used again.
                try await vault.save("b/d0/7", sample(1001))
                try await vault.remove("b")
                let before = try await vault.entries().count
                #expect(try await vault.change(.rename(from: try name("a"), to: try name("b"))).count == Self.count)
                #expect(try await vault.names() == names(below: "b"))
                #expect(try await vault.entries().count == before)
                #expect(try await vault.history(try name("b/d0/0")).map(\.version) == [1, 2])
                #expect(try await vault.history(try name("b/d0/7")).count == 1)
                try await vault.save("b/d0/7", sample(1002))
                #expect(try await vault.history(try name("b/d0/7")).map(\.version) == [1, 3])
                #expect(try await vault.read("b/d6/699") == sample(699))
            }
        }

        @Test(arguments: VaultImplementation.all)
        func allNamesOfAPrefixAreRemoved(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await fill(vault, "a")
                try await vault.save("a-b", sample(1))
                #expect(try await vault.change(.remove(try NamePrefix("a"))).count == Self.count)
                #expect(try await vault.names() == ["a-b"])
                #expect(try await vault.history(try name("a/d6/699")).map(\.kind) == [.file, .removed])
                #expect(try await vault.read("a/d6/699", .version(1)) == sample(699))
                try await fill(vault, "a")
                #expect(try await vault.change(.remove(.all)).count == Self.count + 1)
                #expect(try await vault.names() == [])
            }
        }

        @Test(arguments: VaultImplementation.all)
        func manyVersionsOfANameAreDroppedInParts(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                for start in stride(from: 0, to: 700, by: 100) {
                    let saves = try (start..<start + 100).map { try small("a", [], modified: Int64($0)) }
                    for result in try await vault.save(saves) { _ = try result.get() }
                }
                try await vault.save("b", sample(1))
                #expect(try await vault.keep(last: 2).droppedVersions == 698)
                #expect(try await vault.history(try name("a")).map(\.version) == [699, 700])
                try await vault.remove("a")
                // Only the removal of the name itself lets go of its last versions.
                subject.clock.advance(100)
                var policy = KeepPolicy()
                policy.within = 10
                let report = try await vault.keep(.all, policy, calendar: .utc, isDryRun: false)
                #expect(report.forgottenNames == 1)
                #expect(await code { _ = try await vault.history(try name("a")) } == .notFound)
                #expect(try await vault.names() == ["b"])
            }
        }
    }
}
