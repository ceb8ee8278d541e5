import TestSupport
import Testing
import VaultModel

@testable import VaultWire

@Suite struct ScramClientTests {
    private static let nonce = base64([UInt8](repeating: 1, count: 18))
    private static let salt = base64(ScramFixture.salt)

    private func refusal(of challenge: String) throws -> VaultError.Code? {
        var client = try ScramFixture().client
        _ = client.first()
        return code { try client.respond(to: utf8(challenge)) }
    }

    @Test(
        arguments: [("4096", nil), ("4095", .login), ("1", .login), ("1000001", .login)] as [(String, VaultError.Code?)]
    )
    func boundsTheIterations(_ iterations: String, _ expected: VaultError.Code?) throws {
        #expect(try refusal(of: "r=\(Self.nonce)X,s=\(Self.salt),i=\(iterations)") == expected)
    }

    @Test func letsTheIterationsBeJudgedBeforeItAnswers() throws {
        var client = try ScramFixture().client
        _ = client.first()
        var judged: [Int] = []
        let refused = code {
            try client.respond(to: utf8("r=\(Self.nonce)X,s=\(Self.salt),i=5000")) { (iterations) throws(VaultError) in
                judged.append(iterations)
                throw VaultError(.denied, "Too few.")
            }
        }
        #expect(refused == .denied && judged == [5000])
    }

    @Test(arguments: ["0", "-4096", "+4096", "04096", "4096 ", "4e3", "99999999999999999999999", "x", "٤٠٩٦"])
    func refusesIterationsThatAreNoNumber(_ iterations: String) throws {
        #expect(try refusal(of: "r=\(Self.nonce)X,s=\(Self.salt),i=\(iterations)") == .login)
    }

    @Test(arguments: [(7, .login), (8, nil), (64, nil), (65, .login)] as [(Int, VaultError.Code?)])
    func boundsTheSalt(_ count: Int, _ expected: VaultError.Code?) throws {
        let salt = base64([UInt8](repeating: 5, count: count))
        #expect(try refusal(of: "r=\(Self.nonce)X,s=\(salt),i=4096") == expected)
    }

    @Test func wantsItsOwnNonceExtended() throws {
        for nonce in [Self.nonce, String(Self.nonce.dropLast()) + "XX", "X" + Self.nonce, "X"] {
            #expect(try refusal(of: "r=\(nonce),s=\(Self.salt),i=4096") == .login)
        }
        for nonce in [
            "", Self.nonce + " ", Self.nonce + "é", Self.nonce + "\u{7F}", String(repeating: "x", count: 513),
        ] {
            #expect(try refusal(of: "r=\(nonce),s=\(Self.salt),i=4096") == .invalid)
        }
    }

    @Test func passesOverExtensionsThatAreNotMandatory() throws {
        let challenge = "r=\(Self.nonce)X,s=\(Self.salt),i=4096"
        for extensions in [",x=1", ",x=1,y=a=b,Z=é"] {
            #expect(try refusal(of: challenge + extensions) == nil)
        }
        for extensions in [",m=1", ",x=1,m=1", ",r=1", ",i=4096", ",x", ",x=", ",=x", ",xy=1", ",1=x", ","] {
            #expect(try refusal(of: challenge + extensions) == .invalid)
        }
        #expect(try refusal(of: "m=1," + challenge) == .invalid)
        #expect(try refusal(of: "x=1," + challenge) == .invalid)
    }

    @Test func wantsTheOrderOfTheGrammar() throws {
        let parts = ["r=\(Self.nonce)X", "s=\(Self.salt)", "i=4096"]
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0], [0, 1], [0, 2], [0, 0, 1, 2]] {
            #expect(try refusal(of: order.map { parts[$0] }.joined(separator: ",")) == .invalid)
        }
        // Base 64 has one spelling: no white space, no missing padding, no stray bits.
        for salt in ["AAAAAAAAAAA", "AAAA AAAAAAA=", "AAAAAAAAAAB=", "AAAAAAAAAAA==", "AAAA_AAAAAA="] {
            #expect(try refusal(of: "r=\(Self.nonce)X,s=\(salt),i=4096") == .invalid)
        }
    }
}
