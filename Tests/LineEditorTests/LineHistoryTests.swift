import Testing
import VaultModel

@testable import LineEditor

@Suite struct LineHistoryTests {
    @Test func entriesOfAnyBytesComeBack() throws {
        let directory = LocalPath("/tmp/minivault-history-\(UniqueID())")
        defer { directory.removeTree() }
        let file = directory.appending("state/history")
        let entries: [[UInt8]] = [
            Array("one".utf8), Array("a\nb\\n\r\\".utf8), [0xFF, 0x00, 0x1B], Array(repeating: 0x78, count: 1 << 20),
        ]
        for entry in entries { LineHistory(file: file).append(entry) }
        #expect(LineHistory(file: file).load() == entries)
        #expect(try FileStatus(of: file).mode == 0o600)
    }
}
