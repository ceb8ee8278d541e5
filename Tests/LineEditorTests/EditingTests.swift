import Testing

@testable import LineEditor

@Suite struct EditingTests {
    /// The text that keys lead to, as a terminal sends them; `|` is the cursor.
    private func edited(
        _ keys: String, history: [String] = [], isUnfinished: (String) -> Bool = { _ in false }
    ) -> (text: String, outcome: Editing.Outcome) {
        var (reader, editing) = (KeyReader(), Editing(history: history.map { Array($0.utf8) }))
        var outcome = Editing.Outcome.goOn
        for key in keys.utf8.flatMap({ reader.take($0) }) + reader.flush() {
            outcome = editing.take(key) { isUnfinished(String(decoding: $0, as: UTF8.self)) }
        }
        let (before, after) = (editing.text[..<editing.cursor], editing.text[editing.cursor...])
        return (String(decoding: before, as: UTF8.self) + "|" + String(decoding: after, as: UTF8.self), outcome)
    }

    private func text(_ keys: String, history: [String] = []) -> String { edited(keys, history: history).text }

    @Test func keysMoveByWholeCharacters() {
        #expect(text("日e\u{301}x\u{2}\u{2}") == "日|e\u{301}x")
        #expect(text("grün\u{7F}\u{7F}") == "gr|")
        #expect(text("e\u{301}\u{7F}") == "|")
        #expect(text("e\u{2}\u{301}") == "\u{301}|e")
    }

    @Test func aMarkThatIsTypedBelongsToTheLetterBeforeIt() {
        #expect(text("ex\u{2}\u{301}") == "e\u{301}|x")
        #expect(text("ex\u{2}\u{301}\u{7F}") == "|x")
    }

    @Test func keysMoveByWordsAndLines() {
        #expect(text("one two\u{1B}b\u{1B}b") == "|one two")
        #expect(text("one.two\u{1}\u{1B}f") == "one|.two")
        #expect(text("a\u{1B}\rbc\u{1}X\u{1}\u{1}Y") == "Y|a\nXbc")
        #expect(text("long line\u{1B}\rab\u{10}") == "lo|ng line\nab")
    }

    @Test func whatIsKilledCanBePutBack() {
        #expect(text("a b c\u{17}\u{17}\u{1}\u{19}") == "b c|a ")
        #expect(text("one\u{15}two\u{15}\u{19}\u{1B}y") == "one|")
        #expect(text("abc\u{1}\u{B}\u{19}\u{19}") == "abcabc|")
    }

    @Test func changesCanBeTakenBack() {
        #expect(text("abc\u{17}\u{1F}") == "abc|")
        #expect(text("abc\u{17}\u{1F}\u{1F}") == "|")
        #expect(edited("\u{1F}").outcome == .refused)
    }

    @Test func anEntryIsRunOnceItIsCompleteWhereverTheCursorIs() {
        let isOpen: (String) -> Bool = { !$0.contains("end") }
        #expect(edited("do\r", isUnfinished: isOpen) == ("do\n|", .goOn))
        #expect(edited("do\rend\u{1B}[A\r", isUnfinished: isOpen).outcome == .entered)
    }

    @Test func nothingMoreIsComingWhereControlDIsTypedOnAnEmptyLine() {
        #expect(edited("do\r\u{4}", isUnfinished: { _ in true }) == ("do\n|", .entered))
        #expect(edited("\u{4}").outcome == .end)
        #expect(text("ab\u{2}\u{4}") == "a|")
    }

    @Test func aPasteIsInsertedAsItIsAndRunAtOnce() {
        #expect(text("x\u{1B}[200~a\rb\tc\u{1B}[201~") == "xa\nb\tc|")
    }

    @Test func historyKeepsWhatWasTypedMeanwhile() {
        let history = ["one", "two\nthree"]
        #expect(text("new\u{10}", history: history) == "two\nthree|")
        #expect(text("new\u{10}\u{10}\u{10}", history: history) == "one|")
        #expect(text("new\u{10}\u{E}", history: history) == "new|")
        #expect(text("\u{10}!\u{1B}<\u{1B}>\u{10}", history: history) == "two\nthree!|")
    }

    @Test func searchingFindsOlderEntriesLetterByLetter() {
        let history = ["print(1)", "prefix", "print(2)"]
        #expect(text("\u{12}pr", history: history) == "|print(2)")
        #expect(text("\u{12}pr\u{12}\u{12}", history: history) == "|print(1)")
        #expect(text("\u{12}pr\u{12}\u{12}\u{13}", history: history) == "|prefix")
        #expect(text("\u{12}pri\u{7F}\u{7F}\u{7F}", history: history) == "|")
        #expect(text("typed\u{12}pre\u{7}", history: history) == "typed|")
        #expect(edited("\u{12}pre\r", history: history) == ("|prefix", .entered))
        #expect(text("\u{12}pre\u{5}!", history: history) == "prefix!|")
    }

    @Test func keysThatAreQuotedAreInserted() {
        #expect(text("\u{16}\u{1B}\u{16}\t") == "\u{1B}\t|")
        #expect(text("\u{16}\r") == "\r|")
    }

    @Test func wordsAreChangedAndLettersExchanged() {
        #expect(text("one two\u{1}\u{1B}u\u{1B}c") == "ONE Two|")
        #expect(text("ab\u{14}") == "ba|")
        #expect(text("abc\u{2}\u{14}") == "acb|")
    }

    @Test func noKeysBreakAnEntry() {
        var generator = SystemRandomNumberGenerator()
        let parts =
            [
                "a", "é", "e\u{301}", "\u{301}", "日", " ", "\u{1B}[A", "\u{1B}[B", "\u{1B}b", "\u{1B}d", "\r", "\n",
                "\u{12}", "\u{13}",
            ]
            + (1..<32).map { String(UnicodeScalar(UInt8($0))) }
        for _ in 0..<300 {
            let keys = (0..<60).map { _ in parts.randomElement(using: &generator) ?? "" }.joined()
            var (reader, editing) = (KeyReader(), Editing(history: [Array("one\ntwo".utf8), Array("三".utf8)]))
            for key in keys.utf8.flatMap({ reader.take($0) }) + reader.flush() {
                _ = editing.take(key) { $0.count % 3 == 0 }
                let cells = Cell.of(editing.text)
                #expect(
                    editing.cursor == editing.text.count || cells.contains { $0.range.lowerBound == editing.cursor },
                    "\(keys.debugDescription)")
            }
        }
    }
}
