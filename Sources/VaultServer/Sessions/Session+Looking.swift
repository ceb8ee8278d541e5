import VaultModel
import VaultStore
import VaultTransport
import VaultWire

extension Session {
    /// A page of what the session may see under a prefix, in the order of names.
    func list(_ list: WireList) async throws -> ServerAnswer {
        let share = try await memory.answers.share(waitingFor: ServerLimits.pageBytesMax)
        var query = try list.model
        // All pages are of the state that the first one found.
        if case .current = query.selector { query.selector = .sequence(try await vault.local.sequence()) }
        let visible = rules.readablePrefixes(within: query.prefix)
        let page: ListPage
        if visible.count == 1, visible[0] == query.prefix {
            page = try await vault.local.list(query)
        } else if visible.isEmpty {
            guard rules.hasAnyRight(within: query.prefix) else {
                throw denied("list", query.prefix.top.map { "\($0)" } ?? "everything")
            }
            page = ListPage(entries: [], next: nil)
        } else {
            page = try await merged(visible, query)
        }
        let fitting = page.fitting(query)
        var answer = ServerAnswer { $0.page = WirePage(fitting) }
        answer.share = share
        return answer
    }

    /// The first entries of several prefixes in the order of their names, which is not that of the prefixes.
    private func merged(_ prefixes: [NamePrefix], _ query: ListQuery) async throws -> ListPage {
        var entries: [Entry] = []
        var isComplete = true
        for prefix in prefixes {
            var part = query
            part.prefix = prefix
            // A page begins behind a name that may lie before or behind all names of this prefix.
            if let after = query.after, let top = prefix.top, after < top, !prefix.contains(after) { part.after = nil }
            let page = try await vault.local.list(part)
            entries += page.entries
            if page.next != nil { isComplete = false }
        }
        entries = entries.filter { entry in query.after.map { $0 < entry.name } ?? true }
        entries.sort { $0.name == $1.name ? $0.version < $1.version : $0.name < $1.name }
        guard !isComplete || entries.count > query.limit else { return ListPage(entries: entries, next: nil) }
        var cut = min(entries.count, query.limit)
        // All versions of a name stay on one page, since the next one begins behind the name.
        while cut < entries.count, cut > 0, entries[cut].name == entries[cut - 1].name { cut += 1 }
        let page = Array(entries.prefix(cut))
        var next = query
        next.after = page.last?.name ?? query.after
        return ListPage(entries: page, next: next)
    }

    func stat(_ stat: WireStat) async throws -> ServerAnswer {
        let name = try Name(stat.name)
        try require(.read, "look at", on: name)
        let entry: Entry?
        if stat.selector.isOfEvent, let cause {
            if let known = cause.entry {
                entry = known
            } else {
                entry = try await vault.local.stat(name, .version(cause.contentVersion))
            }
        } else {
            entry = try await vault.local.stat(name, stat.selector.model)
        }
        return ServerAnswer { answer in
            answer.found = WireFound()
            if let entry { answer.found.entry = WireEntry(entry) }
        }
    }

    func history(_ history: WireHistory) async throws -> ServerAnswer {
        let name = try Name(history.name)
        try require(.read, "look at", on: name)
        let share = try await memory.answers.share(waitingFor: ServerLimits.pageBytesMax)
        let entries = try await vault.local.history(name).drop { $0.version <= history.after }
        let page = entries.prefix(Session.fitting(entries))
        var answer = ServerAnswer { answer in
            answer.versions.entries = page.map { WireEntry($0) }
            answer.versions.more = page.count < entries.count
        }
        answer.share = share
        return answer
    }

    /// How many of the entries make a page; 1 at least, where there are any.
    fileprivate static func fitting(_ entries: some Sequence<Entry>) -> Int {
        var (count, bytes) = (0, 0)
        for entry in entries {
            // Each tag is three parts of a message, of which a client takes only so many.
            bytes += 256 + entry.name.bytes.count
            bytes += entry.tags.reduce(0) { $0 + 192 + $1.key.utf8.count + $1.value.utf8.count }
            if count > 0, bytes > ServerLimits.pageBytesMax { break }
            count += 1
        }
        return count
    }

    func status() async throws -> ServerAnswer {
        let usage = try await vault.local.usage()
        let rules = rules
        return ServerAnswer { answer in
            answer.statusReport.user = user
            answer.statusReport.vault = vaultName
            // How much is stored tells whether a guess is stored: it is for who may read everything.
            if rules.canReadEverything { answer.statusReport.storedBytes = usage.storedBytes }
            if rules.canReadEverything, let quota = usage.quota { answer.statusReport.quota = quota }
            answer.statusReport.grants = rules.grants.map { "\($0)" }
            if rules.canReadEverything {
                answer.statusReport.hooks = (vault.hooks?.counts.all(on: vaultName) ?? []).map { WireHookCount($0) }
            }
        }
    }
}

extension ListPage {
    /// As many of the entries as fit a message, and where the rest begins.
    fileprivate func fitting(_ query: ListQuery) -> ListPage {
        var count = Session.fitting(entries)
        // All versions of a name stay on one page, since the next one begins behind the name.
        while count < entries.count, count > 0, entries[count].name == entries[max(0, count - 1)].name { count -= 1 }
        if count == 0 { count = entries.firstIndex { $0.name != entries[0].name } ?? entries.count }
        if count == entries.count { return self }
        var rest = next ?? query
        rest.after = entries[count - 1].name
        return ListPage(entries: Array(entries[..<count]), next: rest)
    }
}
