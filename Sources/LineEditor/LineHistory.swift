import Glibc
package import VaultModel

/// What was entered at prompts, in a file with one entry a line, in which `\` and line ends are escaped.
///
/// Several prompts may add to one file. What cannot be read or written is left out: a history is a courtesy.
package struct LineHistory: Sendable {
    package static let entriesMax = 2000
    private static let fileBytesMax = 32 << 20

    private let file: LocalPath?

    /// - Parameter file: nil to remember nothing beyond this prompt.
    package init(file: LocalPath?) {
        self.file = file
    }

    /// The last entries, the oldest first.
    package func load() -> [[UInt8]] {
        guard let file, let bytes = try? SmallFile.read(file, bytesMax: LineHistory.fileBytesMax) else { return [] }
        let lines = bytes.split(separator: UInt8(ascii: "\n"))
        let kept = lines.suffix(LineHistory.entriesMax)
        if lines.count > 2 * LineHistory.entriesMax || bytes.count > LineHistory.fileBytesMax / 2 {
            shorten(file, to: kept)
        }
        return kept.map { LineHistory.unescape($0) }
    }

    package func append(_ entry: [UInt8]) {
        guard let file, entry.count <= LineHistory.fileBytesMax / 4 else { return }
        try? SmallFile.makeDirectory(file.parent)
        let descriptor = file.withCString { open($0, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600) }
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        _ = (LineHistory.escape(entry) + [UInt8(ascii: "\n")]).withUnsafeBytes {
            write(descriptor, $0.baseAddress, $0.count)
        }
    }

    /// Writes the file with the last of its lines, as many as leave room for more.
    private func shorten(_ file: LocalPath, to lines: some BidirectionalCollection<ArraySlice<UInt8>>) {
        var (kept, count): ([ArraySlice<UInt8>], Int) = ([], 0)
        for line in lines.reversed() {
            count += line.count + 1
            if count > LineHistory.fileBytesMax / 4 { break }
            kept.append(line)
        }
        let bytes = kept.reversed().flatMap { $0 + [UInt8(ascii: "\n")] }
        try? SmallFile.write(bytes, to: file, mode: 0o600, .isReplaced)
    }

    static func escape(_ entry: [UInt8]) -> [UInt8] {
        entry.flatMap { byte in
            switch byte {
            case UInt8(ascii: "\\"): Array("\\\\".utf8)
            case UInt8(ascii: "\n"): Array("\\n".utf8)
            case UInt8(ascii: "\r"): Array("\\r".utf8)
            default: [byte]
            }
        }
    }

    static func unescape(_ line: some Sequence<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        var isEscaped = false
        for byte in line {
            if isEscaped {
                bytes.append(byte == UInt8(ascii: "n") ? 0x0A : byte == UInt8(ascii: "r") ? 0x0D : byte)
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }
}
