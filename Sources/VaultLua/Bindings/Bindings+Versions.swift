import LuaEngine
import VaultModel

extension VaultLibrary {
    static let versions: [Binding] = [
        Binding(
            "remove", "remove(name [, options]) -> count",
            "Removes a name, or all names below it. Their versions stay in the history.",
            options: ["if_version"]
        ) { invocation, call in
            let name = try call.name(invocation.first)
            let ifVersion = try invocation.options(call, 1).count("if_version").map(UInt64.init)
            let outcome = try invocation.change(.remove(NamePrefix(name), ifVersion: ifVersion))
            call.returns(outcome.count)
        },
        Binding(
            "rename", "rename(from, to) -> count",
            "Moves a name, or all names below it, with their history. Fails with 'exists' where the target is taken."
        ) { invocation, call in
            let (from, to) = (try call.name(invocation.first), try call.name(invocation.first + 1))
            call.returns(try invocation.change(.rename(from: from, to: to)).count)
        },
        Binding(
            "copy", "copy(from, to) -> count",
            "Gives a name, or all names below it, a second name whose history starts afresh. No bytes move."
        ) { invocation, call in
            let (from, to) = (try call.name(invocation.first), try call.name(invocation.first + 1))
            call.returns(try invocation.change(.copy(from: from, to: to)).count)
        },
        Binding(
            "history", "history(name) -> array of entries",
            "All versions of a name, oldest first, with removals as entries of the kind 'removed'."
        ) { invocation, call in
            let name = try call.name(invocation.first)
            let vault = try invocation.vault
            let entries = try invocation.session.wait(isBrief: true) { () async throws(VaultError) in
                try await vault.history(name)
            }
            call.returns(LuaTable(elements: entries.map { EntryValue.table($0) }))
        },
        Binding(
            "revert", "revert(name, version) -> entry", "Adds a version that equals an earlier one."
        ) { invocation, call in
            let name = try call.name(invocation.first)
            let version = try call.integer(invocation.first + 1)
            guard version > 0 else { throw VaultError(.invalid, "Versions count from 1.", name: name) }
            let outcome = try invocation.change(.revert(name, version: UInt64(version)))
            call.returns(outcome.entry.map { EntryValue.table($0) })
        },
        Binding(
            "tag", "tag(name, {key = value, key2 = false}) -> entry",
            "Adds a version with other tags; false takes a tag away."
        ) { invocation, call in
            let name = try call.name(invocation.first)
            var tags: [String: String?] = [:]
            try call.table(invocation.first + 1).visitPairs { key, value in
                let key = try key.string()
                tags[key] = value.type == .boolean ? try removedTag(value, key) : try value.string()
            }
            let outcome = try invocation.change(.tag(name, tags))
            call.returns(outcome.entry.map { EntryValue.table($0) })
        },
    ]

    private static func removedTag(_ value: LuaView, _ key: String) throws -> String? {
        guard try !value.boolean() else {
            throw VaultError(.invalid, "The tag '\(printable(key))' must be a string, or false to take it away.")
        }
        return nil
    }
}

extension Invocation {
    /// Carries out one change.
    func change(_ change: Change) throws -> ChangeOutcome {
        let vault = try vault
        return try session.wait(isBrief: true) { () async throws(VaultError) in
            guard let result = try await vault.change([change]).first else {
                throw VaultError(.internal, "The vault did not answer.")
            }
            return try result.get()
        }
    }
}
