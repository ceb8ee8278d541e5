import TestSupport
import Testing

@testable import VaultModel

@Suite struct TreeFilterTests {
    private func takes(_ filter: TreeFilter, _ path: String, isDirectory: Bool = false) -> Bool {
        filter.takesAlone(Array(path.utf8), isDirectory: isDirectory)
    }

    @Test func takesEverythingWithoutPatterns() throws {
        for filter in [TreeFilter.everything, try TreeFilter()] {
            for path in ["a", ".a", "a/b/c"] { #expect(takes(filter, path)) }
        }
    }

    @Test func excludesWhatIsBelowAnExcludedDirectory() throws {
        let filter = try TreeFilter(exclude: ["build/", "*.o", "/top"])
        for path in ["build/a", "x/build/a/b", "a.o", "x/a.o", "top", "top/a"] { #expect(!takes(filter, path)) }
        for path in ["build", "x/top", "a.c"] { #expect(takes(filter, path)) }
        #expect(!takes(filter, "build", isDirectory: true))
    }

    @Test func includesWhatIsBelowAnIncludedDirectory() throws {
        let filter = try TreeFilter(include: ["src/", "*.txt"])
        for path in ["src/a", "x/src/a/b", "a.txt", "x/a.txt"] { #expect(takes(filter, path)) }
        for path in ["src", "a", "x/a.c", "srcs/a"] { #expect(!takes(filter, path)) }
        #expect(takes(filter, "src", isDirectory: true))
    }

    @Test func letsTheLastPatternDecide() throws {
        let filter = try TreeFilter(exclude: ["*.log", "!keep.log", "x/keep.log"])
        #expect(!takes(filter, "a.log"))
        #expect(takes(filter, "keep.log"))
        #expect(!takes(filter, "x/keep.log"))
        let includes = try TreeFilter(include: ["src/", "!*.tmp"])
        #expect(takes(includes, "src/a"))
        #expect(!takes(includes, "src/a.tmp"))
    }

    /// As in gitignore(5): "It is not possible to re-include a file if a parent directory of that file is excluded."
    @Test func cannotTakeBackWhatIsBelowAnExcludedDirectory() throws {
        let filter = try TreeFilter(exclude: ["a/", "!a/b"])
        #expect(!takes(filter, "a/b"))
        let inside = try TreeFilter(exclude: ["a/*", "!a/b"])
        #expect(takes(inside, "a/b"))
        #expect(!takes(inside, "a/c"))
    }

    @Test func excludesWhatIsIncludedToo() throws {
        let filter = try TreeFilter(include: ["*.c"], exclude: ["x.c"])
        #expect(takes(filter, "a.c"))
        #expect(!takes(filter, "x.c"))
    }

    @Test func tellsWhichPatternsHaveMatchedNothing() throws {
        let filter = try TreeFilter(include: ["*.c", "docs/"], exclude: ["*.o", "x.o", "!y", "./buil", "*.c"])
        let copy = filter
        #expect(filter.unmatched.count == 7)
        // One that a later pattern overrules has matched too, and so has an include that an exclude overrules.
        for path in ["a.c", "x.o"] { _ = takes(copy, path) }
        #expect(filter.unmatched.map { String(decoding: $0, as: UTF8.self) } == ["docs/", "!y", "./buil"])
        #expect(TreeFilter.everything.unmatched.isEmpty)
    }

    @Test func refusesThePathOfTheTreeItself() throws {
        let directory = try TemporaryDirectory()
        let root = directory.path.appending("t")
        try LocalDirectories.make(root.appending("src"))
        for pattern in ["\(root)/src", "!\(root)/src", "\(root)", "\(root)/"] {
            #expect(code { try TreeFilter(exclude: [pattern]).check(below: root) } == .invalid)
        }
        try TreeFilter(exclude: ["/src", "src", "\(root)2/x", "*\(root)"]).check(below: root)
        try TreeFilter(exclude: ["/tmp/x"]).check(below: LocalPath("/"))
        // Where the tree has such a path, it is meant.
        try LocalDirectories.make(root.appending(Array(root.bytes.dropFirst())))
        try TreeFilter(exclude: ["\(root)/src"]).check(below: root)
    }

    @Test(arguments: ["", "!", "/", "!/"])
    func refusesAPatternWithoutContent(pattern: String) {
        #expect(code { try TreeFilter(include: [pattern]) } == .invalid)
        #expect(code { try TreeFilter(exclude: [pattern]) } == .invalid)
    }
}
