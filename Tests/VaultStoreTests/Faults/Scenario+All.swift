import Foundation
import Testing
import VaultModel

@testable import VaultStore

extension Scenario {
    /// Too large for a batch.
    private static let largeSample = sample(3, count: 300_000)

    static let create = Scenario("create", prepare: nil) { vault, ledger, _ in
        try await ledger.save(["a": sample(1)], to: vault)
        try await ledger.upload("b", sample(2, count: 500), to: vault)
    }

    static let saveBatches = Scenario("save two batches") { vault, ledger, _ in
        try await ledger.save(["a": sample(1), "b": sample(2), "c/d": sample(3)], to: vault)
        try await ledger.save(["a": sample(4), "b": sample(2), "e": []], to: vault)
    }

    static let saveLarge = Scenario("save large files") { vault, ledger, _ in
        try await ledger.upload("large", sample(1, count: 2000), to: vault)
        try await ledger.upload("large", sample(1, count: 2000) + sample(2, count: 1000), to: vault)
    }

    static let push = Scenario("push twice") { vault, ledger, _ in
        try await withTemporaryDirectory { root in
            var tree = ["one": sample(1), "sub/two": sample(2), "sub/three": largeSample]
            try await pushing(tree, root, to: vault, ledger)
            tree["one"] = sample(4)
            tree["sub/four"] = sample(5)
            tree["sub/two"] = nil
            try FileManager.default.removeItem(atPath: root.appending("sub/two").text)
            try await pushing(tree, root, to: vault, ledger)
        }
    }

    static let remove = Scenario("remove") { vault, ledger, _ in
        try await ledger.attempt(["kept": nil]) { try await vault.remove("kept") }
        try await ledger.attempt(["k/ept": nil]) { try await vault.remove("k") }
        try await ledger.save(["k": sample(5)], to: vault)
    }

    static let rename = Scenario("rename and copy") { vault, ledger, _ in
        ledger.forgetVersions { $0.name == "kept large" || $0.name == "k/ept" }
        try await ledger.attempt(["kept large": nil, "moved": sample(92, count: 900)]) {
            try await vault.rename("kept large", "moved")
        }
        try await ledger.attempt(["k/ept": nil, "l/m/ept": sample(91)]) { try await vault.rename("k", "l/m") }
        try await ledger.attempt(["copied": sample(90)]) {
            try await vault.change(.copy(from: try name("kept"), to: try name("copied")))
        }
    }

    /// Of names whose journal takes two groups, in a pack of their own.
    static let wideCopy = Scenario(
        "copy many names",
        prepare: { vault, ledger, _ in
            try await ledger.save(["kept": sample(90)], to: vault)
            let tags: [TagText: TagText] = ["t": TagText(String(repeating: "x", count: 60_000))]
            let names = (0..<40).map { "a/\($0)" }
            try await ledger.attempt(Dictionary(uniqueKeysWithValues: names.map { ($0, [1]) })) {
                for result in try await vault.save(names.map { try small($0, [1], tags: tags) }) {
                    _ = try result.get()
                }
            }
        },
        work: { vault, ledger, _ in
            try await ledger.attempt(Dictionary(uniqueKeysWithValues: (0..<40).map { ("b/\($0)", [1]) })) {
                try await vault.change(.copy(from: try name("a"), to: try name("b")))
            }
            try await ledger.save(["after": sample(30)], to: vault)
        })

    static let collect = Scenario(
        "keep and collect",
        prepare: { vault, ledger, clock in
            for index in 0..<4 {
                try await ledger.upload("large", sample(index, count: 3000), to: vault, chunkSize: 500)
                try await ledger.save(["small": sample(10 + index), "kept \(index)": sample(20 + index)], to: vault)
            }
            try await ledger.attempt(["small": nil]) { try await vault.remove("small") }
            clock.advance(100)
        },
        work: { vault, ledger, _ in
            ledger.forgetVersions { $0.name == "small" || ($0.name == "large" && $0.version < 4) }
            var policy = KeepPolicy()
            policy.within = 10
            _ = try await vault.keep(.all, policy, calendar: .utc, isDryRun: false)
            _ = try await vault.collect()
            try await ledger.save(["after": sample(30)], to: vault)
            _ = try await vault.collect()
        })

    static let repair = Scenario("repair", isRepair: true) { _, _, _ in }

    private static func pushing(
        _ tree: [String: [UInt8]], _ root: LocalPath, to vault: StoredVault, _ ledger: Ledger
    ) async throws {
        for (path, bytes) in tree {
            let file = root.appending(path)
            try FileManager.default.createDirectory(atPath: file.parent.text, withIntermediateDirectories: true)
            if (try? file.contents()) != bytes { try file.setContents(bytes) }
            ledger.begin(["tree/\(path)": bytes])
        }
        for name in ledger.content.keys where name.hasPrefix("tree/") && tree[String(name.dropFirst(5))] == nil {
            ledger.begin([name: nil])
        }
        var options = TreeOptions()
        options.deletes = true
        let report = try await Push(
            to: vault, options: options,
            onEvent: { event in
                switch event {
                case .saved(_, let outcome):
                    ledger.acknowledge(outcome.entry, tree[String(outcome.entry.name.text.dropFirst(5))] ?? [])
                case .removed(let name):
                    ledger.acknowledgeRemoval(of: name.text)
                default: break
                }
            }
        ).run(root, try NamePrefix("tree"))
        if let failure = report.failed.first { throw failure.error }
    }
}

extension Ledger {
    func acknowledgeRemoval(of name: String) {
        acknowledge([name: nil])
    }
}
