import Synchronization
import Testing
import VaultModel

@testable import VaultStore

/// What a vault has promised, and what it may have done besides.
final class Ledger: Sendable {
    struct Key: Hashable, Sendable {
        var name: String
        var version: UInt64
    }

    private struct State {
        /// What names hold, by acknowledged changes.
        var current: [String: [UInt8]] = [:]
        /// Changes that were begun and not acknowledged: what names hold after them, nil for nothing.
        var pending: [[String: [UInt8]?]] = []
        /// Acknowledged versions that must be kept.
        var versions: [Key: [UInt8]] = [:]
    }

    private let state: Mutex<State>

    init(_ other: Ledger? = nil) {
        state = Mutex(other?.state.withLock { $0 } ?? State())
    }

    /// Runs a change that makes names hold `after`, all or none of them.
    @discardableResult
    func attempt<Result: Sendable>(
        _ after: [String: [UInt8]?], _ body: () async throws -> Result
    ) async throws -> Result {
        state.withLock { $0.pending.append(after) }
        let result = try await body()
        acknowledge(after)
        return result
    }

    func acknowledge(_ after: [String: [UInt8]?]) {
        state.withLock { state in
            for (name, bytes) in after { state.current[name] = bytes }
            state.pending.removeAll { $0 == after }
        }
    }

    /// Begins a change that ``acknowledge(_:_:)`` may end.
    func begin(_ after: [String: [UInt8]?]) {
        state.withLock { $0.pending.append(after) }
    }

    func acknowledge(_ entry: VaultModel.Entry, _ bytes: [UInt8]) {
        acknowledge([entry.name.text: bytes])
        state.withLock { $0.versions[Key(name: entry.name.text, version: entry.version)] = bytes }
    }

    /// Saves small files, each a change of its own.
    func save(_ files: [String: [UInt8]], to vault: some Vault) async throws {
        let files = files.sorted { $0.key < $1.key }
        for (name, bytes) in files { begin([name: bytes]) }
        let results = try await vault.save(files.map { try small($0.key, $0.value) })
        for ((_, bytes), result) in zip(files, results) { acknowledge(try result.get().entry, bytes) }
    }

    func upload(_ name: String, _ bytes: [UInt8], to vault: some Vault, chunkSize: Int = 100) async throws {
        let outcome = try await attempt([name: bytes]) {
            try await vault.upload(name, bytes, chunkSize: chunkSize)
        }
        acknowledge(try #require(outcome).entry, bytes)
    }

    /// No longer expects versions below the newest of each name to be kept.
    func forgetVersions(where isForgotten: (Key) -> Bool) {
        state.withLock { state in state.versions = state.versions.filter { !isForgotten($0.key) } }
    }

    var content: [String: [UInt8]] { state.withLock { $0.current } }

    /// Compares a vault with what it promised.
    func check(_ vault: some Vault, _ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation) async throws
    {
        let (expected, pending, versions) = state.withLock { ($0.current, $0.pending, $0.versions) }
        var found: [String: [UInt8]] = [:]
        for entry in try await vault.entries() where entry.kind == .file {
            found[entry.name.text] = try await vault.read(entry.name.text)
        }
        var explained = expected
        for change in pending where change.allSatisfy({ found[$0.key] == $0.value }) {
            for (name, bytes) in change { explained[name] = bytes }
        }
        #expect(found.keys.sorted() == explained.keys.sorted(), comment, sourceLocation: sourceLocation)
        for (name, bytes) in found where explained[name] != bytes {
            Issue.record("\(name) holds other bytes; \(comment)", sourceLocation: sourceLocation)
        }
        for (key, bytes) in versions {
            let read = try await vault.read(key.name, .version(key.version))
            if read != bytes { Issue.record("\(key) has other bytes; \(comment)", sourceLocation: sourceLocation) }
        }
    }
}
