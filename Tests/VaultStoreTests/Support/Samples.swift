import VaultModel

/// Bytes that are the same for the same seed and do not repeat.
func sample(_ seed: Int, count: Int = 300) -> [UInt8] {
    var state = UInt64(bitPattern: Int64(seed)) &+ 0x9E37_79B9_7F4A_7C15
    return (0..<count).map { _ in
        // Vigna, "xorshift64*"; quality is no concern here.
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return UInt8(truncatingIfNeeded: (state &* 2_685_821_657_736_338_717) >> 56)
    }
}

func name(_ text: String) throws -> Name { try Name(text) }

func chunk(_ bytes: [UInt8]) -> Chunk {
    Chunk(digest: Digest(of: bytes), bytes: BufferSlice(copying: bytes))
}

func intent(
    _ text: String, kind: Entry.Kind = .file, mode: UInt32 = 0o644, modified: Int64 = 1, tags: [TagText: TagText] = [:],
    ifVersion: UInt64? = nil
) throws -> SaveIntent {
    SaveIntent(
        name: try Name(text), kind: kind, attributes: Attributes(mode: mode, modified: modified), tags: tags,
        ifVersion: ifVersion)
}

func small(
    _ text: String, _ bytes: [UInt8], kind: Entry.Kind = .file, modified: Int64 = 1, tags: [TagText: TagText] = [:],
    ifVersion: UInt64? = nil
) throws -> SmallSave {
    SmallSave(
        intent: try intent(text, kind: kind, modified: modified, tags: tags, ifVersion: ifVersion),
        chunk: bytes.isEmpty ? nil : chunk(bytes))
}
