import ArgumentParser
import Glibc
import VaultModel

/// The words of the command line. Bytes that are not UTF-8 pass through the argument parser under the
/// escape that names have.
enum CommandText {
    static var arguments: [String] {
        CommandLine.unsafeArgv.withMemoryRebound(to: UnsafeMutablePointer<CChar>?.self, capacity: Int(CommandLine.argc))
        {
            arguments in
            (0..<Int(CommandLine.argc)).map { index in
                guard let argument = arguments[index] else { return "" }
                let bytes = UnsafeRawBufferPointer(start: argument, count: strlen(argument))
                return String(decoding: NameEscape.encode(bytes), as: UTF8.self)
            }
        }
    }

    /// The bytes of a word as they were typed.
    static func bytes(_ word: String) -> [UInt8] {
        NameEscape.decode(Array(word.utf8)) ?? Array(word.utf8)
    }

    static func path(_ word: String) -> LocalPath {
        LocalPath(bytes(word))
    }

    /// The name that a word means: its text, or the name of a path that is not UTF-8.
    static func name(_ word: String) throws(VaultError) -> Name {
        let bytes = bytes(word)
        return String(validating: bytes, as: UTF8.self) == nil ? try Name(pathBytes: bytes) : try Name(bytes)
    }

    /// The name that a local file is saved under.
    ///
    /// - Parameter name: what `--as` says: a name, or a prefix, which ends in `/`; nil for the file's last part.
    static func name(of path: LocalPath, as name: String?) throws(VaultError) -> Name {
        guard let name else { return try Name(pathBytes: path.lastComponent) }
        guard name.hasSuffix("/") else { return try self.name(name) }
        return try prefix(name).name(ofPath: path.lastComponent)
    }

    static func prefix(_ word: String?) throws(VaultError) -> NamePrefix {
        guard var bytes = word.map({ bytes($0) }) else { return .all }
        if bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        return bytes.isEmpty ? .all : NamePrefix(try name(String(decoding: NameEscape.encode(bytes), as: UTF8.self)))
    }

    /// A point in time: seconds since 1970 UTC, `2026-11-23` or `2026-11-23T03:00:00` in UTC, or so long ago: `12h`.
    static func time(_ word: String) throws -> Int64 {
        if let seconds = Int64(word) { return seconds }
        if let seconds = civilTime(word) { return seconds }
        if let seconds = try? CivilDuration.seconds(word) { return Int64(Glibc.time(nil)) - seconds }
        throw ValidationError(
            "'\(printable(word))' is not a time: give '2026-11-23' or '2026-11-23T03:00' in UTC, seconds since "
                + "1970, or how long ago: '12h', '30d'.")
    }

    private static func civilTime(_ word: String) -> Int64? {
        let text = word.hasSuffix("Z") ? word.dropLast() : word[...]
        let halves = text.split(omittingEmptySubsequences: false) { $0 == "T" || $0 == " " }
        let date = halves[0].split(separator: "-", omittingEmptySubsequences: false).map { Int32($0) }
        let clock = halves.count == 2 ? halves[1].split(separator: ":").map { Int32($0) } : []
        guard halves.count <= 2, date.count == 3, clock.count <= 3, !(date + clock).contains(nil) else { return nil }
        let numbers = (date + clock).compactMap { $0 } + [0, 0, 0]
        guard (1970...9999).contains(numbers[0]), (1...12).contains(numbers[1]), (1...31).contains(numbers[2]),
            (0...23).contains(numbers[3]), (0...59).contains(numbers[4]), (0...60).contains(numbers[5])
        else { return nil }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (numbers[0] - 1900, numbers[1] - 1, numbers[2])
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (numbers[3], numbers[4], numbers[5])
        let seconds = Int64(timegm(&parts))
        // A day that its month does not have comes back as one of the next month.
        return parts.tm_mday == numbers[2] ? seconds : nil
    }

    /// Tags from `KEY=VALUE` words.
    static func tags(_ words: [String]) throws -> [String: String] {
        var tags: [String: String] = [:]
        for word in words {
            // By bytes: a mark that combines with the equals sign would hide it.
            let halves = word.utf8.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, !halves[0].isEmpty else {
                throw ValidationError("'\(printable(word))' is not a tag: give KEY=VALUE.")
            }
            tags[String(Substring(halves[0]))] = String(Substring(halves[1]))
        }
        return tags
    }

    static func selector(version: UInt64?, at time: String?) throws -> VaultModel.Selector {
        switch (version, time) {
        case (nil, nil): return .current
        case (let version?, nil): return .version(version)
        case (nil, let time?): return .time(try self.time(time))
        case (.some, .some): throw ValidationError("--version and --at exclude each other.")
        }
    }
}
