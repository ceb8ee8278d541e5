import Testing
import VaultModel

extension VaultContract {
    @Suite struct Names {
        @Test(arguments: VaultImplementation.all)
        func aNameIsNotAnothersDirectory(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.save("a/b/c", sample(1))
                for taken in ["a", "a/b", "a/b/c/d"] {
                    #expect(await code { try await vault.save(taken, sample(2)) } == .exists)
                    #expect(await code { try await vault.upload(taken, sample(2, count: 500)) } == .exists)
                }
                try await vault.save("x", sample(3))
                for target in ["a", "a/b/c/d", "a/b/c"] {
                    #expect(await code { try await vault.rename("x", target) } == .exists)
                    #expect(
                        await code { try await vault.change(.copy(from: try name("x"), to: try name(target))) }
                            == .exists)
                }
                try await vault.remove("a/b/c")
                try await vault.save("a/b", sample(2))
                #expect(try await vault.names() == ["a/b", "x"])
                #expect(await code { try await vault.change(.revert(try name("a/b/c"), version: 1)) } == .exists)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func aNameBelowAFileIsRefusedHoweverOften(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let results = try await vault.save([
                    small("a", sample(1)), small("a/b/c", sample(2)), small("a/b/d", sample(3)),
                    small("a/b", sample(4)),
                ])
                #expect(results.compactMap(\.failureCode) == [.exists, .exists, .exists])
                #expect(try await vault.names() == ["a"])
            }
        }

        @Test(arguments: VaultImplementation.all)
        func removedNamesMakeRoomWithinABatch(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.save("a/b", sample(1))
                let results = try await vault.change([
                    .copy(from: name("a/b"), to: name("c/d")), .remove(NamePrefix("c/d")), .remove(NamePrefix("a/b")),
                    .revert(name("a/b"), version: 1), .copy(from: name("a/b"), to: name("c")),
                ])
                #expect(results.compactMap(\.failureCode) == [])
                #expect(try await vault.names() == ["a/b", "c"])
            }
        }

        @Test(arguments: VaultImplementation.all)
        func anEmptyDirectoryGivesWay(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.save("a/b", [], kind: .directory)
                try await vault.save("a/b/c", sample(1))
                #expect(try await vault.names() == ["a/b/c"])
                #expect(await code { try await vault.save("a/b", [], kind: .directory) } == .exists)
                try await vault.save("d", [], kind: .directory)
                try await vault.save("d", sample(2))
                #expect(try await vault.names() == ["a/b/c", "d"])
                #expect(try await vault.history(try name("a/b")).map(\.kind) == [.directory, .removed])
                try await vault.save("e", [], kind: .directory)
                try await vault.rename("d", "e/f")
                #expect(try await vault.names() == ["a/b/c", "e/f"])
            }
        }

        @Test(arguments: VaultImplementation.all)
        func aRefusedChangeLeavesAnEmptyDirectoryAlone(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let long = String(repeating: "p", count: 250)
                let deep = [String](repeating: long, count: 16).joined(separator: "/")
                try await vault.save("d", [], kind: .directory)
                try await vault.save("x/\(deep)", sample(1))
                let rename = Change.rename(from: try name("x"), to: try name("d/\(long)"))
                #expect(await code { try await vault.change(rename) } == .invalid)
                #expect(try await vault.names() == ["d", "x/\(deep)"])
            }
        }

        @Test(arguments: VaultImplementation.all)
        func versionsOfANameAreNeverReused(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.save("a", sample(1))
                #expect(try await vault.save("a", sample(2)).entry.version == 2)
                try await vault.remove("a")
                #expect(try await vault.save("a", sample(3)).entry.version == 4)
                try await vault.rename("a", "b")
                #expect(try await vault.stat(try name("b"), .current)?.version == 4)
                #expect(try await vault.save("a", sample(4)).entry.version == 5)
                #expect(try await vault.save("b", sample(5)).entry.version == 5)
                try await vault.remove("a")
                subject.clock.advance(10)
                var policy = KeepPolicy()
                policy.within = 1
                let report = try await vault.keep(try NamePrefix("a"), policy, calendar: .utc, isDryRun: false)
                #expect(report.forgottenNames == 1)
                #expect(await code { _ = try await vault.history(try name("a")) } == .notFound)
                #expect(try await vault.save("a", sample(6)).entry.version == 7)
                #expect(try await vault.read("b") == sample(5))
            }
        }

        @Test(arguments: VaultImplementation.all)
        func aRemovalIsAVersion(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.save("a/b", sample(1))
                try await vault.save("a/c", sample(2))
                try await vault.save("ab", sample(3))
                #expect(await code { try await vault.remove("c") } == .notFound)
                #expect(
                    await code { try await vault.change(.remove(try NamePrefix("a/b"), ifVersion: 2)) } == .conflict)
                let outcome = try await vault.change(.remove(try NamePrefix("a")))
                #expect(outcome.count == 2)
                #expect(try await vault.names() == ["ab"])
                #expect(try await vault.stat(try name("a/b"), .current) == nil)
                #expect(await code { _ = try await vault.read("a/b") } == .notFound)
                #expect(try await vault.history(try name("a/b")).map(\.kind) == [.file, .removed])
                #expect(try await vault.read("a/b", .version(1)) == sample(1))
                #expect(await code { _ = try await vault.read("a/b", .version(2)) } == .notFound)
                #expect(await code { try await vault.remove("a/b") } == .notFound)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func revertAddsAVersion(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.save("a", sample(1), modified: 5, tags: ["k": "v"])
                try await vault.save("a", sample(2))
                let outcome = try await vault.change(.revert(try name("a"), version: 1))
                #expect(outcome.entry?.version == 3)
                #expect(outcome.entry?.tags == ["k": "v"])
                #expect(outcome.entry?.attributes.modified == 5)
                #expect(try await vault.read("a") == sample(1))
                #expect(try await vault.change(.revert(try name("a"), version: 3)).count == 0)
                try await vault.remove("a")
                #expect(await code { try await vault.change(.revert(try name("a"), version: 4)) } == .notFound)
                #expect(await code { try await vault.change(.revert(try name("a"), version: 9)) } == .notFound)
                try await vault.change(.revert(try name("a"), version: 2))
                #expect(try await vault.read("a") == sample(2))
                #expect(try await vault.history(try name("a")).map(\.version) == [1, 2, 3, 4, 5])
            }
        }

        @Test(arguments: VaultImplementation.all)
        func aSaveKeepsTheTagsThatItDoesNotSet(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.save("a", sample(1), tags: ["x": "1", "y": "2"])
                try await vault.save("a", sample(2), tags: ["y": "3"])
                #expect(try await vault.stat(try name("a"), .current)?.tags == ["x": "1", "y": "3"])
            }
        }

        @Test(arguments: VaultImplementation.all)
        func tagsAreComparedByTheirBytes(_ implementation: VaultImplementation) async throws {
            // Two spellings of one letter, which a String takes for the same.
            let (one, two): (TagText, TagText) = ("\u{E9}", "e\u{301}")
            try await implementation { subject in
                let vault = subject.vault
                let saved = try await vault.save("a", sample(1), tags: [one: "1", two: "2", "a\0b": "\0"])
                let all: [TagText: TagText] = [one: "1", two: "2", "a\0b": "\0"]
                #expect(saved.entry.tags == all && saved.entry.tags.count == 3)
                #expect(try await vault.stat(try name("a"), .current)?.tags == all)
                #expect(try await vault.history(try name("a")).map(\.tags) == [all])
                let outcome = try await vault.change(.tag(try name("a"), [two: nil, "a\0b": nil]))
                #expect(outcome.entry?.tags == [one: "1"] && outcome.count == 1)
                #expect(try await vault.change(.tag(try name("a"), [two: nil])).count == 0)
                try await vault.save("b", sample(2), tags: ["k": one])
                #expect(try await vault.save("b", sample(2), tags: ["k": two]).isCreated)
                #expect(try await vault.entries(ListQuery(tags: ["k": one])).isEmpty)
                #expect(try await vault.entries(ListQuery(tags: ["k": two])).map(\.name.text) == ["b"])
                #expect(try await vault.entries(ListQuery(tags: [one: "1"])).map(\.name.text) == ["a"])
                #expect(try await vault.entries(ListQuery(tags: [two: "1"])).isEmpty)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func tagsChangeByAVersion(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.save("a", sample(1), tags: ["x": "1", "y": "2"])
                let outcome = try await vault.change(.tag(try name("a"), ["x": nil, "y": "3", "z": "4"]))
                #expect(outcome.entry?.tags == ["y": "3", "z": "4"])
                #expect(outcome.entry?.version == 2)
                #expect(try await vault.change(.tag(try name("a"), ["y": "3"])).count == 0)
                #expect(try await vault.stat(try name("a"), .version(1))?.tags == ["x": "1", "y": "2"])
                #expect(await code { try await vault.change(.tag(try name("b"), ["y": "3"])) } == .notFound)
                try await vault.save("b", sample(2), tags: ["y": "3"])
                try await vault.save("c", sample(3))
                #expect(
                    try await vault.entries(ListQuery(tags: ["y": "3"])).map(\.name.text) == ["a", "b"])
                #expect(
                    try await vault.entries(ListQuery(tags: ["y": "3", "z": "4"])).map(\.name.text) == ["a"])
            }
        }
    }
}
