import Testing
import VaultModel

@testable import VaultEngines

/// The examples of "Signature Calculations for the Authorization Header" in the Amazon S3 API reference.
@Suite struct S3SignatureTests {
    private let signature = S3Signature(
        credentials: S3Credentials(
            accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        region: "us-east-1")
    /// 2013-05-24T00:00:00Z
    private let time: Int64 = 1_369_353_600

    private func sign(
        _ method: String, _ path: String, query: [(String, String)] = [], headers: [(String, String)] = [],
        payload: Digest = S3Signature.emptyPayload
    ) -> String? {
        let signed = signature.headers(
            method, path: path, query: query, headers: [("host", "examplebucket.s3.amazonaws.com")] + headers,
            payload: payload, time: time)
        return signed.first { $0.0 == "authorization" }?.1.split(separator: "=").last.map { String($0) }
    }

    @Test func aRangedGetIsSignedAsInTheExample() {
        #expect(
            sign("GET", "/test.txt", headers: [("range", "bytes=0-9")])
                == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    }

    @Test func aPutIsSignedAsInTheExample() {
        #expect(
            sign(
                "PUT", "/test$file.text",
                headers: [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
                payload: Digest(of: Array("Welcome to Amazon S3.".utf8)))
                == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
    }

    @Test func aQueryWithoutAValueIsSignedAsInTheExample() {
        #expect(
            sign("GET", "/", query: [("lifecycle", "")])
                == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
    }

    @Test func aListingIsSignedAsInTheExample() {
        #expect(
            sign("GET", "/", query: [("prefix", "J"), ("max-keys", "2")])
                == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
    }

    @Test func credentialsThatRunOutSendTheirToken() {
        var temporary = signature
        temporary.credentials.sessionToken = "token"
        let headers = temporary.headers(
            "GET", path: "/", query: [], headers: [("host", "h")], payload: S3Signature.emptyPayload, time: time)
        #expect(headers.contains { $0 == ("x-amz-security-token", "token") })
        #expect(headers.last?.1.contains("x-amz-security-token") == true)
    }

    @Test func namesAreEncodedOnceAndByteByByte() {
        #expect(S3Signature.encode("/a b/ü+~.txt", keepsSlash: true) == "/a%20b/%C3%BC%2B~.txt")
        #expect(S3Signature.canonicalQuery([("b", "1/2"), ("a", "x y"), ("a", "")]) == "a=&a=x%20y&b=1%2F2")
    }
}
