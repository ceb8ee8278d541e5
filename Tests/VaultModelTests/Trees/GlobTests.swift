import TestSupport
import Testing

@testable import VaultModel

@Suite struct GlobTests {
    struct Case: Sendable {
        var pattern: String
        var matching: [String]
        var other: [String]
    }

    /// What git 2.39 says of these patterns and paths; a path with a `/` at its end is a directory.
    static let cases: [Case] = [
        // Without a slash: the last part, anywhere.
        Case(pattern: "foo", matching: ["foo", "foo/", "a/foo", "a/b/foo/"], other: ["foo2", "afoo", "Foo", "fo"]),
        Case(pattern: "*.o", matching: ["a.o", ".o", "x/a.o", "a.b.o"], other: ["a.oo", "a.o2", "o"]),
        Case(pattern: "*", matching: ["a", ".a", "x/y"], other: []),
        Case(pattern: "f?o", matching: ["foo", "f.o", "x/f-o"], other: ["fo", "fooo", "f/o"]),
        Case(pattern: "a*b*c", matching: ["abc", "axbxc", "abbcc", "abcbc"], other: ["acb", "ab", "abcd"]),
        Case(pattern: "foo/", matching: ["foo/", "a/foo/"], other: ["foo", "a/foo"]),
        Case(pattern: "*/", matching: ["a/", "a/b/"], other: ["a"]),
        // With a slash: the whole path.
        Case(pattern: "/foo", matching: ["foo", "foo/"], other: ["a/foo"]),
        Case(pattern: "/*.c", matching: ["cat.c"], other: ["mozilla/sha1.c"]),
        Case(pattern: "a/b", matching: ["a/b", "a/b/"], other: ["x/a/b", "b", "ab", "a-b"]),
        Case(pattern: "a/*", matching: ["a/b", "a/.b"], other: ["a", "x/a/b"]),
        Case(pattern: "a/*/", matching: ["a/b/"], other: ["a/b"]),
        Case(pattern: "foo/*.c", matching: ["foo/a.c"], other: ["foo/bar/a.c", "x/foo/a.c"]),
        Case(pattern: "a/?/b", matching: ["a/x/b"], other: ["a//b", "a/xx/b", "a/b"]),
        // Two stars that are a part of their own cross parts.
        Case(pattern: "**/foo", matching: ["foo", "a/foo", "a/b/foo"], other: ["a/foobar", "xfoo"]),
        Case(pattern: "**/foo/bar", matching: ["foo/bar", "a/foo/bar"], other: ["bar", "foo/x/bar"]),
        Case(pattern: "abc/**", matching: ["abc/x", "abc/x/y", "abc/x/"], other: ["abc", "abc/", "x/abc/y"]),
        Case(pattern: "a/**/b", matching: ["a/b", "a/x/b", "a/x/y/b"], other: ["ab", "a/xb", "x/a/b"]),
        Case(pattern: "a/**/b/**/c", matching: ["a/b/c", "a/b/b/c", "a/x/b/y/z/c"], other: ["a/c", "a/b", "a/x/c"]),
        Case(pattern: "**", matching: ["a", "a/b", "a/"], other: []),
        Case(pattern: "/**", matching: ["a", "a/b"], other: []),
        Case(pattern: "**/", matching: ["a/", "a/b/"], other: ["a"]),
        Case(pattern: "**/*.txt", matching: ["a.txt", "x/a.txt"], other: ["a.txt2"]),
        // Other stars in a row are one star.
        Case(pattern: "foo**", matching: ["foo", "foobar", "x/foo2"], other: ["fo"]),
        Case(pattern: "a/b**c", matching: ["a/bc", "a/bxxc"], other: ["a/b/c", "a/bx/yc"]),
        // Sets.
        Case(pattern: "[abc]", matching: ["a", "x/c"], other: ["d", "ab", "[abc]"]),
        Case(pattern: "[a-c]x", matching: ["bx"], other: ["dx", "-x"]),
        Case(pattern: "[!a-c]", matching: ["d", "-"], other: ["a", "b"]),
        Case(pattern: "[^a-c]", matching: ["d", "^"], other: ["a"]),
        Case(pattern: "[]x]", matching: ["]", "x"], other: ["[", "[]x]"]),
        Case(pattern: "[!]x]", matching: ["a"], other: ["]", "x"]),
        Case(pattern: "[a-]", matching: ["a", "-"], other: ["b"]),
        Case(pattern: "[-a]", matching: ["a", "-"], other: ["b"]),
        Case(pattern: "[*?]", matching: ["*", "?"], other: ["a"]),
        Case(pattern: "[\\]]", matching: ["]"], other: ["\\", "\\]", "[\\]]"]),
        Case(pattern: "[\\\\]", matching: ["\\"], other: ["a"]),
        Case(pattern: "[a\\-z]", matching: ["a", "-", "z"], other: ["b", "\\"]),
        Case(pattern: "[[:digit:]]x", matching: ["7x"], other: ["ax", ":x"]),
        Case(pattern: "[![:upper:]_]", matching: ["a", "1"], other: ["A", "_"]),
        Case(pattern: "*.[oa]", matching: ["x.o", "x.a"], other: ["x.oa", "x."]),
        // Escapes.
        Case(pattern: "\\*", matching: ["*", "x/*"], other: ["a", "\\*"]),
        Case(pattern: "\\!a", matching: ["!a"], other: ["a", "\\!a"]),
        Case(pattern: "\\#a", matching: ["#a"], other: ["a"]),
        Case(pattern: "a\\?b", matching: ["a?b"], other: ["axb"]),
        Case(pattern: "f\\oo", matching: ["foo"], other: ["f\\oo"]),
        Case(pattern: "a\\\\b", matching: ["a\\b"], other: ["ab"]),
        Case(pattern: "a\\", matching: [], other: ["a", "a\\"]),
        Case(pattern: "foo\\/bar", matching: ["foo/bar"], other: ["x/foo/bar", "foo\\/bar", "bar"]),
        Case(pattern: "fo\\o\\/bar", matching: ["foo/bar"], other: ["foo", "x/foo/bar"]),
        Case(pattern: "/foo\\/bar", matching: ["foo/bar"], other: ["x/foo/bar"]),
        Case(pattern: "*\\/bar", matching: ["foo/bar"], other: ["bar", "a/foo/bar"]),
        Case(pattern: "\\foo/bar", matching: ["foo/bar"], other: ["\\foo/bar"]),
        // The slash at the end goes first, and leaves a backslash without a byte.
        Case(pattern: "foo\\/", matching: [], other: ["foo/", "foo", "foo\\/"]),
        Case(pattern: "trail\\ ", matching: ["trail "], other: ["trail", "trail\\ "]),
        Case(pattern: "trail ", matching: ["trail "], other: ["trail"]),
        Case(pattern: "a b", matching: ["a b"], other: ["ab"]),
        // A slash in a set ends no part, anchors the pattern, and is matched by none.
        Case(pattern: "foo[/]bar", matching: [], other: ["foo/bar", "foo[/]bar", "foobar"]),
        Case(pattern: "f[^/]o/bar", matching: ["foo/bar", "f-o/bar"], other: ["f/o/bar", "foo/x/bar"]),
        Case(pattern: "[a/b]", matching: ["a", "b"], other: ["x/a", "[a/b]"]),
        Case(pattern: "[!k]*", matching: ["foo", "x/foo"], other: ["keep", "x/keep"]),
        Case(pattern: "x/[!k]*", matching: ["x/foo"], other: ["x/keep", "x/f/g", "foo"]),
        // Without its end, or with a class that nobody knows, a set matches nothing.
        Case(pattern: "a[b", matching: [], other: ["a[b", "ab"]),
        Case(pattern: "[", matching: [], other: ["[", "a"]),
        Case(pattern: "[a-", matching: [], other: ["[a-", "a"]),
        Case(pattern: "[a\\]", matching: [], other: ["a", "]", "\\"]),
        Case(pattern: "a[b/c", matching: [], other: ["a[b/c", "ab"]),
        Case(pattern: "[[:nothing:]]", matching: [], other: ["n", ":", "n]"]),
        Case(pattern: "[[:alpha]", matching: ["[", ":", "a", "p"], other: ["b", "]"]),
        Case(pattern: "[[:]", matching: ["[", ":"], other: ["]"]),
        Case(pattern: "[[:space:]]", matching: [" ", "\t", "\r"], other: ["\u{B}", "\u{C}", "a"]),
        Case(pattern: "[z-a]", matching: ["z"], other: ["a", "m", "-"]),
        Case(pattern: "[a-c-e]", matching: ["b", "-", "e"], other: ["d"]),
        Case(pattern: "[--a]", matching: ["-", "5", "A", "a"], other: ["b", "+"]),
        Case(pattern: "[\\a-\\c]", matching: ["b"], other: ["d", "\\", "-"]),
        // A star takes bytes, whatever characters they are of.
        Case(pattern: "‛*‛", matching: ["‛quoted‛", "‛‛"], other: ["quoted", "‛"]),
        // Where a backslash is in front of the slash behind them, two stars take a part at least.
        Case(pattern: "**\\/b", matching: ["a/b", "x/y/b"], other: ["b", "ab"]),
        Case(pattern: "a/**\\/b", matching: ["a/x/b", "a/x/y/b"], other: ["a/b"]),
        Case(pattern: "a\\/**/b", matching: ["a/b", "a/x/b"], other: ["x/a/b"]),
        Case(pattern: "***/foo", matching: ["foo", "a/b/foo"], other: ["xfoo"]),
        Case(pattern: "/**/bar", matching: ["bar", "foo/bar"], other: ["foo/bar/x"]),
        Case(pattern: "**foo/bar", matching: ["foo/bar", "xfoo/bar"], other: ["x/foo/bar"]),
        Case(pattern: "foo/**bar", matching: ["foo/bar", "foo/xbar"], other: ["foo/x/bar"]),
        // git compares what is in front of the first sign with a meaning by itself, and the rest as if nothing were there.
        Case(pattern: "foo**/bar", matching: ["foo/bar", "foobar", "foox/y/bar"], other: ["x/foo/bar", "fobar"]),
        Case(pattern: "f[o]o**/bar", matching: ["foo/bar", "foox/bar"], other: ["foobar", "foo/x/bar"]),
        Case(pattern: "*\n*", matching: ["a\nb"], other: ["ab"]),
    ]

