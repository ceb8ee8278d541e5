import Glibc
import TestSupport
import Testing
import VaultClient
import VaultModel

@Suite struct KnownServersTests {
    private let directory: TemporaryDirectory
    private let known: KnownServers
    private let url: ServerURL
    private let other: ServerURL
    private let digest = Digest(of: [1])
    private let fingerprint = "SHA256:S/USLzRFVMU73i67jNK349FgCtYxw4Wl18ziPHeFRZo"

    init() throws {
        directory = try TemporaryDirectory()
        known = KnownServers(file: directory("config/minivault/known-servers"))
        url = try ServerURL("minivault://anna@host/vault")
        other = try ServerURL("minivault://[::1]:80")
    }

    private func text() throws -> String {
        String(decoding: try SmallFile.read(known.file, bytesMax: 1 << 20), as: UTF8.self)
    }

    private func write(_ text: String) throws {
        try SmallFile.makeDirectory(known.file.parent)
        try SmallFile.write(Array(text.utf8), to: known.file, mode: 0o600, .isReplaced)
    }

    @Test func knowsNobodyAtFirst() throws {
        #expect(try known.trust(of: url) == nil)
        #expect(try known.forget(url) == false)
    }

    @Test(arguments: [Trust.pinned(Digest(of: [1])), .authorities, .authority(LocalPath("/etc/my ca.pem"))])
    func remembersAServer(_ trust: Trust) throws {
        try known.remember(trust, of: url)
        #expect(try known.trust(of: url) == trust)
        #expect(try known.trust(of: try ServerURL("minivault://bob@HOST:7117")) == trust)
        #expect(try known.trust(of: try ServerURL("minivault://host:7118")) == nil)
        #expect(try known.trust(of: other) == nil)
    }

    @Test func writesOneLineForEachServer() throws {
        try known.remember(.pinned(digest), of: url)
        try known.remember(.pinned(digest), of: url)
        try known.remember(.authorities, of: other)
        let lines = try text().split(separator: "\n")
        #expect(lines.dropFirst() == ["host:7117 \(fingerprint)", "[::1]:80 ca"])
        #expect(try FileStatus(of: known.file).mode == 0o600)
        #expect(try FileStatus(of: known.file.parent).mode == 0o700)
    }

    @Test func replacesNoTrust() throws {
        try known.remember(.pinned(digest), of: url)
        #expect(code { try known.remember(.pinned(Digest(of: [2])), of: url) } == .conflict)
        #expect(code { try known.remember(.authorities, of: url) } == .conflict)
        #expect(try known.trust(of: url) == .pinned(digest))
        #expect(try known.forget(url))
        try known.remember(.authorities, of: url)
        #expect(try known.trust(of: url) == .authorities)
    }

