import Testing

@testable import VaultModel

@Suite struct ContentTests {
    /// These digests are a part of the format. They were computed by another program from its description.
    @Test func hasTheDigestsThatTheFormatSays() {
        #expect(Content.empty.digest.description == "c9f418ad931b5bd7f24d22986c332fe3608965831e7b5ce95e32214e88755f7f")
        let abc = ChunkReference(digest: Digest(of: Array("abc".utf8)), span: 3)
        #expect(Content(abc).digest.description == "12f6658de7a6f9fc4b70541ac862ded5700be3cc87a87e9f8232118b058e8805")
        let de = ChunkReference(digest: Digest(of: Array("de".utf8)), span: 2)
        let node = ListNode(level: 1, references: [abc, de])
        let root = Digest(of: node.encoded)
        #expect(root.description == "285d77120aaaa6b00d0e07153069e2d9742f957186ae9f36f90ed1f61b9f6b04")
        let content = Content(size: 5, depth: 1, root: root)
        #expect(content.digest.description == "f1f6347c38e4174c346c16f3fbfd1c9b8a17f86d9b6dc42313f1d24d7cbb8a61")
    }

    @Test func tellsContentsApartThatShareARoot() {
        let root = Digest(of: [1])
        let contents = [
            Content(size: 1, depth: 0, root: root), Content(size: 2, depth: 0, root: root),
            Content(size: 1, depth: 1, root: root), Content(chunker: 2, size: 1, depth: 0, root: root),
        ]
        #expect(Set(contents.map(\.digest)).count == contents.count)
    }

    @Test func takesADigestOf32BytesOnly() {
        for count in [0, 1, 31, 33, 64] { #expect(Digest([UInt8](repeating: 1, count: count)) == nil) }
        let digest = Digest(of: Array("abc".utf8))
        #expect(Digest(digest.bytes) == digest)
        #expect(digest.description == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }
}
