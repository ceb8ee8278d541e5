import Glibc
import TestSupport
import Testing

@testable import VaultModel

@Suite struct LocalPathRemovalTests {
    @Test func removesATreeOfAnyNamesAndFollowsNoLink() throws {
        let directory = try TemporaryDirectory()
        let (outside, tree) = (directory("outside"), directory.path.appending([0xFF, 0x0A]))
        try LocalDirectories.make(outside)
        try LocalDirectories.make(tree.appending([0xE9]).appending("deep"))
        for name in [[0x61], [0xE2, 0x80, 0x9B]] as [[UInt8]] {
            _ = try OpenFile(tree.appending([0xE9]).appending(name), flags: O_CREAT | O_WRONLY)
        }
        _ = outside.withCString { target in
            tree.appending("link").withCString { symlink(target, $0) }
        }
        tree.removeTree()
        #expect(try DirectoryListing(directory.path).names == [Array("outside".utf8)])
        directory("missing").removeTree()
    }
}
