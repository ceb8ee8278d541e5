import LuaEngine
import VaultModel

extension VaultLibrary {
    static let trees: [Binding] = [
        Binding(
            "push", "push(dir [, prefix [, options]]) -> report",
            "Mirrors a local tree into the vault: saves what is new or changed, removes what is gone if 'delete' is set.",
            options: [
                "include", "exclude", "delete", "dry_run", "max_delete", "checksum", "concurrency", "progress",
                "on_error", "tags",
            ]
        ) { invocation, call in
            let root = try call.path(invocation.first)
            let prefix = try pushPrefix(call, invocation.first + 1, root)
            let options = try invocation.options(call, 2)
            let (tree, onError) = (try treeOptions(options), try options.function("on_error"))
            let (vault, progress) = (try invocation.vault, try options.progress())
            let meter = progress?.meter
            let report = try invocation.session.wait(progress) { () async throws(VaultError) in
                try await Push(to: vault, options: tree, meter: meter).run(root, prefix)
            }
            try finish(report, onError, invocation, call)
        },
        Binding(
            "pull", "pull(prefix, dir [, options]) -> report",
            "Mirrors a prefix of the vault into a local directory, as of now or as it was 'at' a time.",
            options: [
                "include", "exclude", "delete", "dry_run", "max_delete", "checksum", "concurrency", "progress", "at",
                "overwrite", "on_error",
            ]
        ) { invocation, call in
            let prefix = try NamePrefix(try call.string(invocation.first))
            let root = try call.path(invocation.first + 1)
            let options = try invocation.options(call, 2)
            var tree = try treeOptions(options)
            if let time = try options.integer("at") { tree.selector = .time(Int64(time)) }
            tree.overwrites = try options.boolean("overwrite") ?? true
            let (pull, onError) = (tree, try options.function("on_error"))
            let (vault, progress) = (try invocation.vault, try options.progress())
            let meter = progress?.meter
            let report = try invocation.session.wait(progress) { () async throws(VaultError) in
                try await Pull(from: vault, options: pull, meter: meter).run(prefix, root)
            }
            try finish(report, onError, invocation, call)
        },
        Binding(
            "replicate", "replicate(from, to, prefix [, options]) -> report",
            "Makes a prefix of one vault hold what it holds in another, moving only the chunks that are missing there. "
                + "'from' and 'to' are connections, or the module itself for the default vault.",
            options: [
                "include", "exclude", "delete", "dry_run", "max_delete", "progress", "at", "on_error",
            ], actsOnVault: false
        ) { invocation, call in
            let (source, target) = (
                try side(call, invocation.first, invocation), try side(call, invocation.first + 1, invocation)
            )
            let prefix = try NamePrefix(try call.string(invocation.first + 2))
            let options = try invocation.options(call, 3)
            var tree = try treeOptions(options)
            if let time = try options.integer("at") { tree.selector = .time(Int64(time)) }
            let (replica, onError, progress) = (tree, try options.function("on_error"), try options.progress())
            let meter = progress?.meter
            let report = try invocation.session.wait(progress) { () async throws(VaultError) in
                try await Replicate(from: source, to: target, options: replica, meter: meter).run(prefix)
            }
            try finish(report, onError, invocation, call)
        },
        Binding(
            "compare", "compare(dir, prefix [, options]) -> iterator of {name, change}",
            "The differences between a local tree and a prefix: 'added' and 'changed' locally, 'removed' from there.",
            options: ["at", "include", "exclude", "checksum"]
        ) { invocation, call in
            let root = try call.path(invocation.first)
            let prefix = try NamePrefix(try call.string(invocation.first + 1))
            let options = try invocation.options(call, 2)
            var tree = try treeOptions(options, isComparison: true)
            if let time = try options.integer("at") { tree.selector = .time(Int64(time)) }
            let comparison = Comparison(
                try Compare(try invocation.vault, root, prefix, tree), session: invocation.session)
            call.returns(Comparison.type.userdata(comparison))
        },
        Binding(
            "files", "files(dir [, options]) -> iterator of {path, name, kind, size, mode, modified_at}",
            "The files, links and empty directories of a local tree, in the order of names.",
            options: ["include", "exclude"], actsOnVault: false
        ) { invocation, call in
            let root = try call.path(invocation.first)
            let options = try invocation.options(call, 1)
            let filter = try TreeFilter(
                include: try options.strings("include"), exclude: try options.strings("exclude"))
            call.returns(LocalFiles.type.userdata(LocalFiles(try TreeWalk(root, filter: filter), invocation.session)))
        },
    ]

