package import VaultModel

extension [WireTagPair] {
    /// Pairs in the order of their keys, so that equal tags are equal bytes.
    package init(_ tags: [TagText: TagText]) {
        self = tags.sorted { $0.key < $1.key }.map { key, value in
            var pair = WireTagPair()
            (pair.key, pair.value) = (key.text, value.text)
            return pair
        }
    }

    package var model: [TagText: TagText] {
        var tags: [TagText: TagText] = [:]
        for pair in self { tags[TagText(pair.key)] = TagText(pair.value) }
        return tags
    }
}

extension [TagText: TagText?] {
    /// The tags that pairs set and keys take away.
    package init(set pairs: [WireTagPair], clear keys: [String]) {
        self.init()
        for pair in pairs { self[TagText(pair.key)] = .some(TagText(pair.value)) }
        for key in keys { self[TagText(key)] = .some(nil) }
    }

    /// The pairs of the tags that are set.
    package var wireSet: [WireTagPair] { [WireTagPair](compactMapValues { $0 }) }

    /// The keys of the tags that are taken away.
    package var wireClear: [String] { filter { $0.value == nil }.keys.sorted().map(\.text) }
}
