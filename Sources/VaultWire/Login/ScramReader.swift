import VaultModel

/// Reads a SCRAM message attribute by attribute, in the strict order of its grammar (RFC 5802, section 7).
///
/// All bytes are the peer's: what breaks the grammar throws `invalid`, never with the bytes in the message.
struct ScramReader {
    /// Names that mean something (RFC 5802, section 5.1): they cannot name an extension, not even a second time.
    private static let reserved = Set("anmrcsipve".utf8)

    private var fields: ArraySlice<ArraySlice<UInt8>>

    init(_ message: some Collection<UInt8>) throws(VaultError) {
        let message = Array(message)
        guard message.count <= WireLimits.loginMessageBytesMax else { throw ScramReader.malformed("is too long") }
        guard !message.contains(0), String(validating: message, as: UTF8.self) != nil else {
            throw ScramReader.malformed("is not text")
        }
        fields = message.split(separator: comma, omittingEmptySubsequences: false)[...]
    }

    static func malformed(_ problem: String) -> VaultError {
        VaultError(.invalid, "A message of the login by password \(problem).")
    }

    /// The next field, whatever it is.
    mutating func field() throws(VaultError) -> [UInt8] {
        guard let field = fields.popFirst() else { throw ScramReader.malformed("ends early") }
        return Array(field)
    }

    /// The bytes of all fields that are left, which stay left.
    var rest: [UInt8] { Array(fields.joined(separator: [comma])) }

    /// Whether the next attribute has this name.
    func isNext(_ name: Unicode.Scalar) -> Bool {
        fields.first?.starts(with: [UInt8(ascii: name), UInt8(ascii: "=")]) ?? false
    }

    /// The value of the next attribute, which must have this name, and a value.
    mutating func attribute(_ name: Unicode.Scalar) throws(VaultError) -> [UInt8] {
        guard !isNext("m") else { throw ScramReader.malformed("demands an extension that does not exist here") }
        guard isNext(name) else { throw ScramReader.malformed("lacks the attribute '\(name)' in its place") }
        let value = try field().dropFirst(2)
        guard !value.isEmpty else { throw ScramReader.malformed("has an empty attribute '\(name)'") }
        return Array(value)
    }

    mutating func nonce() throws(VaultError) -> [UInt8] {
        let nonce = try attribute("r")
        guard nonce.count <= WireLimits.scramNonceBytesMax, nonce.allSatisfy(ScramNonce.allows) else {
            throw ScramReader.malformed("has a nonce that is too long or not printable")
        }
        return nonce
    }

    mutating func base64(_ name: Unicode.Scalar) throws(VaultError) -> [UInt8] {
        guard let bytes = bytes(ofBase64: try attribute(name)) else {
            throw ScramReader.malformed("has an attribute '\(name)' that is not in base 64")
        }
        return bytes
    }

    /// Passes over the extensions to the end: unknown ones have no meaning, but the proofs cover them.
    mutating func passOverExtensions() throws(VaultError) {
        while !fields.isEmpty {
            guard !isNext("m") else { throw ScramReader.malformed("demands an extension that does not exist here") }
            let field = try field()
            guard field.count > 2, isLetter(field[0]), field[1] == UInt8(ascii: "="),
                !ScramReader.reserved.contains(field[0])
            else { throw ScramReader.malformed("has something out of place") }
        }
    }

    private func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
