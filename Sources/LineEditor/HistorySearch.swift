/// A search through the history for a text, letter by letter.
struct HistorySearch: Equatable, Sendable {
    private(set) var pattern: [UInt8] = []
    private(set) var isBackwards: Bool
    /// Whether nothing that was looked at has the pattern.
    private(set) var isFailed = false
    /// The entry that is shown.
    private(set) var place: Int
    private(set) var found: [UInt8]
    private(set) var cursor: Int
    private let start: (place: Int, edited: EditedText)

    init(isBackwards: Bool, at place: Int, showing edited: EditedText) {
        self.isBackwards = isBackwards
        self.place = place
        found = edited.bytes
        cursor = edited.cursor
        start = (place, edited)
    }

    static func == (left: Self, right: Self) -> Bool {
        (left.pattern, left.isBackwards, left.isFailed, left.place) == (
            right.pattern, right.isBackwards, right.isFailed, right.place
        ) && (left.found, left.cursor) == (right.found, right.cursor)
    }

    mutating func extend(by bytes: [UInt8], in entries: [[UInt8]]) {
        pattern += bytes
        if !isFailed { look(from: place, in: entries) }
    }

    mutating func shorten(in entries: [[UInt8]]) {
        guard let last = Cell.of(pattern).last else { return }
        pattern.removeSubrange(last.range)
        (place, found, cursor) = (start.place, start.edited.bytes, start.edited.cursor)
        isFailed = false
        if !pattern.isEmpty { look(from: place, in: entries) }
    }

    /// Looks for the next entry that has the pattern.
    mutating func goOn(isBackwards: Bool, in entries: [[UInt8]]) {
        self.isBackwards = isBackwards
        if pattern.isEmpty { return }
        look(from: place + (isBackwards ? -1 : 1), in: entries, differingFrom: found)
    }

    private mutating func look(from first: Int, in entries: [[UInt8]], differingFrom shown: [UInt8]? = nil) {
        let places =
            isBackwards ? Array(stride(from: first, through: 0, by: -1)) : Array(first..<max(first, entries.count))
        for place in places where entries.indices.contains(place) && entries[place] != shown {
            // The entry that is typed is one like the others.
            let entry = place == start.place ? start.edited.bytes : entries[place]
            guard let match = entry.lastRange(of: pattern) else { continue }
            let cursor = Cell.start(in: entry, at: match.lowerBound)
            (self.place, found, self.cursor, isFailed) = (place, entry, cursor, false)
            return
        }
        isFailed = true
    }

    /// The prompt while it goes on.
    var prompt: [UInt8] {
        let shown = Cell.of(pattern).reduce(into: [UInt8]()) { shown, cell in
            switch cell.look {
            case .plain: shown += pattern[cell.range]
            case .other(let other): shown += other
            case .tab, .lineEnd: shown.append(0x20)
            }
        }
        let name = isFailed ? "nothing found" : isBackwards ? "search" : "search on"
        return Array("(\(name)) '".utf8) + shown + Array("': ".utf8)
    }
}

extension [UInt8] {
    fileprivate func lastRange(of other: [UInt8]) -> Range<Int>? {
        if other.isEmpty { return count..<count }
        var start = count - other.count
        while start >= 0 {
            if self[start] == other[0], self[start..<start + other.count].elementsEqual(other) {
                return start..<start + other.count
            }
            start -= 1
        }
        return nil
    }
}
