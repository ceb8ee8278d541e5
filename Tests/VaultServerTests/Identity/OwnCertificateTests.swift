import Glibc
import TestSupport
import Testing
import VaultModel
import VaultStore

@testable import VaultServer

/// The certificate that clients have pinned is made once, and again on demand only.
@Suite struct OwnCertificateTests {
    private let directory: TemporaryDirectory
    private let accounts: Accounts

    init() throws {
        directory = try TemporaryDirectory()
        accounts = try Accounts.open(directory.path)
    }

    private var files: [LocalPath] { [directory("key.pem"), directory("certificate.pem")] }

    private func start(replacesLost: Bool = false) throws -> ServerCertificate {
        try ServerCertificate.own(in: directory.path, of: accounts, replacesLost: replacesLost)
    }

    @Test func isMadeOnTheFirstStartAndStays() throws {
        let made = try start()
        #expect(try start().fingerprint == made.fingerprint)
        #expect(try accounts.ownKey() == made.fingerprint)
    }

    @Test func isFinishedWhereTheFirstStartWasCutShort() throws {
        let made = try ServerCertificate.loadOrMake(in: directory.path)
        try SmallFile.remove(files[1])
        #expect(try start().fingerprint == made.fingerprint)
    }

    @Test(arguments: [[0], [1], [0, 1]])
    func whatIsLostIsNamedAndNotMade(_ lost: [Int]) throws {
        let made = try start()
        for index in lost { try SmallFile.remove(files[index]) }
        let error = #expect(throws: VaultError.self) { try start() }
        let message = error?.message ?? ""
        #expect(error?.code == .integrity && message.contains(made.fingerprint))
        #expect(message.contains("--new-certificate"))
        for index in [0, 1] { #expect(message.contains("'\(files[index])'") == lost.contains(index)) }
        #expect(message.contains("login --forget") == lost.contains(0))
        for index in lost { #expect(code { try FileStatus(of: files[index]) } == .notFound) }
    }

    @Test(arguments: [[0], [1], [0, 1]])
    func whatIsLostIsMadeOnDemand(_ lost: [Int]) throws {
        let made = try start()
        for index in lost { try SmallFile.remove(files[index]) }
        let again = try start(replacesLost: true)
        #expect((again.fingerprint == made.fingerprint) == !lost.contains(0))
        #expect(again.chain != made.chain)
        #expect(try accounts.ownKey() == again.fingerprint)
        #expect(try start().fingerprint == again.fingerprint)
    }

    @Test func whatIsNotLostIsNotReplaced() throws {
        #expect(code { try start(replacesLost: true) } == .invalid)
        let made = try start()
        let error = #expect(throws: VaultError.self) { try start(replacesLost: true) }
        #expect(error?.code == .invalid && error?.message.contains("are not lost") == true)
        #expect(try start().fingerprint == made.fingerprint)
    }

    @Test func aKeyThatIsLostWithTheAccountsIsNotMadeEither() throws {
        #expect(try accounts.ownKey() == nil)
        try accounts.noteOwnKey(nil)
        #expect(try accounts.ownKey() == "")
        #expect(code { try start() } == .integrity)
        _ = try start(replacesLost: true)
    }

    @Test func aCertificateWithoutItsKeyIsALoss() throws {
        _ = try ServerCertificate.loadOrMake(in: directory.path)
        try SmallFile.remove(files[0])
        #expect(code { try start() } == .integrity)
    }
}
