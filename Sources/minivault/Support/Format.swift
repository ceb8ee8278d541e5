import Glibc
import VaultLua
import VaultModel

/// Numbers and entries as people read them.
enum Format {
    /// Bytes in binary units, at most four digits: `1.4 GiB`.
    static func bytes(_ count: UInt64) -> String {
        var value = Double(count)
        var unit = "B"
        for next in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] where value >= 1024 {
            value /= 1024
            unit = next
        }
        return unit == "B" ? "\(count) B" : "\(decimal(value, places: value < 10 ? 1 : 0)) \(unit)"
    }

    static func decimal(_ value: Double, places: Int) -> String {
        let scale = pow(10, Double(places))
        let rounded = (value * scale).rounded() / scale
        guard places > 0 else { return String(Int(rounded)) }
        let whole = Int(rounded)
        let rest = Int(((rounded - Double(whole)) * scale).rounded())
        return "\(whole).\(padded(String(rest), places, with: "0"))"
    }

    /// A span of time: `0:07`, `12:30`, `3:00:00`.
    static func duration(seconds: Int) -> String {
        let (minutes, rest) = (seconds / 60, seconds % 60)
        let tail = padded(String(rest), 2, with: "0")
        if minutes < 60 { return "\(minutes):\(tail)" }
        return "\(minutes / 60):\(padded(String(minutes % 60), 2, with: "0")):\(tail)"
    }

    /// A time by this process's zone for a terminal, in UTC and with seconds elsewhere.
    ///
    /// - Parameter seconds: since 1970 UTC.
    static func time(_ seconds: Int64, to precision: TimeText.Precision = .second) -> String {
        Output.isTerminal ? TimeText.local(seconds, to: precision) : TimeText.utc(seconds)
    }

    /// The permissions as `ls -l` writes them.
    static func mode(_ entry: Entry) -> String {
        let kind =
            switch entry.kind {
            case .file: "-"
            case .link: "l"
            case .directory: "d"
            case .removed: "x"
            }
        let letters = Array("rwxrwxrwx")
        return kind + String((0..<9).map { entry.attributes.mode & (0o400 >> $0) != 0 ? letters[$0] : "-" })
    }

    /// Right-aligned text.
    static func padded(_ text: String, _ width: Int, with pad: Character = " ") -> String {
        String(repeating: pad, count: max(0, width - text.count)) + text
    }

    /// A name as people see it on a terminal; elsewhere as it can be given to a command again.
    static func name(_ name: Name) -> String { Output.isTerminal ? name.description : name.typed }

    /// A line of a long listing: in columns on a terminal, separated by tabs elsewhere.
    static func long(_ entry: Entry) -> String {
        let version = "v\(entry.version)"
        // A removal has no time but that of itself.
        let seconds = entry.kind == .removed ? entry.savedAt : entry.modifiedSeconds
        let columns =
            Output.isTerminal
            ? [
                mode(entry), padded(bytes(entry.size), 9), time(seconds, to: .minute),
                padded(version, 5), name(entry.name),
            ]
            : [mode(entry), String(entry.size), time(seconds), version, name(entry.name)]
        return columns.joined(separator: Output.isTerminal ? "  " : "\t")
    }

    /// A path under the escape that names have, so that paths of different bytes are different texts.
    static func text(_ path: LocalPath) -> String {
        String(decoding: NameEscape.encode(path.bytes), as: UTF8.self)
    }

    /// A line of a history: the version, when and by whom it was saved, its size, and its tags.
    static func version(_ entry: Entry) -> String {
        let size = entry.kind == .removed ? "removed" : Output.isTerminal ? bytes(entry.size) : String(entry.size)
        let tags = entry.tags.sorted { $0.key < $1.key }.map { printable("\($0.key)=\($0.value)") }
        let columns = ["v\(entry.version)", time(entry.savedAt), size, printable(entry.savedBy)] + tags
        guard Output.isTerminal else { return columns.joined(separator: "\t") }
        let aligned = [padded(columns[0], 5), columns[1], padded(columns[2], 9)] + columns.dropFirst(3)
        return aligned.joined(separator: "  ")
    }

    static func json(_ entry: Entry) -> JSON {
        var members: [(key: String, value: JSON)] = [
            ("name", .string(entry.name.text)),
            ("kind", .string(entry.kind.description)),
            ("size", .integer(Int(clamping: entry.size))),
            ("version", .integer(Int(clamping: entry.version))),
            ("sequence", .integer(Int(clamping: entry.sequence))),
            ("mode", .integer(Int(entry.attributes.mode))),
            ("saved_at", .integer(Int(entry.savedAt))),
            ("modified_at", .integer(Int(entry.modifiedSeconds))),
            ("saved_by", .string(entry.savedBy)),
            ("tags", .object(entry.tags.sorted { $0.key < $1.key }.map { ($0.key.text, .string($0.value.text)) })),
        ]
        if entry.kind != .removed { members.append(("digest", .string(entry.content.digest.description))) }
        return .object(members)
    }

    static func json(_ outcome: SaveOutcome) -> JSON {
        let name = ("name", JSON.string(outcome.entry.name.text))
        let size = ("size", JSON.integer(Int(clamping: outcome.entry.size)))
        guard outcome.isTold else { return .object([name, size]) }
        return .object([
            name, ("version", .integer(Int(clamping: outcome.entry.version))), size,
            ("new_bytes", .integer(Int(clamping: outcome.newBytes))), ("created", .boolean(outcome.isCreated)),
        ])
    }
}
