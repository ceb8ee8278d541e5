import VaultModel
import VaultStore
import VaultTransport
import VaultWire

extension Session {
    /// A page of what the session may see under a prefix, in the order of names.
    func list(_ list: WireList) async throws -> ServerAnswer {
        let share = try await memory.answers.share(waitingFor: ServerLimits.pageWorkBytes)
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
        var answer = ServerAnswer { $0.page = WirePage(page) }
        answer.share = share
        return answer
    }

    /// The first entries of several prefixes in the order of their names, which is not that of the prefixes.
    private func merged(_ prefixes: [NamePrefix], _ query: ListQuery) async throws(VaultError) -> ListPage {
        var entries: [Entry] = []
        /// The last entry of each prefix that has more: what is behind the first of these may not be all.
        var ends: [Entry] = []
        var isComplete = true
        for prefix in prefixes {
            var part = query
            part.prefix = prefix
            // A page begins behind a name that may lie before or behind all names of this prefix.
            if let after = query.after, !prefix.contains(after) {
                part.afterSequence = nil
                if let top = prefix.top, after < top { part.after = nil }
            }
            let page = try await vault.local.list(part).withAnEntry(of: vault.local)
            entries += page.entries
            if page.next != nil {
                isComplete = false
                if let end = page.entries.last { ends.append(end) }
            }
        }
        entries = entries.filter { entry in query.after.map { $0 <= entry.name } ?? true }
        entries.sort { ($0.name, $0.sequence) < ($1.name, $1.sequence) }
        if let end = ends.min(by: { ($0.name, $0.sequence) < ($1.name, $1.sequence) }) {
            entries = entries.filter { ($0.name, $0.sequence) <= (end.name, end.sequence) }
        }
        let count = min(Session.fitting(entries), query.limit)
        if isComplete, count == entries.count { return ListPage(entries: entries, next: nil) }
        let page = Array(entries.prefix(count))
        return ListPage(entries: page, next: page.last.map { query.behind($0) } ?? query)
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
        let share = try await memory.answers.share(waitingFor: ServerLimits.pageWorkBytes)
        let page = try await vault.local.history(name, after: history.after)
        var answer = ServerAnswer { answer in
            answer.versions.entries = page.entries.map { WireEntry($0) }
            answer.versions.more = !page.isLast
        }
        answer.share = share
        return answer
    }

    /// How many of the entries make a page; 1 at least, where there are any.
    private static func fitting(_ entries: [Entry]) -> Int {
        var bytes = 0
        return entries.prefix { entry in
            defer { bytes += entry.memoryBytes }
            return bytes < Limits.pageBytesMax
        }.count
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
    /// The page, or the next one that has an entry where this one has none: which tags were asked for leaves many empty.
    fileprivate func withAnEntry(of vault: StoredVault) async throws(VaultError) -> ListPage {
        var page = self
        while page.entries.isEmpty, let next = page.next {
            if Task.isCancelled { throw .cancelled }
            page = try await vault.list(next)
        }
        return page
    }
}
