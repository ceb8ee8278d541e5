import Testing
import VaultModel

@testable import VaultStore

extension VaultContract {
    /// A collection tells what it had to keep, why, and until when.
    @Suite struct Retained {
        @Test(arguments: VaultImplementation.all)
        func nothingIsToldWhereAllIsNeeded(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                try await subject.vault.upload("a", sample(1, count: 1000))
                let read = try await subject.vault.openRead(try Name("a"), .current)
                let report = try await subject.vault.collect()
                #expect(!report.retained.contains { $0.reason == .uploads || $0.reason == .reads })
                await subject.vault.closeRead(read.id)
            }
        }

        @Test(arguments: VaultImplementation.all)
        func unfinishedUploadsAreToldUntilTheyAreGivenUp(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                let shared = sample(1, count: 400)
                try await vault.upload("a", shared)
                for name in ["b", "c"] {
                    let upload = try await vault.beginUpload(try intent(name))
                    _ = try await vault.send(shared + sample(name == "b" ? 2 : 3, count: 1000), to: upload)
                    await vault.abort(upload)
                }
                let touched = subject.clock.now
                subject.clock.advance(100)
                let report = try await vault.collect()
                let uploads = try #require(report.retained.first { $0.reason == .uploads })
                #expect(uploads.count == 2 && uploads.endsAt == touched + StoreLimits.uploadSeconds)
                // What the version needs does not count.
                #expect(uploads.bytes == 20 * UInt64(100 + RecordHeader.byteCount))
                subject.clock.advance(StoreLimits.uploadSeconds)
                let later = try await vault.collect()
                #expect(later.removedChunks == 20)
                #expect(!later.retained.contains { $0.reason == .uploads })
            }
        }

        @Test(arguments: VaultImplementation.all)
        func readsAreToldUntilTheirLeaseIsVoid(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                try await vault.upload("a", sample(1, count: 20_000), chunkSize: 1000)
                let read = try await vault.openRead(try Name("a"), .current)
                let began = subject.clock.now
                try await vault.upload("a", sample(2, count: 20_000), chunkSize: 1000)
                try await vault.keep(last: 1)
                let report = try await vault.collect()
                let reads = try #require(report.retained.first { $0.reason == .reads })
                #expect(report.removedChunks == 0)
                #expect(reads.count == 1 && reads.endsAt == began + StoreLimits.leaseSeconds)
                // The chunks, and the list node above them.
                #expect(reads.bytes > 20 * UInt64(1000 + RecordHeader.byteCount))
                await vault.closeRead(read.id)
                subject.clock.advance(StoreLimits.leaseSeconds + 1)
                let later = try await vault.collect()
                #expect(later.removedChunks == 21)
                #expect(!later.retained.contains { $0.reason == .reads })
            }
        }

        @Test(arguments: VaultImplementation.all)
        func packsWithTooLittleOfNoUseAreTold(_ implementation: VaultImplementation) async throws {
            try await implementation { subject in
                let vault = subject.vault
                // Together, so that they are in one pack everywhere.
                let saves = try (0..<20).map { try small("f\($0)", sample($0, count: 2000)) }
                for outcome in try await vault.save(saves) { _ = try outcome.get() }
                try await vault.remove("f7")
                func keepCurrent() async throws {
                    subject.clock.advance(10)
                    var policy = KeepPolicy()
                    policy.within = 1
                    _ = try await vault.keep(.all, policy, calendar: .utc, isDryRun: false)
                }
                try await keepCurrent()
                let report = try await vault.collect()
                #expect(report.removedChunks == 1 && report.changedPacks == 0)
                let packs = try #require(report.retained.first { $0.reason == .packs })
                #expect(packs.count == 1 && packs.bytes == UInt64(2000 + RecordHeader.byteCount) && packs.endsAt == nil)
                for number in 0..<20 where number % 2 == 0 { try await vault.remove("f\(number)") }
                try await keepCurrent()
                let rewritten = try await vault.collect()
                #expect(rewritten.changedPacks > 0)
                #expect(!rewritten.retained.contains { $0.reason == .packs })
            }
        }
    }
}
