import Glibc
import TestSupport
import Testing

@testable import VaultModel

@Suite struct TreeWalkTests {
    private let directory: TemporaryDirectory
    private let tree: LocalTree

    init() throws {
        directory = try TemporaryDirectory()
        tree = try LocalTree(directory("tree"))
    }

    private func walk(_ filter: TreeFilter = .everything) throws -> (
        entries: [TreeEntry], skipped: [String], failed: [String]
    ) {
        var walk = try TreeWalk(tree.root, filter: filter)
        var (entries, skipped, failed): ([TreeEntry], [String], [String]) = ([], [], [])
        while let item = walk.next() {
            switch item {
            case .entry(let entry): entries.append(entry)
            case .skipped(let path, _): skipped.append(String(decoding: path.lastComponent, as: UTF8.self))
            case .failed(let path, _): failed.append(String(decoding: path.lastComponent, as: UTF8.self))
            }
        }
        return (entries, skipped, failed)
    }

    private func paths(_ filter: TreeFilter = .everything) throws -> [String] {
        try walk(filter).entries.map { String(decoding: $0.relative, as: UTF8.self) }
    }

    @Test func goesInTheOrderOfNames() throws {
        let paths = [
            "a", "a-b", "a.b", "a0", "ab/c", "ab-/c", "ab0", "b/x", "b!", "b-", "b/a-b", "b/a/x", "b/a0", "c\n",
            "c/\n/d",
            "ä", "日", "‛", "‛x/y", "“", "\u{1F600}", " ", "\u{1}", "z/z/z/z", "z-",
        ].map { Array($0.utf8) }
        let odd: [[UInt8]] = [
            [0xFF], [0x80], [0xC3], [0x61, 0xFF, 0x2F, 0x62], [0xE2], [0xE2, 0x80, 0x2F, 0x78], [0xFE, 0x2D],
        ]
        for path in paths + odd { try tree.write(path, []) }
        let walked = try walk().entries.map(\.relative)
        let names = try walked.map { try Name(pathBytes: $0) }
        #expect(names == names.sorted())
        #expect(Set(walked) == Set(paths + odd))
        #expect(walked.count == paths.count + odd.count)
    }

    @Test func passesOverWhatAKilledPullLeft() throws {
        try tree.write("sub/.minivault-00112233445566778899aabbccddeeff")
        try tree.write(".minivault-00112233445566778899aabbccddeeff")
        try tree.write(".minivault-notes")
        #expect(try paths() == [".minivault-notes", "sub"])
    }

    @Test func givesEmptyDirectoriesAsEntries() throws {
        try tree.makeDirectory("empty")
        try tree.makeDirectory("full/empty")
        try tree.write("full/file")
        try tree.makeDirectory("only/a/b")
        let entries = try walk().entries
        #expect(
            entries.map { String(decoding: $0.relative, as: UTF8.self) } == [
                "empty", "full/empty", "full/file", "only/a/b",
            ])
        #expect(entries.map(\.status.kind) == [.directory, .directory, .file, .directory])
    }

    @Test func takesADirectoryWithNothingThatTakesPartAsEmpty() throws {
        try tree.write("objects/a.o")
        try tree.write("mixed/a.o")
        try tree.write("mixed/a.c")
        try tree.write("deep/build/x")
        let filter = try TreeFilter(exclude: ["*.o", "build/"])
        #expect(try paths(filter) == ["deep", "mixed/a.c", "objects"])
        #expect(try paths(TreeFilter(include: ["*.c"])) == ["mixed/a.c"])
    }

    @Test func leavesOutWhatIsExcluded() throws {
        for path in ["a", ".git/config", "x/.git/y", "x/b"] { try tree.write(path) }
        #expect(try paths(TreeFilter(exclude: [".git"])) == ["a", "x/b"])
        #expect(try paths(TreeFilter(include: ["x/"])) == ["x/.git/y", "x/b"])
    }

    @Test func followsNoLink() throws {
        try tree.write("real/file")
        try tree.makeLink("to-directory", to: "real")
        try tree.makeLink("to-nothing", to: "missing")
        try tree.makeLink("to-itself", to: "to-itself")
        try tree.makeLink("to-root", to: "/")
        let entries = try walk().entries
        #expect(entries.map(\.status.kind) == [.file, .link, .link, .link, .link])
    }

    @Test func skipsPipesWherever() throws {
        try tree.makePipe("pipe")
        try tree.makePipe("inside/pipe-inside")
        try tree.makePipe("excluded.p")
        try tree.write("file")
        let (entries, skipped, failed) = try walk(TreeFilter(exclude: ["*.p"]))
        #expect(entries.map { String(decoding: $0.relative, as: UTF8.self) } == ["file", "inside"])
        #expect(skipped == ["pipe-inside", "pipe"])
        #expect(failed.isEmpty)
    }

    @Test func tellsOfADirectoryThatCannotBeRead() throws {
        try tree.write("a/file")
        try tree.write("b")
        _ = tree.root.appending("a").withCString { chmod($0, 0) }
        let (entries, _, failed) = try walk()
        // The superuser reads it all the same.
        #expect(geteuid() == 0 || failed == ["a"])
        #expect(entries.last?.component == Array("b".utf8))
    }

    @Test func passesOverWhatIsRemovedMeanwhile() throws {
        for path in ["a", "b/x", "c"] { try tree.write(path) }
        var walk = try TreeWalk(tree.root)
        guard case .entry? = walk.next() else { return #expect(Bool(false)) }
        tree.remove("b")
        guard case .entry(let entry)? = walk.next() else { return #expect(Bool(false)) }
        #expect(entry.component == Array("c".utf8))
        #expect(walk.next() == nil)
    }

    @Test func needsADirectoryToWalk() throws {
        try tree.write("file")
        #expect(code { try TreeWalk(tree.root.appending("file")) } == .notFound)
        #expect(code { try TreeWalk(tree.root.appending("missing")) } == .notFound)
    }

    @Test func walksDeepTrees() throws {
        let path = Array(repeating: "d", count: 300).joined(separator: "/")
        try tree.write(path + "/file")
        #expect(try paths() == [path + "/file"])
    }
}
