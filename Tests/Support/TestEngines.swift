import Foundation
import Glibc
import Synchronization
package import VaultEngines
import VaultModel
package import VaultServer

/// PostgreSQL and an object store, in which tests keep vaults.
package struct TestEngines: Sendable {
    package var catalog: String
    package var packs: String
    /// The variables that name the object store.
    package var environment: [String: String]

    /// Those that `scripts/test` starts for all tests; nil where the tests run without engines.
    package static let shared: TestEngines? = {
        let environment = ProcessInfo.processInfo.environment
        guard let catalog = environment["MINIVAULT_TEST_CATALOG"], let packs = environment["MINIVAULT_TEST_PACKS"]
        else {
            return nil
        }
        return TestEngines(
            catalog: catalog, packs: packs, environment: environment.filter { $0.key.hasPrefix("AWS_") })
    }()

    /// Whether tests that need engines can run.
    package static var areThere: Bool { shared != nil }

    package init(catalog: String, packs: String, environment: [String: String]) {
        self.catalog = catalog
        self.packs = packs
        self.environment = environment
    }

    /// The same engines with a database and a folder of the bucket that nobody else uses.
    package func alone() throws -> TestEngines {
        let name = "t\(UniqueID())"
        guard system("createdb --maintenance-db='\(catalog)' '\(name)' >/dev/null") == 0,
            let end = catalog.range(of: "/minivault?")
        else { throw VaultError(.internal, "No database could be made.") }
        return TestEngines(
            catalog: catalog.replacingCharacters(in: end, with: "/\(name)?"), packs: "\(packs)/\(name)",
            environment: environment)
    }

    /// Runs `body` with the engines, and lets go of them.
    package func with<Result: Sendable>(
        clock: (@Sendable () -> Int64)? = nil, _ body: (Engines) async throws -> Result
    ) async throws -> Result {
        let engines = try await Engines.open(
            catalog: catalog, packs: packs, environment: environment, clock: clock)
        do {
            let result = try await body(engines)
            await engines.close()
            return result
        } catch {
            await engines.close()
            throw error
        }
    }

    /// Runs `body` with the accounts that servers share there.
    package func withAccounts<Result: Sendable>(
        _ body: (Accounts) async throws -> Result
    ) async throws -> Result {
        try await with { engines in
            let accounts = try Accounts(try engines.tables(), EnginePlaces(engines), clock: engines.time)
            defer { accounts.close() }
            return try await body(accounts)
        }
    }

    /// The options by which a server uses them.
    package var options: [String] { ["--catalog", catalog, "--packs", packs] }

    package var variables: [String] { environment.map { "\($0.key)=\($0.value)" } }
}

/// Engines that belong to one test, which may do them harm.
package final class OwnEngines: Sendable {
    private let directory: TemporaryDirectory
    package let engines: TestEngines

    package enum Part: String, Sendable {
        case postgres, store
    }

    package init() throws {
        directory = try TemporaryDirectory()
        let lines = try OwnEngines.run("start", directory.path)
        var variables: [String: String] = [:]
        for word in lines.split(whereSeparator: { $0 == " " || $0 == "\n" }) where word != "export" {
            guard let equals = word.firstIndex(of: "=") else { continue }
            let value = word[word.index(after: equals)...].drop { $0 == "'" }
            variables[String(word[..<equals])] = String(value.last == "'" ? value.dropLast() : value)
        }
        guard let catalog = variables.removeValue(forKey: "MINIVAULT_TEST_CATALOG"),
            let packs = variables.removeValue(forKey: "MINIVAULT_TEST_PACKS")
        else { throw VaultError(.internal, "The engines did not start: \(lines)") }
        engines = TestEngines(catalog: catalog, packs: packs, environment: variables)
    }

    package func start(_ part: Part) throws { _ = try OwnEngines.run("start", directory.path, part.rawValue) }

    package func stop(_ part: Part) throws { _ = try OwnEngines.run("stop", directory.path, part.rawValue) }

    /// Sends a signal to the processes of a part: all of PostgreSQL's, or the store's gateway and disk.
    package func send(_ signal: Int32, to part: Part) throws {
        for id in try processes(of: part) { _ = kill(id, signal) }
    }

    private func processes(of part: Part) throws -> [pid_t] {
        func number(_ path: String) -> pid_t? {
            guard let bytes = try? SmallFile.read(directory(path), bytesMax: 4096) else { return nil }
            return String(decoding: bytes, as: UTF8.self).split(separator: "\n").first.flatMap { pid_t($0) }
        }
        switch part {
        case .store: return ["gateway", "disk"].compactMap { number("store/run/\($0).pid") }
        case .postgres:
            guard let main = number("postgres/data/postmaster.pid") else { return [] }
            let children = try? SmallFile.read(LocalPath("/proc/\(main)/task/\(main)/children"), bytesMax: 1 << 16)
            let text = String(decoding: children ?? [], as: UTF8.self)
            return [main] + text.split(separator: " ").compactMap { pid_t($0) }
        }
    }

    package func end() {
        _ = try? OwnEngines.run("stop", directory.path)
    }

    private static func run(_ action: String, _ words: any CustomStringConvertible...) throws -> String {
        let script = "\(#filePath)".split(separator: "/").dropLast(3).map { "/\($0)" }.joined() + "/scripts/engines"
        let arguments = ([action] + words.map { "\($0)" }).map { "'\($0)'" }.joined(separator: " ")
        guard let output = popen("'\(script)' \(arguments) 2>/dev/null </dev/null", "r") else {
            throw VaultError(system: errno, "start", LocalPath(script))
        }
        var text = ""
        var buffer = [CChar](repeating: 0, count: 4096)
        while fgets(&buffer, Int32(buffer.count), output) != nil {
            text += String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        guard pclose(output) == 0 else { throw VaultError(.internal, "scripts/engines \(arguments) failed.") }
        return text
    }
}
