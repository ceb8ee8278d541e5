import FuzzSupport
import VaultModel
import VaultStore

/// Makes packs whose records are whole and say what no vault would, has a catalog rebuilt from them, and uses the vault.
func fuzzPack(_ input: [UInt8]) async throws(BrokenInvariant) {
    var choices = Choices(input)
    var image = VaultImage()
    var packs = MadePacks(vault: UniqueID(high: 7, low: 7))
    for _ in 0..<(1 + choices.below(2)) { image.files.append(packs.pack(&choices)) }
    if choices.flag() { image.damage(&choices) }
    let scratch = ScratchDirectory()
    let vault = scratch.path.appending(VaultUse.vaultName)
    image.write(to: vault)
    _ = try? await VaultRepair(vault).rebuild()
    try await VaultUse(scratch).run(&choices)
}

/// The packs of a vault, and what they have told so far that what follows can be about.
private struct MadePacks {
    let vault: UniqueID
    private var references: [ChunkReference] = []
    private var nodes: [(reference: ChunkReference, level: UInt8)] = []
    private var head: Digest?
    private var sequence: UInt64 = 1

    init(vault: UniqueID) { self.vault = vault }

    mutating func pack(_ choices: inout Choices) -> VaultImage.File {
        let id = PackID(UniqueID(high: 9, low: UInt64(choices.below(4))))
        var bytes = PackHeader(vault: vault, pack: id).encoded
        for _ in 0...choices.below(12) {
            switch choices.below(5) {
            case 0: append(chunk(&choices), as: .chunk, to: &bytes, &choices)
            case 1: append(node(&choices), as: .listNode, to: &bytes, &choices)
            case 2, 3: append(group(&choices), as: .journalGroup, to: &bytes, &choices)
            default: bytes += choices.someBytes(90)
            }
        }
        let text = id.value.description
        return VaultImage.File(path: "packs/\(text.prefix(2))/\(text).pack", bytes: bytes)
    }

    private func append(
        _ payload: [UInt8], as kind: RecordHeader.Kind, to bytes: inout [UInt8], _ choices: inout Choices
    ) {
        var header = RecordHeader(
            kind: kind, vault: choices.rarely(32) ? UniqueID(high: 1, low: 1) : vault, length: UInt32(payload.count),
            digest: Digest(of: choices.rarely(32) ? [1] : payload))
        if choices.rarely(32) { (header.plainLength, header.storedLength) = (choices.number(), choices.number()) }
        bytes += header.encoded
        bytes += payload
    }

    private mutating func chunk(_ choices: inout Choices) -> [UInt8] {
        let bytes = choices.someBytes(30)
        references.append(ChunkReference(digest: Digest(of: bytes), span: UInt64(bytes.count)))
        return bytes
    }

    private mutating func node(_ choices: inout Choices) -> [UInt8] {
        let level = choices.flag() ? UInt8(1 + choices.below(3)) : choices.byte()
        var named: [ChunkReference] = []
        for _ in 0...choices.below(4) {
            let known = references + nodes.map(\.reference)
            var reference = known.isEmpty ? choices.reference() : choices.one(of: known)
            if choices.rarely(8) { reference.span = choices.number() }
            named.append(reference)
        }
        let node = ListNode(level: level, references: named)
        let bytes = node.encoded
        let span = named.reduce(UInt64(0)) { $0 &+ $1.span }
        nodes.append((ChunkReference(digest: Digest(of: bytes), span: span), level))
        return bytes
    }

    private mutating func group(_ choices: inout Choices) -> [UInt8] {
        let changes = (0...choices.below(4)).map { _ in change(&choices) }
        if choices.rarely(8) { sequence = min(choices.number(), 1 << 62) }
        let group = JournalGroup(
            previous: choices.rarely(8) ? Digest(of: []) : head, time: choices.flag() ? 1_000_000 : choices.number(),
            firstSequence: sequence, isContinued: choices.rarely(8), changes: changes)
        let bytes = group.encoded
        head = Digest(of: bytes)
        sequence += UInt64(changes.count)
        return bytes
    }

    private func change(_ choices: inout Choices) -> JournalChange {
        switch choices.below(8) {
        case 0: .rename(from: choices.name(), to: choices.name(), isPrefix: choices.flag())
        case 1: .drop(object: object(&choices), versions: (0..<choices.below(4)).map { _ in object(&choices) })
        case 2: .settle(choices.name(), modified: choices.number())
        default: .save(saved(&choices))
        }
    }

    private func object(_ choices: inout Choices) -> UInt64 {
        choices.flag() ? UInt64(choices.below(12)) : min(choices.number(), 1 << 62)
    }

    private func saved(_ choices: inout Choices) -> SavedVersion {
        SavedVersion(
            name: choices.name(), kind: choices.one(of: [.file, .link, .directory, .removed]),
            version: object(&choices),
            content: content(&choices),
            attributes: Attributes(
                mode: UInt32(choices.below(0o10000)), modified: choices.number(),
                origin: choices.flag() ? Attributes.Origin(changed: choices.number(), inode: choices.number()) : nil),
            savedBy: choices.text(), tags: choices.tags())
    }

    /// A content that the packs may hold, or one that fits nothing.
    private func content(_ choices: inout Choices) -> Content {
        var content = Content.empty
        switch choices.below(4) {
        case 0: content.size = min(choices.number(), Content.sizeMax)
        case 1 where !references.isEmpty: content = Content(choices.one(of: references))
        default:
            guard !nodes.isEmpty else { break }
            let node = choices.one(of: nodes)
            content = Content(
                size: min(node.reference.span, Content.sizeMax), depth: min(node.level, ListNode.levelMax),
                root: node.reference.digest)
        }
        if choices.rarely(8) { content.depth = UInt8(choices.below(Int(ListNode.levelMax) + 1)) }
        if choices.rarely(8) { content.size = min(choices.number(), Content.sizeMax) }
        return content
    }
}

extension Choices {
    fileprivate mutating func reference() -> ChunkReference {
        ChunkReference(digest: Digest(of: [byte()]), span: number())
    }
}
