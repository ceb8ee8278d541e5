import Glibc
import TestSupport
import Testing
import VaultStore

@testable import VaultModel

/// A vault and two local trees in a directory of their own.
struct TreeFixture: Sendable {
    let directory: TemporaryDirectory
    let source: LocalTree
    let target: LocalTree
    let vault: any Vault

    init() async throws {
        directory = try TemporaryDirectory()
        source = try LocalTree(directory("source"))
        target = try LocalTree(directory("target"))
        vault = try await StoredVault.open(directory("vault"), access: .create, savedBy: "tester")
    }

    @discardableResult
    func push(
        to other: (any Vault)? = nil, _ prefix: String = "p",
        with change: (inout TreeOptions) throws -> Void = { _ in },
        onEvent: @escaping @Sendable (TreeEvent) -> Void = { _ in }
    ) async throws -> TreeReport {
        var options = TreeOptions()
        try change(&options)
        return try await Push(to: other ?? vault, options: options, onEvent: onEvent).run(
            source.root, NamePrefix(prefix))
    }

    @discardableResult
    func pull(
        from other: (any Vault)? = nil, _ prefix: String = "p", to root: LocalPath? = nil,
        with change: (inout TreeOptions) throws -> Void = { _ in },
        onEvent: @escaping @Sendable (TreeEvent) -> Void = { _ in }
    ) async throws -> TreeReport {
        var options = TreeOptions()
        try change(&options)
        return try await Pull(from: other ?? vault, options: options, onEvent: onEvent)
            .run(NamePrefix(prefix), root ?? target.root)
    }

    func compare(_ change: (inout TreeOptions) throws -> Void = { _ in }) async throws -> [String] {
        var options = TreeOptions()
        try change(&options)
        var compare = try Compare(vault, source.root, NamePrefix("p"), options)
        var found: [String] = []
        while let difference = try await compare.next() {
            found.append("\(difference.change.rawValue) \(difference.name.text)")
        }
        return found
    }

    /// The names in the vault below the prefix `p`, without it.
    func names() async throws -> [String] {
        var entries = EntryStream(vault, ListQuery(prefix: try NamePrefix("p")))
        var names: [String] = []
        while let entry = try await entries.next() { names.append(String(entry.name.text.dropFirst(2))) }
        return names
    }

    func entry(_ name: String) async throws -> Entry? {
        try await vault.stat(Name("p/" + name), .current)
    }

    /// Makes the source a tree with one of everything that a vault keeps.
    func fillSource() throws {
        let time: Int64 = 1_600_000_000_123_456_789
        try source.write("plain", Array("content".utf8), modified: time)
        try source.write("empty", [], mode: 0o600, modified: 1)
        try source.write(".hidden/.file", [1], mode: 0o755)
        try source.write("read only", [2], mode: 0o444)
        // Only the superuser can read it back.
        if geteuid() == 0 { try source.write("none", [2], mode: 0o000) }
        try source.write("sticky", [3], mode: 0o6755)
        try source.write("a/b/c/small", randomBytes(Chunker.minimumSize, seed: 1))
        try source.write("a/b/c/one more", randomBytes(Chunker.minimumSize + 1, seed: 2))
        try source.write("large", randomBytes(9 << 20, seed: 3), modified: time)
        try source.write("large again", randomBytes(9 << 20, seed: 3))
        try source.write([0xFF, 0x0A, 0x80], Array("odd name".utf8))
        try source.write([0x64, 0xC3, 0x2F, 0xE2, 0x80, 0x9B], Array("odd directory".utf8))
        try source.write("日/ä", [4])
        for name in ["a-b", "a0", "a!", "ab"] { try source.write(name, Array(name.utf8)) }
        try source.makeDirectory("void", mode: 0o700)
        try source.makeDirectory("a/void/void", mode: 0o1777)
        try source.makeLink("link", to: "plain")
        try source.makeLink("a/dangling", to: "../nowhere/\u{1}")
        try source.makeLink("absolute", to: "/etc/passwd")
        for number in 0..<300 { try source.write("many/\(number)/file", Array("\(number)".utf8)) }
    }
}

/// Collects what a push or pull tells.
final class EventLog: Sendable {
    private let lines = Shared<[String]>([])

    var all: [String] { lines.value.sorted() }

    func callAsFunction(_ event: TreeEvent) {
        func last(_ path: LocalPath) -> String { String(decoding: path.lastComponent, as: UTF8.self) }
        let line =
            switch event {
            case .saved(let path, let outcome): "\(outcome.isCreated ? "saved" : "same") \(last(path))"
            case .wouldSave(let path, _): "would save \(last(path))"
            case .wouldWrite(let path, _): "would write \(last(path))"
            case .wrote(let path, _): "wrote \(last(path))"
            case .removed(let name): "removed \(name.text)"
            case .removedLocal(let path): "removed \(last(path))"
            case .skipped(let path, _): "skipped \(last(path))"
            case .failed(let path, let error): "failed \(last(path)) \(error.code.rawValue)"
            }
        lines.change { $0.append(line) }
    }
}
