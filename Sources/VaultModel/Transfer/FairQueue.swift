/// A queue in which those who bring something take turns; what one brought leaves in the order in which it came. Who brings
/// much delays each of the others by one turn.
package struct FairQueue<Key: Hashable & Sendable, Element: Sendable>: Sendable {
    /// Elements that leave in the order in which they came.
    private struct Line<Item: Sendable>: Sendable {
        private var items: [Item] = []
        private var start = 0

        var isEmpty: Bool { start == items.count }
        var first: Item? { isEmpty ? nil : items[start] }
        var all: ArraySlice<Item> { items[start...] }

        mutating func append(_ item: Item) { items.append(item) }

        mutating func putBack(_ item: Item) {
            if start == 0 {
                items.insert(item, at: 0)
            } else {
                start -= 1
                items[start] = item
            }
        }

        mutating func removeFirst() {
            start += 1
            // The memory of those that have left is given up a half at a time.
            if start * 2 > items.count { (items, start) = (Array(items[start...]), 0) }
        }
    }

    private var ahead: [Element] = []
    private var lines: [Key: Line<Element>] = [:]
    private var turns = Line<Key>()

    package init() {}

    package var isEmpty: Bool { ahead.isEmpty && turns.isEmpty }

    /// The one whose turn it is.
    package var first: Element? { ahead.first ?? turns.first.flatMap { lines[$0]?.first } }

    package mutating func append(_ element: Element, of key: Key) {
        if lines[key] == nil { turns.append(key) }
        lines[key, default: Line()].append(element)
    }

    /// Makes an element the next one of those of its key; it is that key's turn, where nothing else of it waits.
    package mutating func putBack(_ element: Element, of key: Key) {
        if lines[key] == nil { turns.putBack(key) }
        lines[key, default: Line()].putBack(element)
    }

    /// Puts elements before all others, in their order.
    package mutating func putAhead(_ elements: [Element]) { ahead.insert(contentsOf: elements, at: 0) }

    package mutating func removeFirst() {
        if !ahead.isEmpty {
            ahead.removeFirst()
            return
        }
        guard let key = turns.first else { return }
        turns.removeFirst()
        lines[key]?.removeFirst()
        if lines[key]?.isEmpty ?? true { lines[key] = nil } else { turns.append(key) }
    }

    /// Takes everything, in no order.
    package mutating func removeAll() -> [Element] {
        defer { self = FairQueue() }
        return ahead + lines.values.flatMap(\.all)
    }
}
