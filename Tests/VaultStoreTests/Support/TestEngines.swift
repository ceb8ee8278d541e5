import FoundationEssentials
import VaultModel

@testable import VaultEngines

/// PostgreSQL and the object store that `scripts/test` starts.
enum TestEngines {
    struct Places: Sendable {
        var catalog: String
        var packs: String
        var environment: [String: String]
    }

    /// Nil where the tests run without engines.
    static let places: Places? = {
        let environment = ProcessInfo.processInfo.environment
        guard let catalog = environment["MINIVAULT_TEST_CATALOG"], let packs = environment["MINIVAULT_TEST_PACKS"]
        else {
            return nil
        }
        return Places(catalog: catalog, packs: packs, environment: environment)
    }()

    /// Runs `body` with the engines, and lets go of them.
    static func with<Result: Sendable>(
        clock: (@Sendable () -> Int64)? = nil, _ body: (Engines) async throws -> Result
    ) async throws -> Result {
        guard let places else { throw VaultError(.unavailable, "scripts/test starts the engines.") }
        let engines = try await Engines.open(
            catalog: places.catalog, packs: places.packs, environment: places.environment, clock: clock)
        do {
            let result = try await body(engines)
            await engines.close()
            return result
        } catch {
            await engines.close()
            throw error
        }
    }
}
