import LuaEngine
import VaultModel

extension VaultLibrary {
    static let listings: [Binding] = [
        Binding(
            "list", "list([prefix [, options]]) -> listing",
            "The entries under a prefix, ordered by name: one snapshot, for a generic 'for'.",
            options: ["versions", "tags", "at", "after", "limit"]
        ) { invocation, call in
            let options = try invocation.options(call, 1)
            let query = ListQuery(
                prefix: try call.prefix(invocation.first), selector: try options.selector(),
                includesVersions: try options.boolean("versions") ?? false, tags: try options.tags("tags"),
                after: try options.string("after").map { try Name($0) })
            let listing = Listing(invocation, query, limit: try options.count("limit"))
            try call.returns(iterator: Listing.type.userdata(listing), invocation.session)
        },
        Binding(
            "names", "names(glob) -> listing",
            "The entries whose names match a pattern by gitignore's rules: one snapshot, for a generic 'for'."
        ) { invocation, call in
            let glob = try Glob(named: try call.bytes(invocation.first))
            let listing = Listing(invocation, ListQuery(), glob: glob)
            try call.returns(iterator: Listing.type.userdata(listing), invocation.session)
        },
    ]
}

extension LuaCall {
    /// Adds what a generic `for` takes as results: what gives the elements, and, as the fourth, what is closed when the loop
    /// is left (Lua 5.4 manual §3.3.5).
    func returns(iterator: some LuaWritable, _ session: ScriptSession) throws {
        let reference = try session.state.reference(to: iterator)
        returns(reference)
        returnsNil()
        returnsNil()
        returns(reference)
    }
}

/// A listing as scripts see it: called by the generic `for`, it gives the next entry.
final class Listing {
    private let site: CallSite
    private let entries: FilteredEntries
    private let turn = Turn()

    init(_ invocation: Invocation, _ query: ListQuery, limit: Int? = nil, glob: Glob? = nil) {
        site = CallSite(invocation.session, "list")
        entries = FilteredEntries(invocation.vault, query, limit: limit, glob: glob)
    }

    private func next(_ call: borrowing LuaCall) throws {
        try site.perform { () throws in
            try turn.check()
            if let entry = entries.nextAtHand() { call.returns(EntryValue.table(entry)) } else { try fetch(call) }
        }
    }

    private func fetch(_ call: borrowing LuaCall) throws {
        let entries = entries
        try site.wait(call, turn: turn, isBrief: true) { () async throws(VaultError) in
            try await entries.next()
        } then: { entry, call in
            call.returns(entry.map { EntryValue.table($0) })
        }
    }

    private static let misuse = "a listing is not a table: use 'for entry in listing do', or listing:all()"

    static let type = LuaObjectType<Listing>(
        "vault listing",
        methods: [
            "all": { listing, call in
                let entries = listing.entries
                try listing.site.wait(call, turn: listing.turn) { () async throws(VaultError) in
                    var all: [Entry] = []
                    while let entry = try await entries.next() { all.append(entry) }
                    return all
                } then: { all, call in
                    call.returns(LuaTable.array(all.map { EntryValue.table($0) }))
                }
            },
            "count": { listing, call in
                let entries = listing.entries
                try listing.site.wait(call, turn: listing.turn) { () async throws(VaultError) in
                    var count = 0
                    while try await entries.next() != nil { count += 1 }
                    return count
                } then: { count, call in
                    call.returns(count)
                }
            },
            "peek": { listing, call in
                let count = try call.integer(2)
                guard count >= 0, count <= 1_000_000 else {
                    throw LuaError.argument(2, "a number from 0 to 1000000 expected")
                }
                let entries = listing.entries
                try listing.site.wait(call, turn: listing.turn) { () async throws(VaultError) in
                    try await entries.peek(count)
                } then: { next, call in
                    call.returns(LuaTable.array(next.map { EntryValue.table($0) }))
                }
            },
            "close": { listing, call in
                try listing.site.perform { try listing.turn.check() }
                call.close(1)
            },
        ],
        metamethods: [
            .call: { listing, call in try listing.next(call) },
            .index: { _, call in
                if call[2].type == .number { throw LuaError.message(misuse) }
                call.returnsNil()
            },
            .pairs: { _, _ in throw LuaError.message(misuse) },
            .length: { _, _ in throw LuaError.message(misuse) },
        ])
}

/// The entries of a listing that a script has asked for.
///
/// `@unchecked Sendable`: used by the Lua thread, or by the one operation that has the listing's turn.
private final class FilteredEntries: @unchecked Sendable {
    private let vault: VaultSource
    private let query: ListQuery
    private var limit: Int?
    private let glob: Glob?
    private var stream: EntryStream?
    private var isAtEnd = false

    init(_ vault: VaultSource, _ query: ListQuery, limit: Int?, glob: Glob?) {
        self.vault = vault
        self.query = query
        self.limit = limit
        self.glob = glob
    }

    /// The next entries, which stay the next ones.
    func peek(_ count: Int) async throws(VaultError) -> [Entry] {
        if stream == nil { stream = EntryStream(try await vault.opened(), query) }
        let kept = (stream, limit, isAtEnd)
        defer { (stream, limit, isAtEnd) = kept }
        var entries: [Entry] = []
        while entries.count < count, let entry = try await next() { entries.append(entry) }
        return entries
    }

    /// The next entry that can be had without waiting; nil where there is none.
    func nextAtHand() -> Entry? {
        if limit == 0 { return nil }
        while let entry = stream?.nextAtHand() {
            if isWanted(entry) { return entry }
        }
        return nil
    }

    /// The next entry; nil behind the last.
    func next() async throws(VaultError) -> Entry? {
        if limit == 0 || isAtEnd { return nil }
        if stream == nil { stream = EntryStream(try await vault.opened(), query) }
        while var next = stream {
            // Also behind a failure.
            defer { stream = next }
            guard let entry = try await next.next() else {
                isAtEnd = true
                return nil
            }
            if isWanted(entry) { return entry }
        }
        return nil
    }

    private func isWanted(_ entry: Entry) -> Bool {
        if let glob, !glob.matches(entry.name, isDirectory: entry.kind == .directory) { return false }
        limit = limit.map { $0 - 1 }
        return true
    }
}