    /// The vault of an argument that is a connection, or the module.
    private static func side(_ call: borrowing LuaCall, _ number: Int, _ invocation: Invocation) throws -> any Vault {
        if call[number].type == .table { return try invocation.session.vault }
        return try call.object(number, Connection.type).vault
    }

    private static func pushPrefix(_ call: borrowing LuaCall, _ number: Int, _ root: LocalPath) throws -> NamePrefix {
        if call[number].ifPresent != nil { return try call.prefix(number) }
        return try NamePrefix.ofDirectory(root)
    }

    private static func treeOptions(_ options: Options, isComparison: Bool = false) throws -> TreeOptions {
        var tree = TreeOptions()
        tree.filter = try TreeFilter(
            include: try options.strings("include"), exclude: try options.strings("exclude"))
        tree.checksum = try options.boolean("checksum") ?? false
        if isComparison { return tree }
        tree.deletes = try options.boolean("delete") ?? false
        tree.isDryRun = try options.boolean("dry_run") ?? false
        tree.deleteMax = try options.count("max_delete")
        if let concurrency = try options.count("concurrency") { tree.concurrency = min(max(1, concurrency), 64) }
        tree.tags = try options.tags("tags")
        return tree
    }

    /// Returns the report, unless a failure is left that `on_error` did not accept: that is raised.
    private static func finish(
        _ report: TreeReport, _ onError: LuaReference?, _ invocation: Invocation, _ call: borrowing LuaCall
    ) throws {
        for failure in report.failed {
            let error = failure.error.about(failure.path)
            if let onError {
                let object = invocation.luaError(error)
                let answer = try invocation.session.state.call(
                    onError, failure.path.bytes, try invocation.session.errorObject(object))
                if answer.first == .boolean(true) { continue }
            }
            throw invocation.luaError(error, report: EntryValue.table(report))
        }
        call.returns(EntryValue.table(report))
    }
}

extension ScriptSession {
    /// The value that raising `error` raises.
    fileprivate func errorObject(_ error: LuaError) throws -> LuaValue {
        do throws(LuaError) {
            _ = try state.call(state.reference(to: LuaFunction { _ in throw error }))
            return .nil
        } catch {
            return error.value ?? .nil
        }
    }
}

/// An iterator over differences.
final class Comparison {
    private var compare: Compare
    private unowned let session: ScriptSession

    init(_ compare: Compare, session: ScriptSession) {
        self.compare = compare
        self.session = session
    }

    private func next() throws -> Difference? {
        let box = ComparisonBox(compare)
        // Also behind a file that could not be read.
        defer { compare = box.compare }
        return try session.wait { () async throws(VaultError) in try await box.next() }
    }

    static let type = LuaObjectType<Comparison>(
        "vault comparison",
        metamethods: [
            .call: { comparison, call in
                try converting("compare", comparison.session) {
                    if let difference = try comparison.next() {
                        call.returns(
                            LuaTable(fields: [
                                "name": difference.name.bytes, "change": difference.change.rawValue,
                            ]))
                    } else {
                        call.returnsNil()
                    }
                }
            }
        ])
}

/// `@unchecked Sendable`: used by the one task that the Lua thread waits for, then by that thread.
private final class ComparisonBox: @unchecked Sendable {
    var compare: Compare

    init(_ compare: Compare) {
        self.compare = compare
    }

    func next() async throws(VaultError) -> Difference? {
        try await compare.next()
    }
}

/// An iterator over local files.
final class LocalFiles {
    private var walk: TreeWalk
    private unowned let session: ScriptSession

    init(_ walk: TreeWalk, _ session: ScriptSession) {
        self.walk = walk
        self.session = session
    }

    static let type = LuaObjectType<LocalFiles>(
        "vault files",
        metamethods: [
            .call: { files, call in
                try converting("files", files.session) {
                    while let item = files.walk.next() {
                        switch item {
                        case .entry(let entry):
                            return call.returns(
                                LuaTable(fields: [
                                    "path": entry.path.bytes,
                                    "name": try Name(pathBytes: entry.relative).bytes,
                                    "kind": "\(entry.status.kind)",
                                    "size": Int(clamping: entry.status.size),
                                    "mode": Int(entry.status.mode),
                                    "modified_at": Int(entry.status.modified / 1_000_000_000),
                                ]))
                        case .failed(let path, let error): throw error.about(path)
                        case .skipped: continue
                        }
                    }
                    call.returnsNil()
                }
            }
        ])
}
