package import LuaEngine
import VaultModel

/// A JSON text (RFC 8259) as a tree of values.
package indirect enum JSON: Sendable, Equatable {
    case null
    case boolean(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([(key: String, value: JSON)])

    package static func == (left: JSON, right: JSON) -> Bool { left.text == right.text }

    /// The text, on one line.
    package var text: String {
        var text = ""
        write(to: &text)
        return text
    }

    private func write(to text: inout String) {
        switch self {
        case .null: text += "null"
        case .boolean(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .number(let value): text += value.description
        case .string(let value): text += quotedAsJSON(value)
        case .array(let elements):
            text += "["
            for (index, element) in elements.enumerated() {
                if index > 0 { text += "," }
                element.write(to: &text)
            }
            text += "]"
        case .object(let members):
            text += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { text += "," }
                text += quotedAsJSON(member.key)
                text += ":"
                member.value.write(to: &text)
            }
            text += "}"
        }
    }
}

extension JSON {
    static let depthMax = 200

    /// The metatable by which a table is an array, whatever it holds.
    static let arrayMetatable = "vault.json.array"
    /// An array that says that it is longer has a mistake.
    private static let lengthMax = 1 << 26

    /// The JSON of a Lua value. A table with elements and no other keys is an array, as is one that was made to be one; its
    /// field `n` is its length, as `table.pack` has it, and what is missing is null. Other tables are objects.
    ///
    /// - Throws: for functions and other values without a JSON form, keys that are no strings, numbers
    ///   that are not finite, and tables nested deeper than 200; the message ends with the place.
    init(_ view: LuaView, depth: Int = 0) throws {
        switch view.type {
        case .none, .nil: self = .null
        case .lightUserdata where view.isNull: self = .null
        case .boolean: self = .boolean(try view.boolean())
        case .number:
            if case .integer(let value) = try view.value() {
                self = .integer(value)
            } else {
                let value = try view.number()
                guard value.isFinite else { throw JSON.problem("JSON has no number \(value)", at: view) }
                self = .number(value)
            }
        case .string: self = .string(try view.string())
        case .table:
            guard depth < JSON.depthMax else {
                // The whole way there would be as deep.
                throw LuaError.message("a table is nested too deeply for JSON, at \(view.path.prefix(40))…")
            }
            let table = try view.table()
            self = try JSON.length(of: table).map { try JSON.array(table, $0, depth) } ?? JSON.object(table, depth)
        case .lightUserdata, .function, .userdata, .thread:
            throw JSON.problem("JSON has no form for a \(view.typeName)", at: view)
        }
    }

    private static func problem(_ text: String, at view: LuaView) -> LuaError {
        .message(view.path.isEmpty ? text : "\(text), at \(view.path)")
    }

    /// The length of a table that is an array; nil for an object.
    private static func length(of table: LuaTableView) throws -> Int? {
        let isMarked = table.view.typeName == arrayMetatable
        var (elements, last, length) = (0, 0, Int?.none)
        var other: String?
        try table.visitPairs { key, value in
            if case .integer(let index) = try key.value(), index >= 1 {
                elements += 1
                last = max(last, index)
            } else if key.type == .string, try key.withBytes({ $0.elementsEqual("n".utf8) }),
                case .integer(let count) = try value.value(), count >= 0
            {
                length = count
            } else {
                other = key.type == .string ? printable(try key.bytes()) : "a \(key.typeName)"
            }
        }
        guard isMarked || elements > 0 else { return nil }
        if let other {
            throw problem(
                "a table with both elements and other keys has no JSON form: it has '\(other)'", at: table.view)
        }
        let count = max(last, length ?? 0)
        // A few holes are values that are nil, many are no array.
        guard count <= lengthMax, isMarked || length != nil || last <= 2 * elements + 8 else {
            throw problem("an array with so many holes has no JSON form", at: table.view)
        }
        return count
    }

    private static func array(_ table: LuaTableView, _ length: Int, _ depth: Int) throws -> JSON {
        var elements: [JSON] = []
        elements.reserveCapacity(length)
        try table.visitElements(upTo: length) { elements.append(try JSON($0, depth: depth + 1)) }
        return .array(elements)
    }

    private static func object(_ table: LuaTableView, _ depth: Int) throws -> JSON {
        var members: [(key: String, value: JSON)] = []
        try table.visitPairs { key, value in
            guard key.type == .string else {
                throw problem("the keys of JSON objects are strings, got a \(key.typeName)", at: table.view)
            }
            members.append((try key.string(), try JSON(value, depth: depth + 1)))
        }
        return .object(members.sorted { $0.key < $1.key })
    }
}

extension LuaTable {
    /// A table that is an array also where it is empty, for those who make JSON of it.
    static func array(_ elements: [any LuaWritable]) -> LuaTable {
        LuaTable(elements: elements, metatable: JSON.arrayMetatable)
    }
}

extension JSON: LuaWritable {
    package func write(to writer: LuaWriter) {
        switch self {
        case .null: writer.writeNull()
        case .boolean(let value): writer.write(value)
        case .integer(let value): writer.write(value)
        case .number(let value): writer.write(value)
        case .string(let value): writer.write(value)
        case .array(let elements):
            writer.writeTable(elementCount: elements.count, metatable: JSON.arrayMetatable) { table in
                for element in elements { table.append(element) }
            }
        case .object(let members):
            writer.writeTable(fieldCount: members.count) { table in
                for member in members { table.set(member.key, member.value) }
            }
        }
    }
}
