package import VaultModel

/// Tags as the journal and the catalogs have them: their number as a varint, then keys and values behind their lengths,
/// ordered by keys.
package enum Tags {
    package static func encode(_ tags: [TagText: TagText]) -> [UInt8] {
        var bytes = ByteWriter()
        bytes.writeVarint(UInt64(tags.count))
        for (key, value) in tags.sorted(by: { $0.key < $1.key }) {
            bytes.writeString(key.utf8)
            bytes.writeString(value.utf8)
        }
        return bytes.bytes
    }

    /// - Throws: ``ByteReader/Malformed`` for bytes that are no tags, or go on behind them.
    package static func decode(_ bytes: [UInt8]) throws -> [TagText: TagText] {
        var reader = ByteReader(bytes)
        var tags: [TagText: TagText] = [:]
        for _ in 0..<(try reader.readVarint()) {
            let key = TagText(String(decoding: try reader.readString(), as: UTF8.self))
            tags[key] = TagText(String(decoding: try reader.readString(), as: UTF8.self))
        }
        guard reader.remaining == 0 else { throw ByteReader.Malformed() }
        return tags
    }
}
