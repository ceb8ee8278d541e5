package import VaultModel

extension Digest {
    private static let fingerprintLabel = "SHA256:"

    /// The digest of a key as people compare it: `SHA256:` and base 64 without padding, as OpenSSH prints it.
    package var fingerprint: String {
        Digest.fingerprintLabel + String(base64(bytes).prefix { $0 != "=" })
    }

    /// The digest whose fingerprint this is.
    ///
    /// - Throws: `invalid` for text that no fingerprint has.
    package init(fingerprint text: String) throws(VaultError) {
        // 32 bytes are 43 characters, so that one character of padding was left out.
        guard text.hasPrefix(Digest.fingerprintLabel),
            let bytes = VaultWire.bytes(
                ofBase64: Array(text.utf8.dropFirst(Digest.fingerprintLabel.utf8.count)) + [padding]),
            let digest = Digest(bytes)
        else {
            throw VaultError(
                .invalid, "A key's fingerprint is 'SHA256:' and 43 characters behind it, as a server prints it.")
        }
        self = digest
    }
}

private let padding = UInt8(ascii: "=")
