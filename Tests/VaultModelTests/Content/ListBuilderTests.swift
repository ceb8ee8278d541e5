import TestSupport
import Testing

@testable import VaultModel

@Suite struct ListBuilderTests {
    private struct Built {
        var content: Content
        var nodes: [Digest: [UInt8]]
        var order: [ListBuilder.Node]

        /// The references at the bottom, in order, as a reader finds them.
        func references() throws -> [ChunkReference] {
            var level = [ChunkReference(digest: content.root, span: content.size)]
            for depth in stride(from: content.depth, to: 0, by: -1) {
                level = try level.flatMap { reference in
                    let node = try #require(nodes[reference.digest].flatMap { ListNode(decoding: $0) })
                    #expect(node.level == depth)
                    #expect(node.span == reference.span)
                    return node.references
                }
            }
            return content.size == 0 ? [] : level
        }
    }

    private func build(_ references: [ChunkReference]) -> Built {
        var builder = ListBuilder()
        var nodes: [ListBuilder.Node] = []
        for reference in references { builder.append(reference) { nodes.append($0) } }
        let content = builder.finish { nodes.append($0) }
        return Built(
            content: content,
            nodes: Dictionary(nodes.map { ($0.reference.digest, $0.bytes) }, uniquingKeysWith: { first, _ in first }),
            order: nodes)
    }

    private func references(_ count: Int, seed: UInt64 = 1) -> [ChunkReference] {
        var random = SplitMix64(seed: seed)
        return (0..<count).map { _ in
            var writer = ByteWriter(reserving: 32)
            for _ in 0..<4 { writer.write(random.next()) }
            return ChunkReference(
                digest: Digest(writer.bytes)!, span: .random(in: 1...UInt64(Chunker.maximumSize), using: &random))
        }
    }

    /// A reference whose digest never ends a node.
    private func plain(_ number: UInt64) -> ChunkReference {
        var writer = ByteWriter()
        writer.write(UInt16(1))
        writer.write(number)
        writer.write([UInt8](repeating: 0, count: 22))
        return ChunkReference(digest: Digest(writer.bytes)!, span: 1)
    }

    @Test func hasTheDepthThatItNeeds() throws {
        #expect(build([]).content == .empty)
        let one = references(1)
        #expect(build(one).content == Content(one[0]))
        #expect(build(one).order.isEmpty)
        for (count, depth) in [(2, 1), (511, 1), (4096, 1), (4097, 2), (8192, 2), (8193, 2)] {
            let list = (0..<count).map { plain(UInt64($0)) }
            let built = build(list)
            #expect(built.content.depth == depth, "\(count) chunks")
            #expect(built.content.size == UInt64(count))
            #expect(try built.references() == list)
        }
    }

    @Test(arguments: [3, 600, 5000, 20_000])
    func givesBackItsReferences(count: Int) throws {
        let list = references(count)
        let built = build(list)
        #expect(try built.references() == list)
        #expect(built.content.size == list.reduce(0) { $0 + $1.span })
        #expect(built.content == build(list).content)
    }

    @Test func cutsNodesBetweenTheirBounds() throws {
        let built = build(references(40_000))
        let leaves = built.order.compactMap { ListNode(decoding: $0.bytes) }.filter { $0.level == 1 }
        for leaf in leaves.dropLast() {
            #expect((ListBuilder.referencesMin...ListNode.referencesMax).contains(leaf.references.count))
            let isCut = leaf.references.last.map { $0.digest.leading % 1024 == 0 } ?? false
            #expect(isCut || leaf.references.count == ListNode.referencesMax)
            #expect(leaf.references.dropFirst(511).dropLast().allSatisfy { $0.digest.leading % 1024 != 0 })
        }
    }

    @Test func changesFewNodesWhereOneReferenceChanges() {
        let list = references(20_000)
        let known = Set(build(list).nodes.keys)
        var random = SplitMix64(seed: 5)
        for _ in 0..<40 {
            let place = Int.random(in: 0..<list.count, using: &random)
            var changed = list
            changed[place] = references(1, seed: random.next())[0]
            var inserted = list
            inserted.insert(changed[place], at: place)
            var removed = list
            removed.remove(at: place)
            for other in [changed, inserted, removed] {
                // The leaf, at worst the next few until the cuts meet again, and the root.
                #expect(Set(build(other).nodes.keys).subtracting(known).count <= 6)
            }
        }
    }

    @Test func namesEachNodeByItsBytes() {
        for node in build(references(5000)).order { #expect(node.reference.digest == Digest(of: node.bytes)) }
    }
}

@Suite struct ListNodeTests {
    private let node = ListNode(
        level: 3,
        references: (1...5).map { ChunkReference(digest: Digest(of: [$0]), span: UInt64($0)) })

    @Test func isWhatItWasEncodedFrom() {
        #expect(ListNode(decoding: node.encoded) == node)
        #expect(node.encoded.count == 12 + 5 * 40)
    }

    @Test func isNothingAtAnyOtherLength() {
        let bytes = node.encoded
        for count in 0..<bytes.count { #expect(ListNode(decoding: Array(bytes[..<count])) == nil) }
        #expect(ListNode(decoding: bytes + [0]) == nil)
    }

    @Test func refusesWhatTheFormatDoesNotHave() {
        func with(_ offset: Int, _ value: UInt8) -> [UInt8] {
            var bytes = node.encoded
            bytes[offset] = value
            return bytes
        }
        #expect(ListNode(decoding: with(0, 0)) == nil)
        #expect(ListNode(decoding: with(4, 0)) == nil)
        #expect(ListNode(decoding: with(4, ListNode.levelMax + 1)) == nil)
        for offset in 5...7 { #expect(ListNode(decoding: with(offset, 1)) == nil) }
        for offset in 8...11 { #expect(ListNode(decoding: with(offset, 0xFF)) == nil) }
        #expect(ListNode(decoding: ListNode(level: 1, references: []).encoded) == nil)
        let many = [ChunkReference](repeating: node.references[0], count: 4097)
        #expect(ListNode(decoding: ListNode(level: 1, references: many).encoded) == nil)
        for spans in [[0], [1, 0], [UInt64.max, 1]] as [[UInt64]] {
            let references = spans.map { ChunkReference(digest: Digest(of: []), span: $0) }
            #expect(ListNode(decoding: ListNode(level: 1, references: references).encoded) == nil)
        }
    }

    @Test func neverTrapsOnGarbage() {
        for seed in 0..<3000 as Range<UInt64> {
            var bytes = Array("MVLN".utf8) + [1, 0, 0, 0] + randomBytes(Int(seed % 200), seed: seed)
            _ = ListNode(decoding: bytes)
            bytes = node.encoded
            bytes[Int(seed) % bytes.count] ^= UInt8(truncatingIfNeeded: seed &* 37)
            _ = ListNode(decoding: bytes)?.span
        }
    }
}
