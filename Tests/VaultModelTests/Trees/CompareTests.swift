import TestSupport
import Testing

@testable import VaultModel

@Suite struct CompareTests {
    @Test func findsNothingInWhatWasPushed() async throws {
        let fixture = try await TreeFixture()
        try fixture.fillSource()
        try await fixture.push()
        #expect(try await fixture.compare() == [])
    }

    @Test func findsEveryDifferenceInOrder() async throws {
        let fixture = try await TreeFixture()
        for name in ["a", "b", "c", "d", "e/f", "g"] { try fixture.source.write(name, Array(name.utf8)) }
        try fixture.source.makeLink("link", to: "a")
        try fixture.source.write([0x80], [1])
        try await fixture.push()
        fixture.source.remove("b")
        try fixture.source.write("c", [1, 2, 3])
        try fixture.source.write("d", Array("D".utf8))
        fixture.source.remove("e")
        try fixture.source.makeDirectory("e")
        fixture.source.remove("g")
        try fixture.source.makeLink("g", to: "g")
        fixture.source.remove("link")
        try fixture.source.makeLink("link", to: "b")
        try fixture.source.write("日", [1])
        #expect(
            try await fixture.compare() == [
                "removed p/b", "changed p/c", "changed p/d", "added p/e", "removed p/e/f", "changed p/g",
                "changed p/link",
                "added p/日",
            ])
        #expect(try await fixture.compare { $0.filter = try TreeFilter(include: ["c"]) } == ["changed p/c"])
    }

    @Test func goesOnBehindWhatCannotBeRead() async throws {
        let fixture = try await TreeFixture()
        for name in ["a", "b", "c"] { try fixture.source.write(name, Array(name.utf8)) }
        try await fixture.push()
        try fixture.source.write("c", [9])
        var options = TreeOptions()
        options.checksum = true
        var compare = try Compare(fixture.vault, fixture.source.root, NamePrefix("p"), options)
        // The directory is listed when the comparison begins, and its files are read one after another.
        for name in ["a", "b"] { fixture.source.remove(name) }
        var found: [String] = []
        while let difference = try await compare.next() {
            found.append("\(difference.change.rawValue) \(difference.name)")
        }
        #expect(found == ["removed p/a", "removed p/b", "changed p/c"])
    }
}
