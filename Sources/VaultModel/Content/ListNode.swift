/// Up to 4,096 references to chunks, or to the list nodes below, in the order of the file.
///
/// A node is kept as bytes: the letters `MVLN`, its level (1 byte; 1 means that it names chunks),
/// three zero bytes, the number of references (4 bytes), then for each the digest (32 bytes) and the
/// span (8 bytes), numbers little-endian. Its name is the SHA-256 of these bytes.
package struct ListNode: Hashable, Sendable {
    package static let referencesMax = 4096
    /// No file of 2^64 bytes needs more levels, since inner nodes hold at least two references.
    package static let levelMax: UInt8 = 48

    package var level: UInt8
    package var references: [ChunkReference]

    package init(level: UInt8, references: [ChunkReference]) {
        self.level = level
        self.references = references
    }

    package var span: UInt64 { references.reduce(0) { $0 + $1.span } }

    package var encoded: [UInt8] {
        var bytes = ByteWriter(reserving: 12 + references.count * 40)
        bytes.write(Array("MVLN".utf8))
        bytes.write(level)
        bytes.write([0, 0, 0])
        bytes.write(UInt32(references.count))
        for reference in references {
            bytes.write(reference.digest)
            bytes.write(reference.span)
        }
        return bytes.bytes
    }

    /// The node that `bytes` are; nil where they are none.
    package init?(decoding bytes: [UInt8]) {
        var reader = ByteReader(bytes)
        do {
            guard try reader.readBytes(4) == Array("MVLN".utf8) else { return nil }
            level = try reader.read()
            guard (1...ListNode.levelMax).contains(level), try reader.readBytes(3) == [0, 0, 0] else { return nil }
            let count: UInt32 = try reader.read()
            guard (1...ListNode.referencesMax).contains(Int(count)), reader.remaining == Int(count) * 40 else {
                return nil
            }
            references = []
            references.reserveCapacity(Int(count))
            var total: UInt64 = 0
            for _ in 0..<count {
                let reference = ChunkReference(digest: try reader.readDigest(), span: try reader.read())
                let (sum, overflow) = total.addingReportingOverflow(reference.span)
                guard !overflow, reference.span > 0 else { return nil }
                total = sum
                references.append(reference)
            }
        } catch {
            return nil
        }
    }
}
