import Testing

@testable import VaultModel

@Suite struct LocalPathTests {
    @Test(arguments: [
        ("/a/b", "/a", "b"), ("/a", "/", "a"), ("/", "/", ""), ("a", ".", "a"), ("a/b/", "a", "b"), ("a///", ".", "a"),
        ("", ".", ""), ("./a", ".", "a"), ("/a/b//", "/a", "b"), ("..", ".", ".."),
    ])
    func tellsItsParentAndLastComponent(path: String, parent: String, last: String) {
        #expect(LocalPath(path).parent == LocalPath(parent))
        #expect(Array(LocalPath(path).lastComponent) == Array(last.utf8))
    }

    @Test func appendsWithOneSlash() {
        #expect(LocalPath("a").appending("b") == LocalPath("a/b"))
        #expect(LocalPath("a/").appending("b") == LocalPath("a/b"))
        #expect(LocalPath("/").appending("b/c") == LocalPath("/b/c"))
        #expect(LocalPath("").appending("b") == LocalPath("b"))
        #expect(LocalPath("a").appending("") == LocalPath("a"))
    }
}
