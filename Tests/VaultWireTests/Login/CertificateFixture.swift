import Foundation

/// Certificates that OpenSSL made, and ones put together to have any algorithm.
enum CertificateFixture {
    /// Of a P-256 key, signed by ECDSA with SHA-256.
    static let p256 = decoded(
        """
        MIIBfzCCASWgAwIBAgIUd/Zdc65E0w1D86M2iARlXUP/8HgwCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJbWluaXZhdWx0MCAXDTI2MTEyNDA5
        MzYxNloYDzIxMjYxMDMxMDkzNjE2WjAUMRIwEAYDVQQDDAltaW5pdmF1bHQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQ/5D86XJZfg8bu
        K7EsTXDeTGM0SKiVRu5kL2DO4sfl6CeX/mPH9A79AS3ciky/n9p0wzPb9AF465RTiU71pSglo1MwUTAdBgNVHQ4EFgQUR3Wt0VjLHULnk9vb
        HFjSPDwa1WcwHwYDVR0jBBgwFoAUR3Wt0VjLHULnk9vbHFjSPDwa1WcwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAq6oR
        Hs8N4UDANJKO6KetPLhSG8c6c/4EUGe9C5OUiecCIEIv+Rrra+mSj/2tzpAl6zUupYa1RE8qWuFZTN7g9XVu
        """)

    /// Of an RSA key, signed by RSASSA-PSS with SHA-384.
    static let pss = decoded(
        """
        MIICXjCCAZOgAwIBAgIUDVwYN/GRnNmM81XH18xIzqk45pMwQQYJKoZIhvcNAQEKMDSgDzANBglghkgBZQMEAgIFAKEcMBoGCSqGSIb3DQEB
        CDANBglghkgBZQMEAgIFAKIDAgFOMAwxCjAIBgNVBAMMAXYwIBcNMjYxMTI0MDkzNjE2WhgPMjEyNjEwMzEwOTM2MTZaMAwxCjAIBgNVBAMM
        AXYwgZ8wDQYJKoZIhvcNAQEBBQADgY0AMIGJAoGBAK77YbVPfXRYOfQ9DiTg4V70+5UgbrvkSnqTNpLxBzkm84WLXjBiffmZeCgYmsUuM8Ro
        plHFfB7sdmcR7ZBCDnHw2YASZDO9N90pCHXbdBlCdvr5b5bEwNXDuZ6P7V1diu9lN8x/rPRhw/sDmrbyOMSLIRBhYUVV2Tb2iblEY6cPAgMB
        AAGjUzBRMB0GA1UdDgQWBBRUuVbn13CA5wkKgTF+11L/cT5CKDAfBgNVHSMEGDAWgBRUuVbn13CA5wkKgTF+11L/cT5CKDAPBgNVHRMBAf8E
        BTADAQH/MEEGCSqGSIb3DQEBCjA0oA8wDQYJYIZIAWUDBAICBQChHDAaBgkqhkiG9w0BAQgwDQYJYIZIAWUDBAICBQCiAwIBTgOBgQBUDcF7
        svCYMy5L96spb4wCEbAawfHo7CjkreSPcQcVW70UZxCXnRzFyBW6YbNWO65T7bi5tEqHpFUHF2Y5QKV9wP9YPiRpbOQTu/jn72prpYdwzIV+
        WJD3RBP79YFQXvY9Qo431WhTpzcMrk+qaG6mSgP6mHsraz7oQe7weizwvg==
        """)

    /// A certificate whose signature, which is empty, has the given AlgorithmIdentifier.
    static func signed(
        by algorithm: [UInt8], within signed: [UInt8]? = nil, key: [UInt8] = der(0x30, der(0x30), der(3, [0]))
    )
        -> [UInt8]
    {
        let empty = der(0x30)
        let fields = [der(0xA0, der(2, [2])), der(2, [1]), signed ?? algorithm, empty, empty, empty, key]
        return der(0x30, der(0x30, fields.flatMap { $0 }), algorithm, der(3, [0]))
    }

    /// An AlgorithmIdentifier of the object identifier with these encoded bytes.
    static func algorithm(_ identifier: [UInt8], _ parameters: [UInt8] = []) -> [UInt8] {
        der(0x30, der(6, identifier), parameters)
    }

    /// A value in DER, of less than 64 KiB.
    static func der(_ tag: UInt8, _ contents: [UInt8]...) -> [UInt8] {
        let content = contents.flatMap { $0 }
        let count = content.count
        switch count {
        case ..<128: return [tag, UInt8(count)] + content
        case ..<256: return [tag, 0x81, UInt8(count)] + content
        case _: return [tag, 0x82, UInt8(count >> 8), UInt8(count & 0xFF)] + content
        }
    }

    private static func decoded(_ text: String) -> [UInt8] {
        Data(base64Encoded: text, options: .ignoreUnknownCharacters).map { Array($0) } ?? []
    }
}
