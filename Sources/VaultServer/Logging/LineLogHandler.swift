import FoundationEssentials
import Glibc
package import Logging
import VaultModel

/// Writes a server's log to standard error, a line an event, for people or for programs.
package struct LineLogHandler: LogHandler {
    package enum Format: String, Sendable, CaseIterable {
        case human
        case json
    }

    package var logLevel = Logger.Level.info
    package var metadata: Logger.Metadata = [:]
    private let format: Format
    private let write: @Sendable (String) -> Void

    /// - Parameter write: takes each line, with its end.
    package init(_ format: Format, level: Logger.Level, write: @escaping @Sendable (String) -> Void) {
        self.format = format
        self.write = write
        logLevel = level
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let pairs = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        write(
            LineLogHandler.line(
                format, event.level, "\(event.message)", pairs.map { ($0.key, "\($0.value)") },
                at: currentNanoseconds()))
    }

    /// - Parameter time: nanoseconds since 1970 UTC.
    package static func line(
        _ format: Format, _ level: Logger.Level, _ message: String, _ pairs: [(String, String)], at time: Int64
    ) -> String {
        let time = timestamp(time)
        switch format {
        case .human:
            let details = pairs.map { " \($0.0)=\(word($0.1))" }.joined()
            return "\(time) \(level.rawValue) \(printable(message))\(details)\n"
        case .json:
            let all = [("time", time), ("level", level.rawValue), ("message", message)] + pairs
            let text = all.map { "\(quotedAsJSON($0.0)):\(quotedAsJSON($0.1))" }.joined(separator: ",")
            return "{\(text)}\n"
        }
    }

    /// A value as one word of a line. In quotes, a backslash and a quote are behind a backslash, so that no value can end its
    /// word.
    private static func word(_ text: String) -> String {
        let shown = printable(text)
        let isPlain = shown.utf8.allSatisfy { $0 > 0x20 && !"\"=\\".utf8.contains($0) }
        if isPlain, !shown.isEmpty { return shown }
        // Some characters would make one with the quote or the backslash before them, so by bytes.
        var word: [UInt8] = []
        for byte in shown.utf8 {
            // What was escaped has its backslashes already.
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") && shown == text {
                word.append(UInt8(ascii: "\\"))
            }
            word.append(byte)
        }
        return "\"" + String(decoding: word, as: UTF8.self) + "\""
    }

    /// `2026-11-23T03:00:00.123Z`.
    static func timestamp(_ nanoseconds: Int64) -> String {
        var seconds = time_t(nanoseconds / 1_000_000_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let milliseconds = nanoseconds / 1_000_000 % 1000
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let fraction = String(1000 + milliseconds).dropFirst()
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T\(two(parts.tm_hour)):"
            + "\(two(parts.tm_min)):\(two(parts.tm_sec)).\(fraction)Z"
    }
}
