import TestSupport
import VaultModel

/// Bytes that are the same for the same seed and do not repeat.
func sample(_ seed: Int, count: Int = 300) -> [UInt8] {
    randomBytes(count, seed: UInt64(bitPattern: Int64(seed)))
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
