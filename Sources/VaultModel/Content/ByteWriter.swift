/// Writes the numbers, digests and byte strings of MiniVault's formats, all little-endian.
package struct ByteWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init(reserving capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    package var count: Int { bytes.count }

    package mutating func write(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func write(_ value: [UInt8]) {
        bytes.append(contentsOf: value)
    }

    package mutating func write(_ value: Digest) {
        value.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }

    /// Writes seven bits a byte, the lowest first, the high bit set on all but the last (LEB128).
    package mutating func writeVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// Writes a signed number as a varint with the sign in the lowest bit (zigzag).
    package mutating func writeSigned(_ value: Int64) {
        writeVarint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    }

    /// Writes a byte string behind its length as a varint.
    package mutating func writeString(_ value: some Collection<UInt8>) {
        writeVarint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }
}

/// Reads what ``ByteWriter`` wrote, from bytes that may be damaged: every read can fail.
package struct ByteReader: Sendable {
    /// The bytes ended early, or a number in them is impossible.
    package struct Malformed: Error {
        package init() {}
    }

    private let bytes: [UInt8]
    package private(set) var offset = 0

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    package var remaining: Int { bytes.count - offset }

    package mutating func read<Value: FixedWidthInteger>(_: Value.Type = Value.self) throws(Malformed) -> Value {
        let size = MemoryLayout<Value>.size
        guard remaining >= size else { throw Malformed() }
        var value: Value = 0
        for index in 0..<size {
            value |= Value(truncatingIfNeeded: bytes[offset + index]) << Value(index * 8)
        }
        offset += size
        return value
    }

    package mutating func readDigest() throws(Malformed) -> Digest {
        guard let digest = Digest(try readBytes(Digest.byteCount)) else { throw Malformed() }
        return digest
    }

    package mutating func readBytes(_ count: Int) throws(Malformed) -> [UInt8] {
        guard count >= 0, remaining >= count else { throw Malformed() }
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }

    package mutating func readVarint() throws(Malformed) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            let byte: UInt8 = try read()
            let bits = UInt64(byte & 0x7F)
            guard shift < 63 || bits <= 1 else { throw Malformed() }
            value |= bits << shift
            if byte & 0x80 == 0 {
                // A number has one spelling, so that equal values are equal bytes.
                guard byte > 0 || shift == 0 else { throw Malformed() }
                return value
            }
        }
        throw Malformed()
    }

    /// A number that may not be above `max`.
    package mutating func readVarint<Value: FixedWidthInteger>(upTo max: Value) throws(Malformed) -> Value {
        guard let value = Value(exactly: try readVarint()), value <= max else { throw Malformed() }
        return value
    }

    package mutating func readSigned() throws(Malformed) -> Int64 {
        let value = try readVarint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    package mutating func readString() throws(Malformed) -> [UInt8] {
        let count = try readVarint()
        guard count <= UInt64(remaining) else { throw Malformed() }
        return try readBytes(Int(count))
    }
}
