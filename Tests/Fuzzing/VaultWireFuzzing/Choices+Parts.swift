import FoundationEssentials
package import FuzzSupport
import VaultModel
package import VaultWire

/// Parts of messages: plain ones first, then such as no honest peer sends.
extension Choices {
    mutating func nameBytes() -> Data {
        let names: [[UInt8]] = [
            Array("a".utf8), Array("a/b/c".utf8), [], Array("..".utf8), Array("a/../b".utf8), Array("/a".utf8),
            Array("a//b".utf8), Array("a/".utf8), [0x61, 0], [0xFF, 0xFE], Array("‛FF".utf8), Array("‛C3‛A4".utf8),
            Array("‛‛".utf8), Array("‛".utf8), Array("\u{202E}\u{1B}\n".utf8),
        ]
        if rarely(32) {
            let part = [UInt8](repeating: 0x61, count: one(of: [255, 256]))
            return Data([[UInt8]](repeating: part, count: 1 + below(18)).joined(separator: Array("/".utf8)))
        }
        return Data(rarely(4) ? someBytes() : one(of: names))
    }

    mutating func id() -> Data { Data(repeating: byte(), count: rarely() ? below(64) : 16) }

    mutating func digest() -> Data { Data(repeating: byte(), count: rarely() ? below(64) : Digest.byteCount) }

    mutating func content() -> WireContent {
        var content = WireContent()
        content.chunker = number()
        content.size = number()
        content.depth = flag() ? number() : UInt32(below(50))
        content.root = digest()
        return content
    }

    mutating func attributes() -> WireAttributes {
        var attributes = WireAttributes()
        attributes.mode = rarely(4) ? number() : UInt32(below(0o10000))
        attributes.modified = number()
        attributes.hasOrigin_p = flag()
        attributes.originChanged = number()
        attributes.originInode = number()
        return attributes
    }

    mutating func kind() -> WireKind {
        one(of: [.file, .link, .directory, .removed, .file, .unspecified, .UNRECOGNIZED(5), .UNRECOGNIZED(-1)])
    }

    package mutating func entry() -> WireEntry {
        var entry = WireEntry()
        entry.name = nameBytes()
        entry.kind = kind()
        if !rarely() { entry.content = content() }
        entry.version = number()
        entry.sequence = number()
        if !rarely() { entry.attributes = attributes() }
        entry.savedAt = number()
        entry.savedBy = text()
        entry.tags = tagPairs()
        return entry
    }

    /// - Parameter bytesMax: of content that the chunks stand for, unless the list is a lie.
    mutating func chunks(_ bytesMax: Int = 64) -> WireChunkList {
        var list = WireChunkList()
        switch below(8) {
        case 0: list.packed = Data(someBytes(80))
        case 1:
            let count = below(300)
            let lengths: [UInt64] = [0, 1, UInt64(Chunker.maximumSize), UInt64(Chunker.maximumSize) + 1, 1 << 31]
            let length = one(of: lengths)
            list = WireChunkList(repeatElement(ChunkReference(digest: Digest(of: []), span: length), count: count))
        default:
            var references: [ChunkReference] = []
            for _ in 0..<below(5) {
                references.append(ChunkReference(digest: Digest(of: [byte()]), span: UInt64(1 + below(bytesMax))))
            }
            list = WireChunkList(references)
        }
        return list
    }

    mutating func intent() -> WireIntent {
        var intent = WireIntent()
        intent.name = nameBytes()
        intent.kind = kind()
        intent.attributes = attributes()
        intent.tags = tagPairs()
        if flag() { intent.ifVersion = number() }
        return intent
    }

    mutating func selector() -> WireSelector {
        var selector = WireSelector()
        switch below(4) {
        case 0: break
        case 1: selector.version = number()
        case 2: selector.time = number()
        default: selector.sequence = number()
        }
        return selector
    }

    mutating func list() -> WireList {
        var list = WireList()
        list.prefix = nameBytes()
        list.selector = selector()
        list.versions = flag()
        list.tags = tagPairs()
        list.after = nameBytes()
        list.limit = number()
        return list
    }

    mutating func failure() -> WireFailure {
        var failure = WireFailure()
        failure.code = flag() ? one(of: VaultError.Code.allCases).rawValue : text()
        failure.message = text()
        failure.cause = text()
        failure.name = nameBytes()
        failure.retryable = flag()
        return failure
    }

    mutating func outcome() -> WireOutcome {
        var outcome = WireOutcome()
        if !rarely() { outcome.entry = entry() }
        outcome.created = flag()
        outcome.newBytes = number()
        return outcome
    }

    mutating func change() -> WireOneChange {
        var change = WireOneChange()
        switch below(7) {
        case 0:
            change.remove.prefix = nameBytes()
            if flag() { change.remove.ifVersion = number() }
        case 1: (change.rename.from, change.rename.to) = (nameBytes(), nameBytes())
        case 2: (change.copy.from, change.copy.to) = (nameBytes(), nameBytes())
        case 3: (change.revert.name, change.revert.version) = (nameBytes(), number())
        case 4:
            change.tag.name = nameBytes()
            change.tag.set = tagPairs()
            change.tag.clear = tagPairs().map(\.key)
        case 5: change.tag.clear = [text(), text()]
        default: break
        }
        return change
    }

    mutating func keep() -> WireKeep {
        var keep = WireKeep()
        keep.prefix = nameBytes()
        (keep.last, keep.daily, keep.weekly, keep.monthly) = (number(), number(), number(), number())
        keep.withinSeconds = number()
        keep.zone = text()
        keep.dryRun = flag()
        return keep
    }

    /// Tags in any order, with keys that come twice.
    mutating func tagPairs() -> [WireTagPair] {
        (0..<below(4)).map { _ in
            var pair = WireTagPair()
            (pair.key, pair.value) = (text(), text())
            return pair
        }
    }

    /// Some of what `make` makes, up to `countMax`, and once in a while far more.
    mutating func some<Element>(_ countMax: Int, _ make: (inout Choices) -> Element) -> [Element] {
        if rarely(128) { return Array(repeating: make(&self), count: below(600)) }
        return (0..<below(countMax + 1)).map { _ in make(&self) }
    }
}
