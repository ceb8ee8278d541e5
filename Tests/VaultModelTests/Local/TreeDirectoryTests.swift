import TestSupport
import Testing

@testable import VaultModel

@Suite struct TreeDirectoryTests {
    @Test func isOpenedAgainAfterItWasClosed() throws {
        let directory = try TemporaryDirectory()
        let tree = try LocalTree(directory.path)
        try tree.write("a/b/c/file", [7])
        var last = try TreeDirectory(root: tree.root)
        for part in ["a", "b", "c"] { last = try TreeDirectory(Array(part.utf8), in: last) }
        let pool = OpenDirectories(max: 1)
        for _ in 0..<2 {
            pool.add(last)
            _ = pool.closeAll()
            let file = try OpenFile(
                last.path.appending("file"), at: last.open(), component: Array("file".utf8), flags: 0)
            #expect(try file.status.size == 1)
        }
    }

    @Test func refusesAnotherDirectoryInItsPlace() throws {
        let directory = try TemporaryDirectory()
        let tree = try LocalTree(directory.path)
        try tree.write("a/file", [1])
        try tree.write("other/file", [2])
        let opened = try TreeDirectory(Array("a".utf8), in: TreeDirectory(root: tree.root))
        let pool = OpenDirectories(max: 1)
        pool.add(opened)
        _ = pool.closeAll()
        tree.remove("a")
        #expect(code { try opened.open() } == .notFound)
        try tree.makeLink("a", to: "other")
        #expect(code { try opened.open() } != nil)
    }

    @Test func keepsNoMoreOpenThanItsPoolHasRoomFor() throws {
        let directory = try TemporaryDirectory()
        let tree = try LocalTree(directory.path)
        for number in 0..<40 { try tree.write("\(number)/file") }
        let root = try TreeDirectory(root: tree.root)
        let pool = OpenDirectories(max: 8)
        var directories: [TreeDirectory] = []
        for number in 0..<40 {
            let next = try TreeDirectory(Array("\(number)".utf8), in: root)
            pool.add(next)
            directories.append(next)
        }
        #expect(directories.filter(\.isOpen).count <= 8)
        for directory in directories { #expect(try directory.open().status.kind == .directory) }
    }
}
