import Testing
import VaultModel

extension VaultContract {
    /// Files that changed while they were read.
    @Suite struct Changing {
        private func save(
            _ name: String, _ bytes: [UInt8], changed: Bool, modified: Int64, tags: [TagText: TagText] = [:]
        ) throws -> SmallSave {
            var intent = SaveIntent(
                name: try Name(name), attributes: Attributes(mode: 0o644, modified: modified), tags: tags)
            intent.changedWhileRead = changed
            return SmallSave(intent: intent, chunk: chunk(bytes))
        }

        @Test(arguments: VaultImplementation.all)
        func aMarkStandsForOneVersionAlone(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let first = try await vault.save([
                    save("f", sample(1), changed: true, modified: 1, tags: ["k": "v"])
                ])[0].get().entry
                #expect(first.tags == ["k": "v", .changed: .whileRead])
                let second = try await vault.save([save("f", sample(2), changed: false, modified: 2)])[0].get().entry
                #expect(second.version == 2 && second.tags == ["k": "v"])
                let third = try await vault.save([save("f", sample(3), changed: true, modified: 3)])[0].get().entry
                #expect(third.version == 3 && third.isChangedWhileRead)
                let again = try await vault.save([save("f", sample(4), changed: true, modified: 4)])[0].get().entry
                #expect(again.version == 4 && again.isChangedWhileRead)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func equalContentTakesTheMarkAwayWithoutAVersion(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                _ = try await vault.save([save("f", sample(1), changed: true, modified: 1, tags: ["k": "v"])])
                let outcome = try await vault.save([save("f", sample(1), changed: false, modified: 9)])[0].get()
                #expect(!outcome.isCreated)
                let settled = try #require(try await vault.stat(try name("f"), .current))
                #expect(settled == outcome.entry)
                #expect((settled.version, settled.attributes.modified) == (1, 9) && settled.tags == ["k": "v"])
                #expect(try await vault.history(try name("f")).count == 1)
                // From here on it is a version like any other.
                let other = try await vault.save([save("f", sample(1), changed: false, modified: 10)])[0].get()
                #expect(other.isCreated && other.entry.version == 2)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func anUploadSaysItWithItsCommit(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let upload = try await vault.beginUpload(try intent("f"))
                let chunk = chunk(sample(1, count: 5000))
                _ = try await vault.offer([chunk.reference], to: upload)
                try await vault.put([chunk], to: upload)
                let outcome = try await vault.commit(
                    upload, content: Content(chunk.reference), changedWhileRead: true)
                #expect(try #require(outcome).entry.tags == [.changed: .whileRead])
            }
        }

        @Test(arguments: VaultImplementation.all)
        func nobodySetsOrClearsTheMark(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let marked = try await vault.save([save("f", sample(1), changed: true, modified: 1)])[0].get().entry
                for tags in [[.changed: nil], [.changed: "no"], ["k": "v", .changed: nil]] as [[TagText: TagText?]] {
                    #expect(await code { _ = try await vault.changing(.tag(try name("f"), tags)) } == .invalid)
                }
                for tags in [[.changed: "while-read"], [.changed: ""]] as [[TagText: TagText]] {
                    let save = try save("g", sample(1), changed: false, modified: 1, tags: tags)
                    #expect(await code { _ = try await vault.save([save])[0].get() } == .invalid)
                }
                #expect(try await vault.stat(try name("f"), .current) == marked)
                // Tags of one's own are as free as ever, and leave the mark alone.
                let tagged = try await vault.changing(.tag(try name("f"), ["k": "v"])).entry
                #expect(tagged?.tags == ["k": "v", .changed: .whileRead])
            }
        }
    }
}
