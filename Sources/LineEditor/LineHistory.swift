import Glibc
package import VaultModel

/// What was entered at prompts, in a file with one entry a line, in which `\` and line ends are escaped.
///
/// Several prompts may add to one file. What cannot be read or written is left out: a history is a courtesy.
package struct LineHistory: Sendable {
    package static let entriesMax = 2000
    private static let fileBytesMax = 32 << 20
    private static let entryBytesMax = 4 << 10

    private let file: LocalPath?

    /// - Parameter file: nil to remember nothing beyond this prompt.
    package init(file: LocalPath?) {
        self.file = file
    }

    /// The last entries, the oldest first.
    package func load() -> [String] {
        guard let file, let bytes = try? SmallFile.read(file, bytesMax: LineHistory.fileBytesMax) else { return [] }
        let lines = bytes.split(separator: UInt8(ascii: "\n"))
        if lines.count > 2 * LineHistory.entriesMax { shorten(file, to: lines.suffix(LineHistory.entriesMax)) }
        return lines.suffix(LineHistory.entriesMax).map { LineHistory.unescape(String(decoding: $0, as: UTF8.self)) }
    }

    package func append(_ entry: String) {
        guard let file, entry.utf8.count <= LineHistory.entryBytesMax, !entry.contains("\0") else { return }
        try? SmallFile.makeDirectory(file.parent)
        let descriptor = file.withCString { open($0, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600) }
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        _ = Array((LineHistory.escape(entry) + "\n").utf8).withUnsafeBytes {
            write(descriptor, $0.baseAddress, $0.count)
        }
    }

    private func shorten(_ file: LocalPath, to lines: some Collection<ArraySlice<UInt8>>) {
        let text = lines.map { String(decoding: $0, as: UTF8.self) + "\n" }.joined()
        try? SmallFile.write(Array(text.utf8), to: file, mode: 0o600, .isReplaced)
    }

    static func escape(_ entry: String) -> String {
        var text = ""
        for character in entry.unicodeScalars {
            switch character {
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            default: text.unicodeScalars.append(character)
            }
        }
        return text
    }

    static func unescape(_ line: String) -> String {
        var text = ""
        var isEscaped = false
        for character in line.unicodeScalars {
            if isEscaped {
                text.unicodeScalars.append(character == "n" ? "\n" : character == "r" ? "\r" : character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                text.unicodeScalars.append(character)
            }
        }
        return text
    }
}