    @Test(arguments: cases)
    func matchesWhatGitignoreMatches(_ test: Case) throws {
        let glob = try Glob(test.pattern)
        for (paths, expected) in [(test.matching, true), (test.other, false)] {
            for path in paths {
                let isDirectory = path.hasSuffix("/")
                let bytes = Array(path.utf8.prefix(isDirectory ? path.utf8.count - 1 : path.utf8.count))
                #expect(glob.matches(bytes, isDirectory: isDirectory) == expected, "\(test.pattern) on \(path)")
            }
        }
    }

    @Test(arguments: [
        ("./x", "/x"), ("./x/", "/x/"), ("./*.c", "/*.c"), ("a//b", "a/b"), ("a///", "a/"), ("//a", "/a"),
    ])
    func takesAPathAsPeopleTypeIt(typed: String, meant: String) throws {
        #expect(try Glob(typed) == Glob(meant))
    }

    @Test(arguments: [".", "..", "./.", "../x", "a/./b", "a/../b", "a/..", "././x", "/./x", "a/."])
    func refusesAPartThatNoPathHas(pattern: String) throws {
        #expect(code { try Glob(pattern) } == .invalid)
        #expect(throws: VaultError.self) { try Glob(pattern) }
    }

    @Test func readsThePatternForNamesWithOrWithoutTheirEscape() throws {
        let name = try Name(pathBytes: [0x63, 0xE9, 0x2E, 0x74])
        for pattern in [[0x63, 0xE9, 0x2A], Array("c‛E9.t".utf8), Array("c?.t".utf8)] as [[UInt8]] {
            #expect(try Glob(named: pattern).matches(name, isDirectory: false))
        }
        let quoted = try Name(pathBytes: Array("‛a".utf8))
        for pattern in ["‛a", "‛‛a", "‛*"] {
            #expect(try Glob(named: Array(pattern.utf8)).matches(quoted, isDirectory: false))
        }
    }

