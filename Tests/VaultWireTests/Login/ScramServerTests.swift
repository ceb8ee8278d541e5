import TestSupport
import Testing
import VaultModel

@testable import VaultWire

@Suite struct ScramServerTests {
    private static let header = "p=tls-server-end-point,,"

    private func begin(_ message: String) throws -> String {
        var server = try ScramFixture().server
        return try server.begin(utf8(message))
    }

    @Test(arguments: [
        "n,,n=ada,r=abc", "y,,n=ada,r=abc", "p=tls-unique,,n=ada,r=abc", "p=tls-exporter,,n=ada,r=abc", "n=ada,r=abc",
    ])
    func refusesALoginThatIsNotBoundToTheCertificate(_ message: String) {
        #expect(code { try begin(message) } == .login)
    }

    @Test func refusesToActForAnotherUser() {
        #expect(code { try begin("p=tls-server-end-point,a=root,n=ada,r=abc") } == .invalid)
    }

    @Test(arguments: [
        ("ada", "ada"), ("a=2Cb=3Dc", "a,b=c"), ("=3D2C", "=2C"), ("Ünïcode", "Ünïcode"), ("../etc", "../etc"),
    ])
    func givesTheUserAsSent(_ sent: String, _ user: String) throws {
        #expect(try begin("\(Self.header)n=\(sent),r=abc") == user)
    }

    @Test(arguments: ["", "=", "a=", "a=2", "a=2c", "a=3d", "a=41", "=="])
    func refusesAUserWithAnEscapeThatStandsForNothing(_ sent: String) {
        #expect(code { try begin("\(Self.header)n=\(sent),r=abc") } == .invalid)
    }

    @Test(arguments: [
        "r=abc", "n=ada", "r=abc,n=ada", "n=ada,r=", "n=ada,r=a b", "n=ada,r=é", "m=x,n=ada,r=abc", "x=1,n=ada,r=abc",
        "n=ada,r=abc,m=x", "n=ada,r=abc,n=bob", "n=ada,r=abc,", "N=ada,r=abc", "n=ada,,r=abc",
        "n=ada,r=" + String(repeating: "x", count: 500),
    ])
    func refusesWhatBreaksTheGrammar(_ bare: String) {
        #expect(code { try begin(Self.header + bare) } == .invalid)
    }

    @Test func passesOverExtensionsThatAreNotMandatory() throws {
        #expect(try begin("\(Self.header)n=ada,r=abc,x=1,y=2") == "ada")
    }

    @Test func coversExtensionsWithTheProof() throws {
        let fixture = try ScramFixture()
        #expect(code { try fixture.logIn { $0 == .clientFirst ? $1 + utf8(",x=1") : $1 } } == .login)
        #expect(code { try fixture.logIn { $0 == .serverFirst ? $1 + utf8(",x=1") : $1 } } == .login)
        #expect(
            code {
                try fixture.logIn { $0 == .clientFinal ? utf8(text($1).replacing(",p=", with: ",x=1,p=")) : $1 }
            } == .login)
    }

    @Test func refusesAnAnswerToAnotherChallenge() throws {
        let fixture = try ScramFixture()
        let old = try #require(try fixture.messages()[.clientFinal])
        var client = try fixture.client
        var server = ScramServer(
            binding: ScramFixture.binding, nonce: ScramNonce(random: [UInt8](repeating: 3, count: 18)))
        _ = try server.begin(client.first())
        _ = server.challenge(fixture.credentials)
        let error = #expect(throws: VaultError.self) { try server.verify(old) }
        #expect(error?.code == .login)
        #expect(error?.message.contains("another challenge") == true)
    }

    @Test func wantsTheProofLastAndWhole() throws {
        let fixture = try ScramFixture()
        let changes: [(String) -> String] = [
            { $0 + ",x=1" }, { $0 + "," }, { $0.replacing(",p=", with: ",P=") }, { String($0.dropLast(4)) },
            { $0.replacing("c=", with: "c=,c=") }, { "x=1," + $0 }, { "m=1," + $0 },
            { $0.replacing(",r=", with: ",m=1,r=") },
            { String($0.prefix { $0 != "," }) },
            { String($0[..<($0.firstRange(of: ",p=")?.lowerBound ?? $0.endIndex)]) + ",p=AAAA" },
        ]
        for change in changes {
            #expect(code { try fixture.logIn { $0 == .clientFinal ? utf8(change(text($1))) : $1 } } == .invalid)
        }
    }

    @Test func keepsTheKeysToItself() throws {
        let credentials = try ScramFixture().credentials
        #expect("\(credentials)" == String(reflecting: credentials))
        #expect(!"\(credentials)".contains("\(credentials.storedKey[0]), \(credentials.storedKey[1])"))
    }
}
