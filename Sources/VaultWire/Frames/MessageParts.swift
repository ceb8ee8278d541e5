/// Counts the parts of a message before it is decoded.
///
/// A part of two bytes becomes a value of a hundred: without a bound on their number, a message within its
/// bound on bytes would fill a machine's memory.
enum MessageParts {
    /// The fields with a length (Protocol Buffers, "Encoding") that are within such fields: the elements of a
    /// message's lists, first of all. What is not well formed is not counted to its end, nor decoded further.
    static func count(in message: [UInt8]) -> Int {
        message.withUnsafeBytes { bytes in
            var count = 0
            var reader = FieldReader(bytes)
            while let body = reader.next() {
                var parts = FieldReader(body)
                while parts.next() != nil { count += 1 }
            }
            return count
        }
    }
}

/// Goes through the fields with a length of an encoded message, and passes over the others.
private struct FieldReader {
    private var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) {
        rest = bytes
    }

    /// The content of the next field with a length; nil at the end, or before what is no field.
    mutating func next() -> UnsafeRawBufferPointer? {
        while let tag = varint() {
            switch tag & 7 {
            case 0: if varint() == nil { return nil }
            case 1: if take(8) == nil { return nil }
            case 2: return varint().flatMap { take($0) }
            // The begin and the end of a group have no content of their own.
            case 3, 4: break
            case 5: if take(4) == nil { return nil }
            default: return nil
            }
        }
        return nil
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = take(1)?[0] else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }

    private mutating func take(_ count: UInt64) -> UnsafeRawBufferPointer? {
        guard count <= UInt64(rest.count) else { return nil }
        defer { rest = UnsafeRawBufferPointer(rebasing: rest[Int(count)...]) }
        return UnsafeRawBufferPointer(rebasing: rest[..<Int(count)])
    }
}
