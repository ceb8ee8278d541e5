import Testing

@testable import LineEditor

@Suite struct KeyReaderTests {
    private func keys(_ bytes: some Sequence<UInt8>) -> [Key] {
        var reader = KeyReader()
        return bytes.flatMap { reader.take($0) } + reader.flush()
    }

    private func keys(_ text: String) -> [Key] { keys(text.utf8) }

    @Test func charactersOfAnyLengthAreKeys() {
        #expect(keys("aé€😀") == ["a", "é", "€", "😀"].map { .text(Array($0.utf8)) })
    }

    @Test func bytesThatAreNoCharacterAreKeysOfTheirOwn() {
        #expect(keys([0xFF, 0xC3, 0x41, 0xE2, 0x82]) == [[0xFF], [0xC3], [0x41], [0xE2], [0x82]].map { .text($0) })
    }

    @Test func sequencesOfTerminalsAreKeys() {
        #expect(
            keys("\u{1B}[A\u{1B}OB\u{1B}[1;5C\u{1B}[H\u{1B}[4~\u{1B}[3~") == [
                .up, .down, .wordRight, .home, .end, .delete,
            ])
        #expect(
            keys("\u{1}\u{7F}\t\r\u{1B}b\u{1B}\r") == [.control("a"), .backspace, .tab, .enter, .meta("b"), .newLine])
    }

    @Test func anUnknownSequenceIsOneKeyAndHidesNothingBehindIt() {
        #expect(keys("\u{1B}[99;3Qx") == [.unknown, .text([0x78])])
        #expect(keys("\u{1B}[1\u{1}x") == [.unknown, .control("a"), .text([0x78])])
    }

    @Test func escapeAloneIsAKeyOnceNothingFollows() {
        var reader = KeyReader()
        #expect(reader.take(0x1B).isEmpty && reader.isWaiting)
        #expect(reader.flush() == [.escape] && !reader.isWaiting)
    }

    @Test func aPasteIsOneKeyWhateverIsInIt() {
        let pasted = "a\rb\r\nc\u{1B}[A\t\u{3}"
        #expect(
            keys("x\u{1B}[200~\(pasted)\u{1B}[201~y") == [
                .text([0x78]), .paste(Array("a\nb\nc\u{1B}[A\t\u{3}".utf8)), .text([0x79]),
            ])
    }
}
