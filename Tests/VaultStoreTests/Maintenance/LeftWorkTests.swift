import Testing
import VaultModel

@testable import VaultStore

/// Work that nobody waits for any more ends, and leaves the vault as it was.
@Suite struct LeftWorkTests {
    @Test func workThatIsLeftEnds() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                for number in 0..<10 { try await vault.save("f", sample(number)) }
                try await vault.upload("large", sample(20, count: 50_000), chunkSize: 10)
                let works: [@Sendable () async throws -> Void] = [
                    { _ = try await vault.verify(VerifyRequest()) },
                    { _ = try await vault.verify(VerifyRequest(prefix: try NamePrefix("large"))) },
                    { _ = try await vault.keep(last: 1) }, { _ = try await vault.collect() },
                ]
                for (index, work) in works.enumerated() {
                    let task = Task {
                        while !Task.isCancelled { await Task.yield() }
                        return await code { try await work() }
                    }
                    task.cancel()
                    #expect(await task.value == .cancelled, "\(index)")
                }
                #expect(try await vault.history(try name("f")).count == 10)
                #expect(try await vault.read("large") == sample(20, count: 50_000))
                #expect(try await vault.verify(VerifyRequest()).isClean)
            }
        }
    }
}