    @Test func keepsWhatItDoesNotKnow() throws {
        try write("# mine\n\nhost:7117 \(fingerprint)\nelse:1 future-kind x\n  \t[::1]:80\tca \r\nlast without newline")
        #expect(try known.trust(of: url) == .pinned(digest))
        #expect(try known.trust(of: other) == .authorities)
        #expect(try known.forget(url))
        try known.remember(.authorities, of: url)
        #expect(
            try text()
                == "# mine\n\nelse:1 future-kind x\n  \t[::1]:80\tca \r\nlast without newline\nhost:7117 ca\n")
    }

    @Test(arguments: [
        "", "SHA256:", "SHA256:S/USLzRFVMU73i67jNK349FgCtYxw4Wl18ziPHeFRZo=", "sha512:x", "CA", "ca relative.pem",
        "SHA256:S/USLzRFVMU73i67jNK349FgCtYxw4Wl18ziPHeFRZo x",
    ])
    func takesNoServerForUnknownWhoseLineIsUnclear(_ rest: String) throws {
        try write("host:7117 \(rest)\n")
        #expect(code { try known.trust(of: url) } == .invalid)
        #expect(code { try known.remember(.authorities, of: url) } == .invalid)
        #expect(try known.trust(of: other) == nil)
        #expect(try known.forget(url))
        #expect(try known.trust(of: url) == nil)
    }

    @Test func refusesTwoTrustsOfOneServer() throws {
        try write("host:7117 ca\nhost:7117 ca\n")
        #expect(try known.trust(of: url) == .authorities)
        try write("host:7117 ca\nhost:7117 \(fingerprint)\n")
        #expect(code { try known.trust(of: url) } == .invalid)
    }

    @Test(arguments: ["relative", "/a\nb ca", "/a "])
    func remembersNoPathThatWouldReadBackOtherwise(_ path: String) {
        #expect(code { try known.remember(.authority(LocalPath(path)), of: url) } == .invalid)
    }

    @Test func remembersTheMostIterationsOfEachUser() throws {
        let (anna, bob) = (try UserName("anna"), try UserName("bob"))
        #expect(try known.iterations(of: anna, at: url) == nil)
        for count in [8192, 4096, 10_000, 9999] { try known.remember(iterations: count, of: anna, at: url) }
        try known.remember(iterations: 4096, of: bob, at: url)
        #expect(try known.iterations(of: anna, at: url) == 10_000)
        #expect(try known.iterations(of: bob, at: url) == 4096)
        #expect(try known.iterations(of: anna, at: other) == nil)
        #expect(
            try text().split(separator: "\n").dropFirst()
                == ["host:7117 iterations anna 10000", "host:7117 iterations bob 4096"])
        // They are no trust, and stand beside it.
        #expect(try known.trust(of: url) == nil)
        try known.remember(.authorities, of: url)
        #expect(try known.trust(of: url) == .authorities)
        #expect(try known.forget(url))
        #expect(try known.iterations(of: anna, at: url) == nil && known.trust(of: url) == nil)
    }

    @Test(arguments: ["", "many", "4096 4096", "0x1000"])
    func takesNoUnclearIterationsForNone(_ count: String) throws {
        try write("host:7117 iterations anna \(count)\nhost:7117 ca\n")
        #expect(code { try known.iterations(of: UserName("anna"), at: url) } == .invalid)
        #expect(try known.iterations(of: UserName("bob"), at: url) == nil)
        #expect(try known.trust(of: url) == .authorities)
        try write("host:7117 iterations anna 5000\nhost:7117\titerations anna  6000 \n")
        #expect(try known.iterations(of: UserName("anna"), at: url) == 6000)
    }

    @Test func refusesFewerIterationsThanBefore() throws {
        let anna = try UserName("anna")
        let trust = ServerTrust { (_) throws(VaultError) in }.withIterations(in: known, of: url)
        try trust.judgeIterations(4096, anna)
        // A challenge alone is remembered by nobody: anybody can send one.
        try trust.judgeIterations(1_000_000, anna)
        trust.noteIterations(10_000, anna)
        try trust.judgeIterations(10_000, anna)
        try trust.judgeIterations(10_001, anna)
        try trust.judgeIterations(4096, UserName("bob"))
        let error = try #require(throws: VaultError.self) { try trust.judgeIterations(9999, anna) }
        #expect(error.code == .login && error.message.contains("9999") && error.message.contains("10000"))
        #expect(error.message.contains("minivault login minivault://host --forget"))
        #expect(try known.forget(url))
        try trust.judgeIterations(4096, anna)
    }

    @Test func losesNothingOfManyAtOnce() async throws {
        let known = known
        await withTaskGroup(of: Void.self) { group in
            for port in 1...40 {
                group.addTask {
                    #expect(throws: Never.self) {
                        try known.remember(.authorities, of: try ServerURL("minivault://host:\(port)"))
                    }
                }
            }
        }
        for port in 1...40 {
            #expect(try known.trust(of: try ServerURL("minivault://host:\(port)")) == .authorities)
        }
        #expect(try DirectoryListing(known.file.parent).names.count == 2)
    }

    @Test func refusesAFileTooLongToBeItsOwn() throws {
        try write(String(repeating: "#\n", count: 600_000))
        #expect(code { try known.trust(of: url) } == .invalid)
    }
}
