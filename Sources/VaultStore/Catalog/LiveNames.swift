import VaultModel

/// Walks what is current under the names of a prefix, in the order of names, a page in memory at a time.
///
/// Names that a walk has passed may change meanwhile, and those in front of it may not.
struct LiveNames {
    /// The findings of a walk.
    struct Survey {
        private(set) var count = 0
        private(set) var nameBytes = 0
        private(set) var tagBytes = 0
        private(set) var first: Entry?
        /// All of it, where it is one page.
        fileprivate var all: [Entry] = []

        mutating func add(_ page: [Entry]) {
            first = first ?? page.first
            all = count == 0 ? page : []
            count += page.count
            for entry in page {
                nameBytes += entry.name.bytes.count
                tagBytes += entry.tagBytes
            }
        }

        /// Bytes of the names and of their tags.
        var bytes: Int { nameBytes + tagBytes }
    }

    private let prefix: NamePrefix
    private var after: Name?
    private var limit = StoreLimits.walkedNames
    private var isAtEnd = false
    /// Whether there is more than one page.
    private(set) var isLong = false
    /// Entries that are known already, and need not be looked up.
    private var known: [Entry] = []

    init(_ prefix: NamePrefix) {
        self.prefix = prefix
    }

    /// - Parameter survey: an earlier walk, since which nothing has changed.
    init(_ prefix: NamePrefix, _ survey: Survey) {
        self.prefix = prefix
        guard survey.all.count == survey.count else { return }
        known = survey.all
        isAtEnd = true
    }

    /// The next page; nil behind the last.
    mutating func next(_ rows: some CommitRows) throws -> [Entry]? {
        if !known.isEmpty {
            defer { known = [] }
            return known
        }
        if isAtEnd { return nil }
        isLong = after != nil
        let page = try rows.live(prefix, after: after, limit: limit)
        isAtEnd = page.count < limit
        guard let last = page.last else { return nil }
        after = last.name
        // An entry takes up some 256 bytes besides.
        let bytes = page.reduce(0) { $0 + $1.name.bytes.count + $1.tagBytes } / page.count + 256
        let fitting = StoreLimits.walkedBytesMax / bytes
        limit = min(max(StoreLimits.walkedNamesMin, fitting), 4 * limit, StoreLimits.walkedNamesMax)
        return page
    }
}

extension Entry {
    fileprivate var tagBytes: Int { tags.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count } }
}
