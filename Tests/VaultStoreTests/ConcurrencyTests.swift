import Testing
import VaultModel

@testable import VaultStore

/// Several processes at one vault, each played by a `StoredVault` of its own.
@Suite struct ConcurrencyTests {
    private static let rounds = 12

    @Test func writersReadersAndCollectorsShareAVault() async throws {
        try await withTemporaryDirectory { directory in
            let clock = ManualClock()
            try await withVault(directory, clock: clock) { vault in
                for index in 0..<10 { try await vault.upload("kept/\(index)", kept(index)) }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<2 {
                    group.addTask { try await withVault(directory, clock: clock) { try await write(to: $0, writer) } }
                }
                group.addTask {
                    try await withVault(directory, access: .readWrite, clock: clock) { try await read($0) }
                }
                for collector in 0..<2 {
                    group.addTask {
                        try await withVault(directory, clock: clock) { try await collect($0, collector, clock) }
                    }
                }
                try await group.waitForAll()
            }
            try await withVault(directory, clock: clock) { try await check($0) }
            let before = try await withVault(directory) { try await $0.entries(ListQuery(includesVersions: true)) }
            #expect(try await VaultRepair(directory).rebuild().problems == [])
            try await withVault(directory, clock: clock) { vault in
                let after = try await vault.entries(ListQuery(includesVersions: true))
                #expect(after == before)
                try await check(vault)
            }
        }
    }

    private func kept(_ index: Int) -> [UInt8] { sample(1000 + index, count: 2000) }

    private func last(_ writer: Int, _ index: Int) -> [UInt8] {
        // Both writers and older versions share half of it.
        sample(index % 3, count: 600) + sample(10 * writer + Self.rounds, count: 500)
    }

    private func write(to vault: StoredVault, _ writer: Int) async throws {
        for round in 1...Self.rounds {
            for index in 0..<4 {
                let bytes = sample(index % 3, count: 600) + sample(10 * writer + round, count: 500)
                // A collection may take shared chunks away under the upload, which is then tried again.
                for attempt in 0... {
                    if try await vault.upload("w\(writer)/\(index)", bytes) != nil { break }
                    try #require(attempt < 50)
                }
            }
            try await vault.save("w\(writer)/small", sample(round))
            try await vault.save("w\(writer)/gone \(round)", sample(500 + round))
            try await vault.remove("w\(writer)/gone \(round)")
            try await vault.rename("w\(writer)/small", "w\(writer)/renamed \(round)")
        }
    }

    private func read(_ vault: StoredVault) async throws {
        for round in 0..<Self.rounds * 3 {
            let read = try await vault.openRead(try name("kept/\(round % 10)"), .current)
            #expect(try await vault.bytes(of: read) == kept(round % 10))
            await vault.closeRead(read.id)
            let entries = try await vault.entries()
            #expect(entries.map(\.name) == entries.map(\.name).sorted())
            for entry in entries.suffix(3) where entry.kind == .file {
                // A version that is listed may have been dropped since.
                guard let read = try? await vault.openRead(entry.name, .version(entry.version)) else { continue }
                #expect(try await vault.bytes(of: read).count == Int(read.entry.size))
                await vault.closeRead(read.id)
            }
        }
    }

    private func collect(_ vault: StoredVault, _ collector: Int, _ clock: ManualClock) async throws {
        for _ in 0..<Self.rounds {
            clock.advance(1)
            try await vault.keep(last: 1, below: try NamePrefix("w\(collector)"))
            _ = try await vault.collect()
        }
    }

    private func check(_ vault: StoredVault) async throws {
        for index in 0..<10 { #expect(try await vault.read("kept/\(index)") == kept(index)) }
        for writer in 0..<2 {
            for index in 0..<4 { #expect(try await vault.read("w\(writer)/\(index)") == last(writer, index)) }
            for round in 1...Self.rounds {
                #expect(try await vault.read("w\(writer)/renamed \(round)") == sample(round))
            }
        }
        #expect(try await vault.names().count == 10 + 2 * (4 + Self.rounds))
        #expect(try await vault.verify(VerifyRequest()).isClean)
    }
}
