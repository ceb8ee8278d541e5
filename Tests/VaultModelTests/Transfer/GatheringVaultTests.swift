import Synchronization
import TestSupport
import Testing
import VaultStore

@testable import VaultModel

@Suite struct GatheringVaultTests {
    /// A vault that notes how many saves and reads come at once, and may wait before it answers.
    private final class Counting: ForwardingVault {
        let other: any Vault
        let saves = Mutex<[Int]>([])
        let reads = Mutex<[Int]>([])
        let gate: AsyncStream<Void>.Continuation?
        private let opening: AsyncStream<Void>?

        init(_ other: any Vault, isGated: Bool = false) {
            self.other = other
            let (stream, continuation) = AsyncStream<Void>.makeStream()
            (opening, gate) = isGated ? (stream, continuation) : (nil, nil)
        }

        func save(_ items: [SmallSave]) async throws(VaultError) -> [Result<SaveOutcome, VaultError>] {
            saves.withLock { $0.append(items.count) }
            if let opening { for await _ in opening { break } }
            return try await other.save(items)
        }

        func read(_ items: [SmallRead]) async throws(VaultError) -> [Result<SmallContent, VaultError>] {
            reads.withLock { $0.append(items.count) }
            return try await other.read(items)
        }
    }

    private func open(_ directory: TemporaryDirectory) async throws -> StoredVault {
        try await StoredVault.open(directory("vault"), access: .create, savedBy: "tester")
    }

    private func intent(_ name: String) throws -> SaveIntent {
        SaveIntent(name: try Name(name), attributes: Attributes(mode: 0o644, modified: 0), tags: [:], ifVersion: nil)
    }

    @Test func joinsWhatIsAskedForTogether() async throws {
        let directory = try TemporaryDirectory()
        let local = try await open(directory)
        let counting = Counting(local)
        let executor = StepExecutor()
        let vault = GatheringVault(counting, on: executor)
        let done = Shared(0)
        for n in 1...100 {
            let intent = try intent("f\(n)")
            Task(executorPreference: executor) {
                _ = try await ContentSave(to: vault).save(Array("\(n)".utf8), intent)
                let read = try await ContentRead(from: vault).read(intent.name, .current)
                #expect(read == Array("\(n)".utf8))
                done.change { $0 += 1 }
            }
        }
        #expect(
            try await soon {
                executor.runJobs()
                return done.value == 100
            })
        // Two requests of 64 and 36: the bound, and the rest.
        #expect(counting.saves.withLock { $0 } == [64, 36])
        #expect(counting.reads.withLock { $0.reduce(0, +) } == 100)
        #expect(counting.reads.withLock { $0.count } < 100)
        await vault.close()
    }

    @Test func givesEachItsOwnFailure() async throws {
        let directory = try TemporaryDirectory()
        let vault = GatheringVault(try await open(directory), on: BlockingExecutor.shared)
        var taken = try intent("f")
        taken.ifVersion = 5
        let (refused, fine) = (taken, try intent("g"))
        async let wrong = eventualCode { try await ContentSave(to: vault).save([1], refused) }
        async let right = ContentSave(to: vault).save([2], fine)
        #expect(try await right.entry.size == 1)
        #expect(await wrong == .conflict)
        let none = try Name("none")
        #expect(await eventualCode { try await ContentRead(from: vault).read(none, .current) } == .notFound)
        await vault.close()
    }

    @Test func letsOneGoWithoutTheOthers() async throws {
        let directory = try TemporaryDirectory()
        let counting = Counting(try await open(directory), isGated: true)
        let vault = GatheringVault(counting, on: BlockingExecutor.shared)
        let intent = try intent("f")
        let saving = Task { try await ContentSave(to: vault).save([1], intent) }
        #expect(try await soon { counting.saves.withLock { $0.count } == 1 })
        saving.cancel()
        let error = await #expect(throws: VaultError.self) { try await saving.value }
        #expect(error?.code == .cancelled && error?.isUncertain == true)
        counting.gate?.yield()
        #expect(try await soon { try await vault.stat(intent.name, .current) != nil })
        await vault.close()
    }
}

/// Runs the jobs of its tasks when it is told to.
private final class StepExecutor: TaskExecutor {
    private let jobs = Mutex<[UnownedJob]>([])

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
    }

    func runJobs() {
        while let job = jobs.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) {
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}
