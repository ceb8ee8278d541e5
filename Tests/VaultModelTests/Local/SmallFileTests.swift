import Glibc
import TestSupport
import Testing
import VaultModel

@Suite struct SmallFileTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    @Test func appearsWholeAndWithItsMode() throws {
        let file = directory("file")
        try SmallFile.write([1, 2, 3], to: file, mode: 0o646, .isKept)
        #expect(try SmallFile.read(file, bytesMax: 3) == [1, 2, 3])
        #expect(try FileStatus(of: file).mode == 0o646)
        #expect(code { try SmallFile.write([4], to: file, mode: 0o600, .isKept) } == .exists)
        try SmallFile.write([5], to: file, mode: 0o600, .isReplaced)
        #expect(try SmallFile.read(file, bytesMax: 3) == [5])
        #expect(try DirectoryListing(directory.path).names.count == 1)
    }

    @Test func readsNoMoreThanItMay() throws {
        try SmallFile.write([1, 2, 3], to: directory("file"), mode: 0o600, .isKept)
        #expect(code { try SmallFile.read(directory("file"), bytesMax: 2) } == .invalid)
        #expect(code { try SmallFile.read(directory.path, bytesMax: 2) } == .invalid)
        #expect(code { try SmallFile.read(directory("none"), bytesMax: 2) } == .notFound)
        #expect(directory("pipe").withCString { mkfifo($0, 0o600) } == 0)
        #expect(code { try SmallFile.read(directory("pipe"), bytesMax: 2) } == .invalid)
    }

    @Test func leavesNothingBehindWhereItFails() throws {
        _ = directory("there").withCString { mkdir($0, 0o700) }
        #expect(code { try SmallFile.write([1], to: directory("there"), mode: 0o600, .isReplaced) } != nil)
        #expect(try DirectoryListing(directory.path).names.count == 1)
    }

    @Test func makesPrivateDirectories() throws {
        let deep = directory("a/b/c")
        try SmallFile.makeDirectory(deep)
        try SmallFile.makeDirectory(deep)
        for path in [deep, deep.parent, deep.parent.parent] { #expect(try FileStatus(of: path).mode == 0o700) }
        #expect(try SmallFile.remove(directory("none")) == false)
    }
}
