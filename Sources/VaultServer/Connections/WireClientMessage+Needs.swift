import VaultModel
import VaultWire

extension WireClientMessage {
    /// Bytes of memory that the message takes while it is worked on, with an answer of a few kilobytes.
    ///
    /// - Parameter length: its bytes on the way.
    func memoryBytes(length: Int) -> Int {
        2 * ConnectionEvents.shortBytes + 2 * length + elementCount * ServerLimits.elementBytes
    }

    /// The lengths of the chunks, or files, that the content behind the message is cut into.
    var contentLengths: [Int] {
        get throws(WireViolation) {
            switch body {
            case .put(let put): try put.chunks.model.map { Int($0.span) }
            case .saveSmall(let save): save.files.map { Int($0.length) }.filter { $0 > 0 }
            default: []
            }
        }
    }
}
