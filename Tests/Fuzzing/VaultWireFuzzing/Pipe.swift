/// Bytes that one side has sent and the other has not received.
struct Pipe: Equatable {
    private var bytes: [UInt8] = []
    private var start = 0

    var count: Int { bytes.count - start }
    var isEmpty: Bool { count == 0 }

    static func += (pipe: inout Pipe, bytes: [UInt8]) {
        pipe.bytes += bytes
    }

    /// The next bytes, up to `count` of them.
    mutating func take(_ count: Int) -> [UInt8] {
        let end = min(start + count, bytes.count)
        let taken = Array(bytes[start..<end])
        start = end
        if isEmpty { self = Pipe() }
        return taken
    }

    mutating func takeAll() -> [UInt8] { take(count) }
}
