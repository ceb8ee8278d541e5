import LuaEngine
import VaultModel

/// The options at the end of a call: a table in which only known names may stand, each with its type.
struct Options {
    private let table: LuaTableView?

    init(_ call: borrowing LuaCall, _ number: Int, _ names: Set<String>) throws {
        table = try call[number].ifPresent?.table()
        try table?.allowOnly(names)
    }

    private func field(_ name: String) throws -> LuaView? {
        try table?.field(name).ifPresent
    }

    func string(_ name: String) throws -> String? { try field(name)?.string() }
    func bytes(_ name: String) throws -> [UInt8]? { try field(name)?.bytes() }
    func integer(_ name: String) throws -> Int? { try field(name)?.integer() }
    func number(_ name: String) throws -> Double? { try field(name)?.number() }
    func boolean(_ name: String) throws -> Bool? { try field(name)?.boolean() }
    func function(_ name: String) throws -> LuaReference? { try field(name)?.function() }

    /// A number of something, which cannot be negative.
    func count(_ name: String) throws -> Int? {
        guard let value = try integer(name) else { return nil }
        if value < 0 { throw VaultError(.invalid, "The option '\(name)' cannot be negative.") }
        return value
    }

    /// A time in seconds since 1970 UTC: a number of them, or text as `TimeReader` reads it.
    func time(_ name: String) throws -> Int64? {
        guard let field = try field(name) else { return nil }
        if field.type == .number { return Int64(try field.integer()) }
        return try TimeReader.local.seconds(try field.string())
    }

    /// A share above 0 and up to 1: a number, or text such as `5%`.
    func share(_ name: String) throws -> Double? {
        guard let field = try field(name) else { return nil }
        if field.type == .number { return try field.number() }
        return try VerifyRequest.share(try field.string())
    }

    /// A span of time in seconds, at most some decades.
    func seconds(_ name: String) throws -> Double? {
        guard let value = try field(name)?.seconds() else { return nil }
        guard value >= 0, value <= 1e9 else {
            throw VaultError(.invalid, "The option '\(name)' is a time of 0 or more seconds.")
        }
        return value
    }

    /// A span of time in whole seconds, however long.
    func wholeSeconds(_ name: String) throws -> Int64? {
        guard let field = try field(name) else { return nil }
        if field.type == .number { return try count(name).map(Int64.init) }
        return try CivilDuration.seconds(try field.string())
    }

    /// An array of strings of any bytes, or one such string.
    func byteStrings(_ name: String) throws -> [[UInt8]] {
        guard let field = try field(name) else { return [] }
        return field.type == .table ? try field.table().byteStrings() : [try field.bytes()]
    }

    /// The path of a local file.
    func path(_ name: String) throws -> LocalPath? { try field(name)?.path() }

    /// Variables of an environment by name; false takes one away.
    func variables(_ name: String) throws -> [[UInt8]: [UInt8]?] {
        guard let field = try field(name) else { return [:] }
        var variables: [[UInt8]: [UInt8]?] = [:]
        try field.table().visitPairs { key, value in
            let name = try key.bytes()
            let value = value.type == .boolean && !value.isTruthy ? nil : try value.bytes()
            if name.isEmpty || name.contains(UInt8(ascii: "=")) || name.contains(0) || value?.contains(0) ?? false {
                throw VaultError(
                    .invalid, "'\(printable(name))' cannot be a variable of an environment, or not have this value.")
            }
            variables.updateValue(value, forKey: name)
        }
        return variables
    }

    /// Tags, whose values are strings or numbers.
    func tags(_ name: String) throws -> [TagText: TagText] {
        guard let field = try field(name) else { return [:] }
        var tags: [TagText: TagText] = [:]
        try field.table().visitPairs { key, value in tags[try key.tagText()] = try value.tagText() }
        return tags
    }

    /// Which state is meant by `version` or `at`.
    func selector() throws -> Selector {
        let version = try count("version")
        let time = try time("at")
        switch (version, time) {
        case (nil, nil): return .current
        case (let version?, nil): return .version(UInt64(version))
        case (nil, let time?): return .time(time)
        case (.some, .some): throw VaultError(.invalid, "The options 'version' and 'at' exclude each other.")
        }
    }

    /// The reporter of the option `progress`.
    func progress() throws -> ProgressReporter? {
        try function("progress").map { ProgressReporter($0) }
    }
}

extension LuaView {
    /// A span of time in seconds: a number of them, or text such as `90s` or `12h`.
    func seconds() throws -> Double {
        if type == .string, let text = try? string(), let span = try? CivilDuration.seconds(text) {
            return Double(span)
        }
        return try number()
    }

    /// The path of a local file.
    func path() throws -> LocalPath {
        let bytes = try bytes()
        if bytes.isEmpty || bytes.contains(0) {
            throw VaultError(.invalid, "'\(printable(bytes))' is not the path of a file.")
        }
        return LocalPath(bytes)
    }

    /// The key or the value of a tag: a string, or a number's text.
    ///
    /// - Throws: `invalid` for bytes that are not UTF-8.
    func tagText() throws -> TagText {
        try TagText(given: try bytes())
    }
}

extension LuaCall {
    /// An argument that is the name of something in a vault.
    func name(_ number: Int) throws -> Name {
        try Name(try bytes(number))
    }

    /// An argument that is a prefix of names; everything where it is missing.
    func prefix(_ number: Int) throws -> NamePrefix {
        guard let text = try self[number].ifPresent?.string() else { return .all }
        return try NamePrefix(text)
    }

    /// An argument that is the path of a local file.
    func path(_ number: Int) throws -> LocalPath { try self[number].path() }
}
