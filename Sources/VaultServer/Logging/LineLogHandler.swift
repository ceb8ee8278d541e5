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

    package init(
        _ format: Format, level: Logger.Level,
        write: @escaping @Sendable (String) -> Void = LineLogHandler.writeToErrors
    ) {
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
        let time = LineLogHandler.timestamp(currentNanoseconds())
        switch format {
        case .human:
            let details = pairs.map { " \($0.key)=\(LineLogHandler.word("\($0.value)"))" }.joined()
            write("\(time) \(event.level.rawValue) \(printable("\(event.message)"))\(details)\n")
        case .json:
            let members = [("time", time), ("level", event.level.rawValue), ("message", "\(event.message)")]
            let all = members + pairs.map { ($0.key, "\($0.value)") }
            let text = all.map { "\(LineLogHandler.quoted($0.0)):\(LineLogHandler.quoted($0.1))" }.joined(
                separator: ",")
            write("{\(text)}\n")
        }
    }

    /// A value as one word of a line.
    private static func word(_ text: String) -> String {
        let text = printable(text)
        guard text.isEmpty || text.contains(where: { $0 == " " || $0 == "=" || $0 == "\"" }) else { return text }
        // What cannot be shown as it is has been escaped already.
        return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\\"") + "\""
    }

    /// A string of JSON (RFC 8259).
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value):
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
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

    package static func writeToErrors(_ line: String) {
        var rest = Array(line.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR { return }
            rest = rest.dropFirst(max(0, count))
        }
    }
}
