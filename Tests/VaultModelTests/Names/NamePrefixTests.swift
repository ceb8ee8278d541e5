import TestSupport
import Testing

@testable import VaultModel

@Suite struct NamePrefixTests {
    @Test func coversWholeParts() throws {
        let prefix = try NamePrefix("photos")
        for name in ["photos", "photos/a", "photos/a/b"] { #expect(prefix.contains(try Name(name))) }
        for name in ["photos2", "photo", "photos-a", "a/photos", "Photos", "photos0"] {
            #expect(!prefix.contains(try Name(name)))
        }
        #expect(NamePrefix.all.contains(try Name("anything/at/all")))
    }

    @Test func takesOneSlashAtTheEnd() throws {
        #expect(try NamePrefix("photos/") == NamePrefix("photos"))
        #expect(try NamePrefix("").top == nil)
        #expect(try NamePrefix("/").top == nil)
        for text in ["photos//", "//", "/a", "a//b", "..", "a/./", "\0"] {
            #expect(code { try NamePrefix(text) } == .invalid)
        }
    }

    @Test func turnsPathsIntoNamesAndBack() throws {
        for prefix in [NamePrefix.all, try NamePrefix("p"), try NamePrefix("p/‛FF/q")] {
            for path in ["a", "a/b", "ä/\n"].map({ Array($0.utf8) }) + [[0xFF, 0x2F, 0x80], [0xE2, 0x80, 0x9B]] {
                let name = try prefix.name(ofPath: path)
                #expect(prefix.contains(name))
                #expect(prefix.relativePath(of: name) == path)
            }
        }
        #expect(try NamePrefix("p").relativePath(of: Name("p")).isEmpty)
        // Cut anywhere else, this would lead out of a directory.
        #expect(try NamePrefix("p").relativePath(of: Name("xy../z")).isEmpty)
        #expect(code { try NamePrefix("p").name(ofPath: Array("..".utf8)) } == .invalid)
        #expect(code { try NamePrefix("p").name(ofPath: []) } == .invalid)
    }
}
