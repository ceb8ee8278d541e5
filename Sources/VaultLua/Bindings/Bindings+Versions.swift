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
            try invocation.change(call, .remove(NamePrefix(name), ifVersion: ifVersion)) { outcome, call in
                call.returns(outcome.count)
            }
        },
        Binding(
            "rename", "rename(from, to) -> count",
            "Moves a name, or all names below it, with their history. Fails with 'exists' where the target is taken."
        ) { invocation, call in
            let (from, to) = (try call.name(invocation.first), try call.name(invocation.first + 1))
            try invocation.change(call, .rename(from: from, to: to)) { outcome, call in call.returns(outcome.count) }
        },
        Binding(
            "copy", "copy(from, to) -> count",
            "Gives a name, or all names below it, a second name whose history starts afresh. No bytes move."
        ) { invocation, call in
            let (from, to) = (try call.name(invocation.first), try call.name(invocation.first + 1))
            try invocation.change(call, .copy(from: from, to: to)) { outcome, call in call.returns(outcome.count) }
        },
        Binding(
            "history", "history(name) -> array of entries",
            "All versions of a name, oldest first, with removals as entries of the kind 'removed'."
        ) { invocation, call in
            let name = try call.name(invocation.first)
            try invocation.wait(call, isBrief: true) { (vault) async throws(VaultError) in
                try await vault.history(name)
            } then: { entries, call in
                call.returns(LuaTable.array(entries.map { EntryValue.table($0) }))
            }
        },
        Binding(
            "revert", "revert(name, version) -> entry", "Adds a version that equals an earlier one."
        ) { invocation, call in
            let name = try call.name(invocation.first)
            let version = try call.integer(invocation.first + 1)
            guard version > 0 else { throw VaultError(.invalid, "Versions count from 1.", name: name) }
            try invocation.change(call, .revert(name, version: UInt64(version))) { outcome, call in
                call.returns(outcome.entry.map { EntryValue.table($0) })
            }
        },
        Binding(
            "tag", "tag(name, {key = value, key2 = false}) -> entry",
            "Adds a version with other tags; false takes a tag away."
        ) { invocation, call in
            let name = try call.name(invocation.first)
            var tags: [TagText: TagText?] = [:]
            try call.table(invocation.first + 1).visitPairs { key, value in
                let key = try key.tagText()
                tags[key] = value.type == .boolean ? try removedTag(value, key) : try value.tagText()
            }
            try invocation.change(call, .tag(name, tags)) { outcome, call in
                call.returns(outcome.entry.map { EntryValue.table($0) })
            }
        },
    ]

    private static func removedTag(_ value: LuaView, _ key: TagText) throws -> TagText? {
        guard try !value.boolean() else {
            throw VaultError(.invalid, "The tag '\(printable(key.utf8))' must be a string, or false to take it away.")
        }
        return nil
    }
}

extension Invocation {
    /// Carries out one change.
    fileprivate func change(
        _ call: borrowing LuaCall, _ change: Change,
        then body: @escaping (ChangeOutcome, borrowing LuaCall) throws -> Void
    ) throws {
        try wait(
            call, isBrief: true,
            { (vault) async throws(VaultError) in
                guard let result = try await vault.change([change]).first else {
                    throw VaultError(.internal, "The vault did not answer.")
                }
                return try result.get()
            }, then: body)
    }
}
