import Crypto
import Foundation
import Glibc
import TestSupport
import Testing
import VaultClient
import VaultModel

@Suite struct DeviceKeysTests {
    private let directory: TemporaryDirectory
    private let keys: DeviceKeys
    private let url: ServerURL

    init() throws {
        directory = try TemporaryDirectory()
        keys = DeviceKeys(directory: directory("config/keys"))
        url = try ServerURL("minivault://host:80")
    }

    @Test func makesAKeyAndLoadsItAgain() throws {
        #expect(try keys.load(for: "anna", at: url) == nil)
        let made = try keys.make(for: "anna", at: url)
        let file = try keys.file(for: "anna", at: url)
        #expect(file == directory("config/keys/anna@host:80"))
        #expect(try keys.load(for: "anna", at: url)?.rawRepresentation == made.rawRepresentation)
        #expect(try keys.make(for: "anna", at: url).rawRepresentation == made.rawRepresentation)
        #expect(try FileStatus(of: file).mode == 0o600)
        #expect(try FileStatus(of: keys.directory).mode == 0o700)
        let text = String(decoding: try SmallFile.read(file, bytesMax: 1000), as: UTF8.self)
        #expect(text == "minivault device key 1\n\(made.rawRepresentation.base64EncodedString())\n")
    }

    @Test func keepsTheKeysOfUsersAndServersApart() throws {
        let key = try keys.make(for: "anna", at: url)
        #expect(try keys.load(for: "bob", at: url) == nil)
        #expect(try keys.load(for: "anna", at: try ServerURL("minivault://host:81")) == nil)
        #expect(try keys.make(for: "bob", at: url).rawRepresentation != key.rawRepresentation)
        #expect(try keys.remove(for: "bob", at: url))
        #expect(try !keys.remove(for: "bob", at: url))
        #expect(try keys.load(for: "anna", at: url) != nil)
    }

    @Test(arguments: [0o640, 0o604, 0o620, 0o602, 0o644] as [mode_t])
    func refusesAKeyThatOthersMayUse(_ mode: mode_t) throws {
        _ = try keys.make(for: "anna", at: url)
        let file = try keys.file(for: "anna", at: url)
        #expect(file.withCString { chmod($0, mode) } == 0)
        #expect(code { try keys.load(for: "anna", at: url) } == .denied)
        #expect(code { try keys.make(for: "anna", at: url) } == .denied)
    }

    @Test(arguments: [
        "", "\n\n", "minivault device key 1\n", "minivault device key 1\nAAAA\n", "minivault device key 1\n!\n",
        "minivault device key 2\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "minivault device key 1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nmore\n",
        String(repeating: "x", count: 2000),
    ])
    func refusesAFileThatIsNoKey(_ text: String) throws {
        try SmallFile.makeDirectory(keys.directory)
        let file = try keys.file(for: "anna", at: url)
        try SmallFile.write(Array(text.utf8), to: file, mode: 0o600, .isKept)
        #expect(code { try keys.load(for: "anna", at: url) } == .invalid)
    }

    @Test func followsNoLink() throws {
        _ = try keys.make(for: "bob", at: url)
        let file = try keys.file(for: "anna", at: url)
        #expect(file.withCString { symlink("bob@host:80", $0) } == 0)
        #expect(code { try keys.load(for: "anna", at: url) } != nil)
    }

    @Test func makesOneKeyForManyAtOnce() async throws {
        let (keys, url) = (keys, url)
        let made = await withTaskGroup(of: [UInt8]?.self) { group in
            for _ in 0..<16 {
                group.addTask { (try? keys.make(for: "anna", at: url)).map { Array($0.rawRepresentation) } }
            }
            return await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(made.count == 1 && !made.contains(nil))
        #expect(try DirectoryListing(keys.directory).names.count == 1)
    }

    @Test func leavesItsDirectoryForNoName() throws {
        for user in ["../anna", "a/b", ".anna", "", "a\u{0}"] {
            #expect(code { try keys.file(for: user, at: url) } == .invalid)
        }
        let host = Array(repeating: String(repeating: "a", count: 60), count: 4).joined(separator: ".")
        let far = try ServerURL("minivault://\(host)")
        let key = try keys.make(for: "anna", at: far)
        #expect(try keys.load(for: "anna", at: far)?.rawRepresentation == key.rawRepresentation)
    }
}
