package import VaultModel

/// What stands before every frame: 12 bytes, numbers little-endian.
///
/// The payload's length (4 bytes), the request that the frame belongs to (4), the kind (1), whether the
/// frame is the last of its message (1: yes, 0: more follow), and two zero bytes.
package struct FrameHeader: Sendable, Hashable {
    package static let byteCount = 12

    package enum Kind: UInt8, Sendable {
        /// A message, or a part of one.
        case message = 1
        /// Bytes of content.
        case data = 2
    }

    package var length: Int
    package var request: UInt32
    package var kind: Kind
    package var isLast: Bool

    package init(length: Int, request: UInt32, kind: Kind, isLast: Bool = true) {
        self.length = length
        self.request = request
        self.kind = kind
        self.isLast = isLast
    }

    package var encoded: [UInt8] {
        var bytes = ByteWriter(reserving: FrameHeader.byteCount)
        bytes.write(UInt32(length))
        bytes.write(request)
        bytes.write(kind.rawValue)
        bytes.write(UInt8(isLast ? 1 : 0))
        bytes.write(UInt16(0))
        return bytes.bytes
    }

    /// - Parameter bytes: as many as a header has.
    /// - Throws: for a header that no peer sends.
    init(decoding bytes: [UInt8]) throws(WireViolation) {
        var reader = ByteReader(bytes)
        do {
            let length: UInt32 = try reader.read()
            request = try reader.read()
            let (kind, last): (UInt8, UInt8) = (try reader.read(), try reader.read())
            let zeros: UInt16 = try reader.read()
            guard length <= UInt32(WireLimits.frameBytesMax) else {
                throw WireViolation("a frame of \(length) bytes, where \(WireLimits.frameBytesMax) are allowed")
            }
            guard let kind = Kind(rawValue: kind), last <= 1, zeros == 0 else {
                throw WireViolation("a frame header that this version does not know")
            }
            self.length = Int(length)
            self.kind = kind
            isLast = last == 1
        } catch let violation as WireViolation {
            throw violation
        } catch {
            throw WireViolation("a frame header that is too short")
        }
    }
}

/// What a peer did that the protocol does not allow: its connection ends with this reason.
package struct WireViolation: Error, Sendable, Equatable {
    /// A phrase for the sentence "The peer sent …"; it holds no bytes of the peer's.
    package var what: String

    package init(_ what: String) {
        self.what = what
    }
}

extension VaultError {
    package init(_ violation: WireViolation) {
        self.init(.invalid, "The other side broke the protocol: it sent \(violation.what).")
    }
}
