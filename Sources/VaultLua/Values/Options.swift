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

    /// A span of time in seconds, at most some decades.
    func seconds(_ name: String) throws -> Double? {
        guard let value = try number(name) else { return nil }
        guard value >= 0, value <= 1e9 else {
            throw VaultError(.invalid, "The option '\(name)' is a time of 0 or more seconds.")
        }
        return value
    }

    /// An array of strings, or one string.
    func strings(_ name: String) throws -> [String] {
        guard let field = try field(name) else { return [] }
        return field.type == .table ? try field.table().strings() : [try field.string()]
    }

    /// Tags, whose values are strings or numbers.
    func tags(_ name: String) throws -> [String: String] {
        guard let field = try field(name) else { return [:] }
        var tags: [String: String] = [:]
        try field.table().visitPairs { key, value in tags[try key.string()] = try value.string() }
        return tags
    }

    /// Which state is meant by `version` or `at`.
    func selector() throws -> Selector {
        let version = try count("version")
        let time = try integer("at")
        switch (version, time) {
        case (nil, nil): return .current
        case (let version?, nil): return .version(UInt64(version))
        case (nil, let time?): return .time(Int64(time))
        case (.some, .some): throw VaultError(.invalid, "The options 'version' and 'at' exclude each other.")
        }
    }

    /// The reporter of the option `progress`.
    func progress() throws -> ProgressReporter? {
        try function("progress").map { ProgressReporter($0) }
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
    func path(_ number: Int) throws -> LocalPath {
        let bytes = try bytes(number)
        if bytes.isEmpty || bytes.contains(0) {
            throw VaultError(.invalid, "'\(printable(bytes))' is not the path of a file.")
        }
        return LocalPath(bytes)
    }
}
