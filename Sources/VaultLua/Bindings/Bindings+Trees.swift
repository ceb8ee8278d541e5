import LuaEngine
import VaultModel

extension VaultLibrary {
    static let trees: [Binding] = [
        Binding(
            "push", "push(dir [, prefix [, options]]) -> report",
            "Mirrors a local tree into the vault: saves what is new or changed, removes what is gone if 'delete' is set.",
            options: [
                "include", "exclude", "delete", "dry_run", "max_delete", "checksum", "concurrency", "progress",
                "on_error", "tags", "strict",
            ]
        ) { invocation, call in
            let root = try invocation.path(call, invocation.first)
            let prefix = try pushPrefix(call, invocation, root)
            let options = try invocation.options(call, 2)
            var tree = try treeOptions(options)
            tree.isStrict = try options.boolean("strict") ?? false
            let (push, onError) = (tree, try options.function("on_error"))
            let progress = try options.progress()
            let meter = invocation.meter(progress)
            let noteFill = invocation.session.host.noteFill
            try invocation.wait(call, progress, meter: meter) { (vault) async throws(VaultError) in
                if !push.isDryRun { noteFill(vault, prefix, root) }
                return try await Push(to: vault, options: push, meter: meter).run(root, prefix)
            } then: { report, call in
                try finish(report, onError, invocation.site, call)
            }
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
            let root = try invocation.path(call, invocation.first + 1)
            let options = try invocation.options(call, 2)
            var tree = try treeOptions(options)
            if let time = try options.time("at") { tree.selector = .time(time) }
            tree.overwrites = try options.boolean("overwrite") ?? true
            let (pull, onError) = (tree, try options.function("on_error"))
            let progress = try options.progress()
            let meter = invocation.meter(progress)
            try invocation.wait(call, progress, meter: meter) { (vault) async throws(VaultError) in
                try await Pull(from: vault, options: pull, meter: meter).run(prefix, root)
            } then: { report, call in
                try finish(report, onError, invocation.site, call)
            }
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
            if let time = try options.time("at") { tree.selector = .time(time) }
            let (replica, onError, progress) = (tree, try options.function("on_error"), try options.progress())
            let meter = invocation.meter(progress)
            try invocation.site.wait(call, progress, meter: meter) { () async throws(VaultError) in
                let (from, to) = (try await source.opened(), try await target.opened())
                return try await Replicate(from: from, to: to, options: replica, meter: meter).run(prefix)
            } then: { report, call in
                try finish(report, onError, invocation.site, call)
            }
        },
        Binding(
            "compare", "compare(dir, prefix [, options]) -> iterator of {name, change}",
            "The differences between a local tree and a prefix: 'added' and 'changed' locally, 'removed' from there.",
            options: ["at", "include", "exclude", "checksum"]
        ) { invocation, call in
            let root = try invocation.path(call, invocation.first)
            let prefix = try NamePrefix(try call.string(invocation.first + 1))
            let options = try invocation.options(call, 2)
            var tree = try treeOptions(options, isComparison: true)
            if let time = try options.time("at") { tree.selector = .time(time) }
            let (site, source, compared) = (invocation.site, invocation.vault, tree)
            try invocation.wait(call) { (vault) async throws(VaultError) in
                Differences(try Compare(vault, root, prefix, compared), source)
            } then: { differences, call in
                try call.returns(iterator: Comparison.type.userdata(Comparison(site, differences)), site.session)
            }
        },
        Binding(
            "files", "files(dir [, options]) -> iterator of {path, name, kind, size, mode, modified_at}",
            "The files, links and empty directories of a local tree, in the order of names.",
            options: ["include", "exclude"], actsOnVault: false
        ) { invocation, call in
            let root = try invocation.path(call, invocation.first)
            let options = try invocation.options(call, 1)
            let filter = try TreeFilter(
                include: try options.byteStrings("include"), exclude: try options.byteStrings("exclude"))
            try filter.check(below: root)
            let files = LocalFiles(try TreeWalk(root, filter: filter), invocation.site)
            try call.returns(iterator: LocalFiles.type.userdata(files), invocation.session)
        },
    ]

    /// The vault of an argument that is a connection, or the module.
    private static func side(_ call: borrowing LuaCall, _ number: Int, _ invocation: Invocation) throws -> VaultSource {
        if call[number].type == .table { return invocation.vault }
        return try call.object(number, Connection.type).vault
    }

    private static func pushPrefix(
        _ call: borrowing LuaCall, _ invocation: Invocation, _ root: LocalPath
    ) throws -> NamePrefix {
        let number = invocation.first + 1
        if call[number].ifPresent != nil { return try call.prefix(number) }
        let prefix = try NamePrefix.ofDirectory(root)
        try invocation.session.derivedNames.add(prefix, of: root, in: invocation.vault)
        return prefix
    }

    private static func treeOptions(_ options: Options, isComparison: Bool = false) throws -> TreeOptions {
        var tree = TreeOptions()
        tree.filter = try TreeFilter(
            include: try options.byteStrings("include"), exclude: try options.byteStrings("exclude"))
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
        _ report: TreeReport, _ onError: LuaReference?, _ site: CallSite, _ call: borrowing LuaCall
    ) throws {
        for failure in report.failed {
            let error = failure.error.about(failure.path)
            if let onError {
                let answer = try site.session.state.call(onError, failure.path.bytes, site.luaError(error).raised)
                if answer.first == .boolean(true) { continue }
            }
            throw site.luaError(error, report: EntryValue.table(report))
        }
        call.returns(EntryValue.table(report))
    }
}

/// An iterator over differences.
final class Comparison {
    private let site: CallSite
    private let differences: Differences
    private let turn = Turn()

    fileprivate init(_ site: CallSite, _ differences: Differences) {
        self.site = site
        self.differences = differences
    }

    private func next(_ call: borrowing LuaCall) throws {
        let differences = differences
        try site.wait(call, turn: turn) { () async throws(VaultError) in
            try await differences.next()
        } then: { difference, call in
            call.returns(
                difference.map { difference in
                    LuaTable(fields: ["name": difference.name.bytes, "change": difference.change.rawValue])
                })
        }
    }

    static let type = LuaObjectType<Comparison>(
        "vault comparison", metamethods: [.call: { comparison, call in try comparison.next(call) }])
}

/// `@unchecked Sendable`: used by one operation at a time, for which the script waits.
private final class Differences: @unchecked Sendable {
    private var compare: Compare
    /// Kept open.
    private let vault: VaultSource

    init(_ compare: Compare, _ vault: VaultSource) {
        self.compare = compare
        self.vault = vault
    }

    func next() async throws(VaultError) -> Difference? {
        try await compare.next()
    }
}

/// An iterator over local files.
final class LocalFiles {
    private var walk: TreeWalk
    private let site: CallSite

    init(_ walk: TreeWalk, _ site: CallSite) {
        self.walk = walk
        self.site = site
    }

    static let type = LuaObjectType<LocalFiles>(
        "vault files",
        metamethods: [
            .call: { files, call in
                try files.site.perform {
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
                                    "modified_at": Int(entry.status.modified.dividedDown(by: 1_000_000_000).quotient),
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
