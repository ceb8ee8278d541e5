import Testing
import VaultModel

extension VaultContract {
    /// A clock that was wrong once dates what was saved then, and nothing after it.
    @Suite struct Clocks {
        private static let day: Int64 = 86_400

        /// Saves `f` once a day for some days, and once more under a clock that is wrong by so many days.
        private func saveUnderAWrongClock(
            _ subject: VaultImplementation.Subject, off days: Int64
        ) async throws -> Int64 {
            let start = subject.clock.now
            try await subject.vault.save("f", sample(1))
            subject.clock.advance(Clocks.day)
            try await subject.vault.save("f", sample(2))
            subject.clock.advance(days * Clocks.day)
            try await subject.vault.save("f", sample(3))
            try await subject.vault.save("g", sample(3))
            subject.clock.advance(-days * Clocks.day)
            for number in 4...6 {
                subject.clock.advance(Clocks.day)
                try await subject.vault.save("f", sample(number))
            }
            return start
        }

        @Test(arguments: VaultImplementation.all, [5000, -400] as [Int64])
        func statesAtATimeStayRight(_ implementation: VaultImplementation, _ days: Int64) async throws {
            try await implementation { subject in
                let start = try await saveUnderAWrongClock(subject, off: days)
                func state(_ time: Int64) async throws -> UInt64? {
                    try await subject.vault.stat(try name("f"), .time(time))?.version
                }
                #expect(try await state(start - 1) == nil)
                #expect(try await state(start + Clocks.day - 1) == 1)
                // The wrong save counts as made with the one before.
                #expect(try await state(start + Clocks.day) == 3)
                #expect(try await state(start + 2 * Clocks.day - 1) == 3)
                for number in 4...6 as ClosedRange<UInt64> {
                    #expect(try await state(start + Int64(number - 2) * Clocks.day) == number)
                }
                #expect(try await state(subject.clock.now) == 6)
                let listed = try await subject.vault.list(ListQuery(selector: .time(start + 2 * Clocks.day)))
                #expect(listed.entries.map(\.version) == [4, 1])
                let read = SmallRead(
                    name: try name("f"), selector: .time(start + 3 * Clocks.day), length: Limits.smallFileBytesMax)
                #expect(try await subject.vault.read([read])[0].get().entry.version == 5)
                let open = try await subject.vault.openRead(try name("f"), .time(start + 3 * Clocks.day))
                #expect(open.entry.version == 5)
                await subject.vault.closeRead(open.id)
                let dates = try await subject.vault.history(try name("f")).map { ($0.savedAt - start) / Clocks.day }
                #expect(dates == [0, 1, 1 + days, 2, 3, 4])
            }
        }

        @Test(arguments: VaultImplementation.all, [5000, -400] as [Int64])
        func keepTakesNoOtherVersionForIt(_ implementation: VaultImplementation, _ days: Int64) async throws {
            try await implementation { subject in
                _ = try await saveUnderAWrongClock(subject, off: days)
                var policy = KeepPolicy()
                policy.daily = 5
                _ = try await subject.vault.keep(.all, policy, calendar: .utc, isDryRun: false)
                #expect(try await subject.vault.history(try name("f")).map(\.version) == [1, 2, 3, 4, 5, 6])
                policy = KeepPolicy()
                policy.within = 2 * Clocks.day - 1
                _ = try await subject.vault.keep(.all, policy, calendar: .utc, isDryRun: false)
                #expect(try await subject.vault.history(try name("f")).map(\.version) == [4, 5, 6])
            }
        }

        @Test(arguments: VaultImplementation.all)
        func keepForgetsNothingRecentForTwoSavesWithoutAClock(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                try await subject.vault.save("f", sample(1))
                let away = subject.clock.now
                subject.clock.advance(-away)
                for seed in 2...3 {
                    subject.clock.advance(5)
                    try await subject.vault.save("f", sample(seed))
                }
                subject.clock.advance(away)
                var policy = KeepPolicy()
                policy.within = Clocks.day
                _ = try await subject.vault.keep(.all, policy, calendar: .utc, isDryRun: false)
                #expect(try await subject.vault.history(try name("f")).map(\.version).contains(1))
            }
        }

        /// Of one earlier commit and two under the wrong clock, nothing tells which are right.
        @Test(arguments: VaultImplementation.all, [1, 3])
        func keepDatesAWholeNameByItsNeighboursInTheJournal(
            _ implementation: VaultImplementation, earlier count: Int
        ) async throws {
            try await implementation { subject in
                for seed in 1...count {
                    try await subject.vault.save("a", sample(seed))
                    subject.clock.advance(5)
                }
                let off = 400 * Clocks.day
                subject.clock.advance(-off)
                try await subject.vault.save("g", sample(4))
                subject.clock.advance(5)
                _ = try await subject.vault.changing(.remove(NamePrefix(name("g"))))
                subject.clock.advance(off)
                try await subject.vault.save("b", sample(5))
                var policy = KeepPolicy()
                policy.within = 30 * Clocks.day
                #expect(
                    try await subject.vault.keep(.all, policy, calendar: .utc, isDryRun: false).droppedVersions == 0)
                #expect(try await subject.vault.history(try name("g")).count == 2)
                // Its time comes as that of others does.
                subject.clock.advance(31 * Clocks.day)
                #expect(try await subject.vault.keep(.all, policy, calendar: .utc, isDryRun: false).forgottenNames == 1)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func oneWhoWaitedForAnothersCommitIsNoClockThatWentBack(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                try await subject.vault.save("f", sample(1))
                let before = subject.clock.now
                subject.clock.advance(-5)
                try await subject.vault.save("f", sample(2))
                #expect(try await subject.vault.history(try name("f")).map(\.savedAt) == [before, before])
            }
        }

        @Test(arguments: VaultImplementation.all)
        func whatWasBegunUnderAClockThatWasAheadDoesNotStayForGood(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                subject.clock.advance(600 * Clocks.day)
                let upload = try await subject.vault.beginUpload(try intent("f"))
                let chunk = chunk(sample(1, count: 5000))
                _ = try await subject.vault.offer([chunk.reference], to: upload)
                try await subject.vault.put([chunk], to: upload)
                await subject.vault.abort(upload)
                subject.clock.advance(-600 * Clocks.day)
                #expect(try await subject.vault.collect().removedChunks == 1)
            }
        }
    }
}
