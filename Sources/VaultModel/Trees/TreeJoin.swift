/// A local tree and the entries under a prefix side by side, in the order of names.
struct TreeJoin {
    enum Pair: Sendable {
        case both(TreeEntry, Entry)
        case local(TreeEntry, Name)
        case vault(Entry)
        case skipped(LocalPath, TreeWalk.Reason)
        case failed(LocalPath, VaultError)

        var name: Name? {
            switch self {
            case .both(_, let entry), .vault(let entry): entry.name
            case .local(_, let name): name
            case .skipped, .failed: nil
            }
        }

        /// Whether the tree has something here.
        var hasLocal: Bool {
            switch self {
            case .both, .local, .failed: true
            case .vault, .skipped: false
            }
        }
    }

    private let prefix: NamePrefix
    private let filter: TreeFilter
    private(set) var walk: TreeWalk
    private var entries: EntryStream
    private var nextLocal: (TreeEntry, Name)?
    private var nextEntry: Entry?
    private var isStarted = false
    private var isBroken = false

    init(_ vault: any Vault, _ root: LocalPath, _ prefix: NamePrefix, _ options: TreeOptions) throws(VaultError) {
        self.prefix = prefix
        filter = options.filter
        walk = try TreeWalk(root, filter: options.filter, stores: StoreGuard([vault]))
        entries = EntryStream(vault, ListQuery(prefix: prefix, selector: options.selector))
    }

    /// The next pair; nil behind the last.
    ///
    /// - Throws: what listing the vault throws, once: without the vault's side there is nothing to go on with.
    mutating func next() async throws(VaultError) -> Pair? {
        if isBroken { return nil }
        if !isStarted {
            isStarted = true
            nextEntry = try await takenEntry()
        }
        if nextLocal == nil, let other = advanceWalk() { return other }
        switch (nextLocal, nextEntry) {
        case (nil, nil):
            return nil
        case (let local?, let entry?) where local.1 == entry.name:
            nextLocal = nil
            nextEntry = try await takenEntry()
            return .both(local.0, entry)
        case (let local?, let entry) where entry.map({ local.1 < $0.name }) ?? true:
            nextLocal = nil
            return .local(local.0, local.1)
        case (_, let entry?):
            nextEntry = try await takenEntry()
            return .vault(entry)
        case (.some, nil):
            return nil
        }
    }

    /// Walks to the next entry; returns what else the walk comes to.
    private mutating func advanceWalk() -> Pair? {
        switch walk.next() {
        case nil: return nil
        case .skipped(let path, let reason): return .skipped(path, reason)
        case .failed(let path, let error): return .failed(path, error)
        case .entry(let entry):
            do {
                nextLocal = (entry, try prefix.name(ofPath: entry.relative))
                return nil
            } catch {
                return .failed(entry.path, error.about(entry.path))
            }
        }
    }

    private mutating func takenEntry() async throws(VaultError) -> Entry? {
        do throws(VaultError) {
            while let entry = try await entries.next() {
                let relative = prefix.relativePath(of: entry.name)
                if !relative.isEmpty, filter.takesAlone(relative, isDirectory: entry.kind == .directory) {
                    return entry
                }
            }
            return nil
        } catch {
            isBroken = true
            throw error
        }
    }
}
