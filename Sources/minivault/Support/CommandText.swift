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

    /// The name that a word means: its text, in which any byte may be escaped, or the name of a path that is not UTF-8.
    static func name(_ word: String) throws(VaultError) -> Name {
        let bytes = bytes(word)
        return String(validating: bytes, as: UTF8.self) == nil ? try Name(pathBytes: bytes) : try Name(typed: bytes)
    }

    /// The name that a local file is saved under.
    ///
    /// - Parameter name: what `--as` says: a name, or a prefix, which ends in `/`; nil for the file's last part.
    static func name(of path: LocalPath, as name: String?) throws(VaultError) -> Name {
        guard let name else { return try Name(pathBytes: path.lastComponent) }
        guard isPrefix(name) else { return try self.name(name) }
        return try prefix(name).name(ofPath: path.lastComponent)
    }

    /// Whether a word ends in `/`. By bytes: some characters would make one with the slash.
    static func isPrefix(_ word: String) -> Bool { word.utf8.last == UInt8(ascii: "/") }

    /// The text of a word as it was typed.
    ///
    /// - Throws: `invalid` for bytes that are not UTF-8.
    static func text(_ word: String) throws(VaultError) -> String {
        let bytes = bytes(word)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw VaultError(.invalid, "'\(printable(bytes))' is not UTF-8 text.")
        }
        return text
    }

    static func prefix(_ word: String?) throws(VaultError) -> NamePrefix {
        guard var bytes = word.map({ bytes($0) }) else { return .all }
        if bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        return bytes.isEmpty ? .all : NamePrefix(try name(String(decoding: NameEscape.encode(bytes), as: UTF8.self)))
    }

    /// Seconds since 1970 UTC of a time as ``TimeReader`` reads it, by this machine's clock and zone.
    static func time(_ word: String) throws -> Int64 {
        do throws(VaultError) { return try TimeReader.local.seconds(word) } catch {
            throw ValidationError(error.message)
        }
    }

    /// The help of an option that takes a time.
    ///
    /// - Parameter purpose: what the time is for, as the beginning of a sentence.
    static func timeHelp(_ purpose: String) -> ArgumentHelp {
        ArgumentHelp("\(purpose): \(TimeReader.forms).", valueName: "time")
    }

    /// Tags from `KEY=VALUE` words.
    ///
    /// - Throws: `invalid` for bytes that are not UTF-8, besides wrong usage.
    static func tags(_ words: [String]) throws -> [TagText: TagText] {
        var tags: [TagText: TagText] = [:]
        for word in words {
            let bytes = bytes(word)
            // By bytes: a mark that combines with the equals sign would hide it.
            let halves = bytes.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, !halves[0].isEmpty else {
                throw ValidationError("'\(printable(bytes))' is not a tag: give KEY=VALUE.")
            }
            tags[try TagText(given: halves[0])] = try TagText(given: halves[1])
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
