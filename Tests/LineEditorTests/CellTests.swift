import Testing

@testable import LineEditor

@Suite struct CellTests {
    private func looks(_ text: String) -> [Cell.Look] { Cell.of(Array(text.utf8)).map(\.look) }

    @Test func whatBelongsTogetherIsOneCell() {
        #expect(looks("ae\u{301}日") == [.plain(1), .plain(1), .plain(2)])
        #expect(Cell.of(Array("e\u{301}x".utf8)).map(\.range) == [0..<3, 3..<4])
    }

    @Test func controlsAndMarksAreShownAsOtherText() {
        #expect(looks("\u{1B}\u{7F}\t\n") == [.other(Array("^[".utf8)), .other(Array("^?".utf8)), .tab, .lineEnd])
        #expect(looks("a\u{202E}b")[1] == .other(Array("\\u{202e}".utf8)))
        #expect(looks("\u{9B}") == [.other(Array("\\u{9b}".utf8))])
    }

    @Test func bytesThatAreNoCharacterAreCells() {
        let cells = Cell.of([0x61, 0xFF, 0xC3, 0xA9, 0xC3])
        #expect(cells.map(\.range) == [0..<1, 1..<2, 2..<4, 4..<5])
        #expect(cells[1].look == .other(Array("\\xFF".utf8)) && cells[3].look == .other(Array("\\xC3".utf8)))
    }

    @Test func anyBytesAreCoveredByCells() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let text = (0..<40).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(Cell.of(text).flatMap { Array(text[$0.range]) } == text)
        }
    }
}
