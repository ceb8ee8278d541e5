import Foundation
import Testing
import VaultModel

@testable import VaultStore

/// Work on a vault that is interrupted at every operation on its files.
struct Scenario: Sendable, CustomTestStringConvertible {
    typealias Work = @Sendable (StoredVault, Ledger, ManualClock) async throws -> Void

    let testDescription: String
    /// What is there before; nil for no vault at all.
    let prepare: Work?
    /// Whether the work is a repair, which opens the vault itself.
    let isRepair: Bool
    let work: Work

    var access: StoredVault.Access { prepare == nil ? .create : .readWrite }

    init(
        _ description: String, isRepair: Bool = false, prepare: Work? = Scenario.prepareFiles,
        work: @escaping Work
    ) {
        testDescription = description
        self.isRepair = isRepair
        self.prepare = prepare
        self.work = work
    }

    @Sendable private static func prepareFiles(_ vault: StoredVault, _ ledger: Ledger, _: ManualClock) async throws {
        try await ledger.save(["kept": sample(90), "k/ept": sample(91)], to: vault)
        try await ledger.upload("kept large", sample(92, count: 900), to: vault)
    }

    static let all = [create, saveBatches, saveLarge, push, remove, rename, wideCopy, collect, repair]
}

@Suite struct FaultTests {
    enum Harm {
        case diskError, crash

        /// A disk is full at one operation and broken at the next.
        func fault(at operation: Int) -> FaultyFiles.Fault {
            switch self {
            case .diskError: operation.isMultiple(of: 2) ? .error(EIO) : .error(ENOSPC)
            case .crash: .crash
            }
        }
    }

    @Test(arguments: Scenario.all, [Harm.diskError, .crash])
    func nothingAcknowledgedIsLost(_ scenario: Scenario, _ harm: Harm) async throws {
        try await withTemporaryDirectory { directory in
            let base = directory.appending("base")
            let prepared = Ledger()
            let clock = ManualClock()
            if let prepare = scenario.prepare {
                try await withVault(base, clock: clock) { try await prepare($0, prepared, clock) }
            }
            for failing in 1... {
                let fault = harm.fault(at: failing)
                let vault = directory.appending("vault\(failing)")
                copyVault(base, to: vault)
                let ledger = Ledger(prepared)
                let files = FaultyFiles(vault, failing: failing, with: fault)
                try await run(scenario, vault, ledger, ManualClock(clock.now), files)
                let comment = Comment(rawValue: "\(scenario.testDescription), \(fault), operation \(failing)")
                if let remains = files.remains {
                    try await check(remains.killed, ledger, clock, scenario, "killed: \(comment)")
                    try await check(remains.powerless, ledger, clock, scenario, "powerless: \(comment)")
                } else {
                    try await check(vault, ledger, clock, scenario, comment)
                }
                if !files.hasReachedFault { break }
                try #require(failing < 1000)
                for path in [vault, files.remains?.killed, files.remains?.powerless].compactMap({ $0 }) {
                    try? FileManager.default.removeItem(atPath: path.text)
                }
            }
        }
    }

    /// Runs the work until a fault ends it; what fails without one is a failure of the test.
    private func run(
        _ scenario: Scenario, _ directory: LocalPath, _ ledger: Ledger, _ clock: ManualClock, _ files: FaultyFiles
    ) async throws {
        do {
            if scenario.isRepair {
                _ = try await VaultRepair(directory, files: files).rebuild()
                return
            }
            let vault = try await StoredVault.open(
                directory, access: scenario.access, savedBy: "anna", files: files, clock: { clock.now })
            do {
                try await scenario.work(vault, ledger, clock)
            } catch  where !files.hasReachedFault {
                throw error
            } catch {
                // The same process goes on after a disk's error.
                if files.remains == nil { try await goOn(vault, ledger, "after the error") }
            }
            await vault.close()
        } catch  where files.hasReachedFault {
            // Opening the vault failed, or the repair, or the process died.
        }
    }

    /// Checks what a process finds that opens the vault after the fault.
    private func check(
        _ directory: LocalPath, _ ledger: Ledger, _ clock: ManualClock, _ scenario: Scenario, _ comment: Comment
    ) async throws {
        do {
            let ledger = Ledger(ledger)
            if scenario.isRepair,
                await code({ try await withVault(directory, access: .readWrite) { _ in } }) == .integrity
            {
                _ = try await VaultRepair(directory).rebuild()
            }
            let later = ManualClock(clock.now + 200)
            let before = try await withVault(directory, access: scenario.access, clock: later) { vault in
                try await goOn(vault, ledger, comment)
                _ = try await vault.collect()
                #expect(try await vault.verify(VerifyRequest()).isClean, comment)
                try await ledger.check(vault, comment)
                return try await journaled(vault)
            }
            _ = try await VaultRepair(directory).rebuild()
            try await withVault(directory, access: .readWrite, clock: clock) { vault in
                try await ledger.check(vault, "rebuilt; \(comment)")
                #expect(try await journaled(vault) == before, "rebuilt; \(comment)")
                #expect(try await vault.verify(VerifyRequest()).isClean, "rebuilt; \(comment)")
            }
        } catch {
            Issue.record("\(error); \(comment)")
        }
    }

    /// All versions as the journal has them: by what a file is recognised later may be newer in the catalog.
    private func journaled(_ vault: StoredVault) async throws -> [Entry] {
        try await vault.entries(ListQuery(includesVersions: true)).map { entry in
            var entry = entry
            entry.attributes.origin = nil
            return entry
        }
    }

    private func goOn(_ vault: StoredVault, _ ledger: Ledger, _ comment: Comment) async throws {
        #expect(try await vault.verify(VerifyRequest()).isClean, comment)
        try await ledger.check(vault, comment)
        try await ledger.save(["later": sample(80), "kept": sample(81)], to: vault)
        try await ledger.upload("later large", sample(82, count: 700), to: vault)
    }
}
