import Glibc
import TestSupport
import Testing

@testable import VaultServer

@Suite struct LogWriterTests {
    /// A pipe, and what has come out of it.
    private final class Pipe {
        let (reading, writing): (Int32, Int32)

        init() throws {
            var ends: [Int32] = [0, 0]
            try #require(pipe(&ends) == 0)
            (reading, writing) = (ends[0], ends[1])
        }

        /// What comes until `isEnough`.
        func read(until isEnough: (String) -> Bool) -> String {
            var text = ""
            var bytes = [UInt8](repeating: 0, count: 4096)
            while !isEnough(text) {
                let count = Glibc.read(reading, &bytes, bytes.count)
                if count <= 0 { break }
                text += String(decoding: bytes.prefix(count), as: UTF8.self)
            }
            return text
        }

        deinit {
            close(reading)
            close(writing)
        }
    }

    @Test func linesComeInTheirOrder() throws {
        let pipe = try Pipe()
        let writer = LogWriter(pipe.writing) { "lost \($0)\n" }
        let lines = (0..<1000).map { "line \($0)\n" }
        for line in lines { writer.write(line) }
        let all = lines.joined()
        #expect(pipe.read { $0.utf8.count >= all.utf8.count } == all)
    }

    @Test func aReaderWhoStandsStillCostsLinesAndNobodysTime() throws {
        let pipe = try Pipe()
        let writer = LogWriter(pipe.writing) { "lost \($0)\n" }
        let line = String(repeating: "x", count: 999) + "\n"
        // More than the pipe and the writer hold together, so that this would never end if it waited for the reader.
        for _ in 0..<3000 { writer.write(line) }
        // What is lost is told in its place: more may follow that found room again.
        func counts(_ text: String) -> (whole: Int, lost: Int) {
            let lines = text.split(separator: "\n")
            return (
                lines.count { $0 + "\n" == line },
                lines.reduce(0) { $0 + ($1.hasPrefix("lost ") ? Int($1.dropFirst(5)) ?? 0 : 0) }
            )
        }
        let text = pipe.read { text in
            guard text.hasSuffix("\n") else { return false }
            let (whole, lost) = counts(text)
            return whole + lost == 3000
        }
        let (whole, lost) = counts(text)
        #expect(whole > 1000 && lost > 0 && whole + lost == 3000)
        #expect(text.split(separator: "\n").count { !$0.hasPrefix("lost ") } == whole)
        writer.write("goes on\n")
        #expect(pipe.read { $0.hasSuffix("\n") } == "goes on\n")
    }

    @Test func nobodyWhoReadsIsNoReasonToStop() throws {
        var ends: [Int32] = [0, 0]
        try #require(Glibc.pipe(&ends) == 0)
        close(ends[0])
        // The thread that writes gets the signals of this one.
        var (pipeSignal, before) = (sigset_t(), sigset_t())
        sigaddset(&pipeSignal, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &pipeSignal, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        let writer = LogWriter(ends[1]) { "lost \($0)\n" }
        for _ in 0..<3000 { writer.write(String(repeating: "x", count: 999) + "\n") }
        writer.flush(milliseconds: 10_000)
        _ = Glibc.close(ends[1])
    }
}