    @Test func matchesBytesThatAreNotUTF8() throws {
        #expect(try Glob("a?c*").matches([0x61, 0xFF, 0x63, 0x80]))
        #expect(try Glob([0x61, 0xFF, 0x2A]).matches([0x61, 0xFF, 0x63]))
        #expect(try !Glob([0x61, 0xFF]).matches([0x61, 0xFE]))
        #expect(try Glob([0x5B, 0xE0, 0x2D, 0xEF, 0x5D]).matches([0xE9]))
        #expect(try Glob("[!a-z]").matches([0xFF]))
        #expect(try !Glob("ä").matches([0xC3]))
    }

    @Test(arguments: ["", "/", "//", "///", "./", ".//"])
    func refusesAPatternWithoutContent(pattern: String) {
        #expect(code { try Glob(pattern) } == .invalid)
    }

    @Test func takesNoExponentialTime() throws {
        let name = [UInt8](repeating: UInt8(ascii: "a"), count: 255)
        #expect(try !Glob(String(repeating: "a*", count: 60) + "b").matches(name))
        #expect(try !Glob(String(repeating: "*", count: 200) + "b").matches(name))
        #expect(try !Glob(String(repeating: "[a-z]*", count: 40) + "0").matches(name))
        let path = [UInt8]([[UInt8]](repeating: [UInt8(ascii: "a")], count: 2000).joined(separator: [slash]))
        #expect(try !Glob(String(repeating: "**/a/", count: 60) + "b").matches(path))
        #expect(try !Glob(String(repeating: "**/", count: 60) + "b").matches(path))
    }
}
