import Crypto
import FoundationEssentials
import VaultModel

/// Signs requests to an object store by AWS Signature Version 4.
///
/// Source: "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk" of the Amazon
/// S3 API reference. Paths are encoded once, as S3 alone of AWS's services wants it.
struct S3Signature: Sendable {
    var credentials: S3Credentials
    var region: String

    /// The SHA-256 of no bytes.
    static let emptyPayload = VaultModel.Digest(of: [] as [UInt8])

    /// The headers that a request is sent with: those given, the time, the payload's digest and the signature.
    ///
    /// - Parameters:
    ///   - path: decoded, with a `/` in front.
    ///   - query: names and values, decoded.
    ///   - headers: `host` among them; names in lower case.
    ///   - time: seconds since 1970 UTC.
    func headers(
        _ method: String, path: String, query: [(String, String)], headers: [(String, String)],
        payload: VaultModel.Digest,
        time: Int64
    ) -> [(String, String)] {
        let stamp = S3Time.stamp(time)
        let day = String(stamp.prefix(8))
        var signed = headers
        signed.append(("x-amz-content-sha256", "\(payload)"))
        signed.append(("x-amz-date", stamp))
        if let token = credentials.sessionToken { signed.append(("x-amz-security-token", token)) }
        let ordered = signed.sorted { $0.0 < $1.0 }
        let names = ordered.map(\.0).joined(separator: ";")
        let canonical = [
            method, S3Signature.encode(path, keepsSlash: true), S3Signature.canonicalQuery(query),
            ordered.map { "\($0.0):\(S3Signature.trimmed($0.1))\n" }.joined(), names, "\(payload)",
        ].joined(separator: "\n")
        let scope = "\(day)/\(region)/s3/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(stamp)\n\(scope)\n\(VaultModel.Digest(of: Array(canonical.utf8)))"
        let signature = S3Signature.hexadecimal(S3Signature.code(text, key: key(day)))
        signed.append(
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope),SignedHeaders=\(names),"
                    + "Signature=\(signature)"
            ))
        return signed
    }

    private func key(_ day: String) -> [UInt8] {
        [day, region, "s3", "aws4_request"].reduce(Array("AWS4\(credentials.secretKey)".utf8)) { key, part in
            S3Signature.code(part, key: key)
        }
    }

    private static func code(_ text: String, key: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: SymmetricKey(data: key)))
    }

    /// The query as it is sent and signed: encoded, ordered by names.
    static func canonicalQuery(_ query: [(String, String)]) -> String {
        query.map { (encode($0.0), encode($0.1)) }.sorted { $0 < $1 }.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }

    /// Everything but letters, digits and `-._~` as `%XX`.
    static func encode(_ text: String, keepsSlash: Bool = false) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            case UInt8(ascii: "/") where keepsSlash: bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func trimmed(_ value: String) -> String {
        value.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
