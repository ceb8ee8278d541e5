import Foundation

/// Base 64 of RFC 4648, section 4.
func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

/// The bytes that `text` encodes; nil unless `text` is the one way in which they are encoded.
///
/// A decoder that lets bits of the last character differ would let a message be changed unnoticed.
func bytes(ofBase64 text: [UInt8]) -> [UInt8]? {
    guard let data = Data(base64Encoded: Data(text)) else { return nil }
    let bytes = Array(data)
    return base64(bytes).utf8.elementsEqual(text) ? bytes : nil
}
