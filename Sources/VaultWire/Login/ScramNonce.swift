/// One side's half of the nonce of a SCRAM login: printable ASCII without a comma.
package struct ScramNonce: Sendable {
    /// The printable bytes of a nonce; a comma would end the attribute.
    static func allows(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && byte != UInt8(ascii: ",")
    }

    let text: [UInt8]

    /// The nonce for random bytes, of which RFC 5802 wants a fresh and unpredictable number each time.
    ///
    /// - Precondition: there are 16 to 64.
    package init(random: [UInt8]) {
        precondition((16...64).contains(random.count), "a nonce is 16 to 64 random bytes")
        text = Array(base64(random).utf8)
    }

    /// The nonce of an example.
    init(text: String) {
        self.text = Array(text.utf8)
        precondition(!self.text.isEmpty && self.text.allSatisfy(ScramNonce.allows), "a nonce is printable")
    }
}
