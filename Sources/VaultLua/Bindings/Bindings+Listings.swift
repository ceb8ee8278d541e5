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
            let listing = Listing(
                EntryStream(try invocation.vault, query), session: invocation.session,
                limit: try options.count("limit"))
            call.returns(Listing.type.userdata(listing))
        },
        Binding(
            "names", "names(glob) -> listing",
            "The entries whose names match a pattern by gitignore's rules: one snapshot, for a generic 'for'."
        ) { invocation, call in
            let glob = try Glob(try call.string(invocation.first))
            let listing = Listing(
                EntryStream(try invocation.vault, ListQuery()), session: invocation.session, glob: glob)
            call.returns(Listing.type.userdata(listing))
        },
    ]
}

/// A listing as scripts see it: called by the generic `for`, it gives the next entry.
final class Listing {
    private var entries: EntryStream?
    private var limit: Int?
    private let glob: Glob?
    private unowned let session: ScriptSession

    init(_ entries: EntryStream, session: ScriptSession, limit: Int? = nil, glob: Glob? = nil) {
        self.entries = entries
        self.session = session
        self.limit = limit
        self.glob = glob
    }

    func next() throws -> Entry? {
        if limit == 0 { return nil }
        while var stream = entries {
            let (entry, advanced) = try session.waitUnlessAtHand(&stream)
            entries = entry == nil ? nil : advanced
            guard let entry else { return nil }
            if let glob, !glob.matches(entry.name.bytes, isDirectory: entry.kind == .directory) { continue }
            limit = limit.map { $0 - 1 }
            return entry
        }
        return nil
    }

    private static let misuse = "a listing is not a table: use 'for entry in listing do', or listing:all()"

    static let type = LuaObjectType<Listing>(
        "vault listing",
        methods: [
            "all": { listing, call in
                try converting("list", listing.session) {
                    var entries: [any LuaWritable] = []
                    while let entry = try listing.next() { entries.append(EntryValue.table(entry)) }
                    call.returns(LuaTable(elements: entries))
                }
            },
            "count": { listing, call in
                try converting("list", listing.session) {
                    var count = 0
                    while try listing.next() != nil { count += 1 }
                    call.returns(count)
                }
            },
            "close": { listing, call in
                listing.entries = nil
                call.close(1)
            },
        ],
        metamethods: [
            .call: { listing, call in
                try converting("list", listing.session) {
                    if let entry = try listing.next() {
                        call.returns(EntryValue.table(entry))
                    } else {
                        call.returnsNil()
                    }
                }
            },
            .index: { _, call in
                if call[2].type == .number { throw LuaError.message(misuse) }
                call.returnsNil()
            },
            .pairs: { _, _ in throw LuaError.message(misuse) },
            .length: { _, _ in throw LuaError.message(misuse) },
        ])
}

/// Runs the body of a method, and makes Lua errors of the vault's.
func converting(_ operation: String, _ session: ScriptSession, _ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as VaultError {
        throw ErrorValue.luaError(error, operation: operation, session)
    }
}

extension ScriptSession {
    /// The next entry of a stream, which waits only where a page ends.
    fileprivate func waitUnlessAtHand(_ stream: inout EntryStream) throws -> (Entry?, EntryStream) {
        if let entry = stream.nextAtHand() { return (entry, stream) }
        let current = stream
        return try wait(isBrief: true) { () async throws(VaultError) in
            var stream = current
            let entry = try await stream.next()
            return (entry, stream)
        }
    }
}
