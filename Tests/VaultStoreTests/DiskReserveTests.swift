import Glibc
import Testing
import VaultModel

@testable import VaultStore

@Suite struct DiskReserveTests {
    private static let full = VaultError(.quota, "Full.")

    @Test func isGivenUpForAChangeThatFindsTheDiskFull() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("reserve")
            let reserve = DiskReserve(path)
            reserve.fill()
            #expect(try FileStatus(of: path).size == UInt64(StoreLimits.reserveBytes))
            var sizes: [UInt64] = []
            try await reserve.duringChange { () throws(VaultError) in
                sizes.append(try FileStatus(of: path).size)
                if sizes.count == 1 { throw Self.full }
            }
            #expect(sizes == [UInt64(StoreLimits.reserveBytes), 0])
            #expect(try FileStatus(of: path).size == UInt64(StoreLimits.reserveBytes))
        }
    }

    @Test func isKeptForChangesThatFailOtherwiseOrAgain() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("reserve")
            let reserve = DiskReserve(path)
            // Without a reserve there is nothing to give up, and no second try.
            #expect(await tries(reserve, Self.full) == 1)
            reserve.fill()
            #expect(await tries(reserve, VaultError(.unavailable, "Busy.")) == 1)
            #expect(await tries(reserve, Self.full) == 2)
            let size = try FileStatus(of: path).size
            #expect(size == UInt64(StoreLimits.reserveBytes))
        }
    }

    private func tries(_ reserve: DiskReserve, _ error: VaultError) async -> Int {
        var count = 0
        let code = await code {
            try await reserve.duringChange { () throws(VaultError) in
                count += 1
                throw error
            }
        }
        #expect(code == error.code)
        return count
    }

    @Test func removeAndCollectWorkOnAFullDisk() async throws {
        try await withTemporaryDirectory { directory in
            // The operations behind the adoption of the pack: writes, syncs and commits.
            for failing in 2...12 {
                let path = directory.appending("\(failing)")
                let clock = ManualClock()
                try await withVault(path, clock: clock) { vault in
                    for index in 0..<3 { try await vault.upload("a", sample(index, count: 2000)) }
                    try await vault.save("b", sample(9))
                }
                let files = FaultyFiles(path, failing: failing, with: .error(ENOSPC))
                try await withVault(path, clock: clock, files: files) { vault in
                    try await vault.remove("b")
                    clock.advance(10)
                    try await vault.keep(last: 1)
                    #expect(try await vault.collect().freedBytes > 0)
                    #expect(try await vault.read("a") == sample(2, count: 2000))
                    #expect(try await vault.verify(VerifyRequest()).isClean)
                }
                #expect(files.hasReachedFault)
            }
        }
    }
}
