package import VaultModel

/// Tags that hooks add to the names which a change brings, of which there may be very many.
///
/// No name is kept, only 16 bytes of its SHA-256; and tags that many names get are kept once.
package struct JudgedTags: Sendable {
    private struct Key: Hashable {
        var high: UInt64
        var low: UInt64

        init(_ name: Name) {
            (high, low) = Digest(of: name.bytes).withUnsafeBytes { bytes in
                (bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            }
        }
    }

    /// Places in `distinct`, by names.
    private var places: [Key: UInt32] = [:]
    private var distinct: [[TagText: TagText?]] = []
    private var placesByTags: [[TagText: TagText?]: UInt32] = [:]
    /// Bytes of the keys and values of tags that differ.
    private var bytes = 0
    private let bytesMax: Int

    /// - Parameter bytesMax: the most bytes of tags that differ.
    package init(bytesMax: Int = StoreLimits.judgedTagBytesMax) {
        self.bytesMax = bytesMax
    }

    package var isEmpty: Bool { places.isEmpty }

    /// Adds the tags of a name; nil as a value takes a tag away.
    ///
    /// - Returns: false where the tags of all names together take up too much memory.
    package mutating func add(_ tags: [TagText: TagText?], to name: Name) -> Bool {
        let place: UInt32
        if let known = placesByTags[tags] {
            place = known
        } else {
            bytes += tags.reduce(0) { $0 + $1.key.utf8.count + ($1.value?.utf8.count ?? 0) + 64 }
            guard bytes <= bytesMax else { return false }
            place = UInt32(distinct.count)
            distinct.append(tags)
            placesByTags[tags] = place
        }
        places[Key(name)] = place
        return true
    }

    subscript(name: Name) -> [TagText: TagText?]? { places[Key(name)].map { distinct[Int($0)] } }
}
