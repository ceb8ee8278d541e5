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

    /// The JSON of a Lua value. A table with elements from 1 on and no other keys is an array, an empty one
    /// an object.
    ///
    /// - Throws: for functions and other values without a JSON form, keys that are no strings, numbers
    ///   that are not finite, and tables nested deeper than 200.
    init(_ view: LuaView, depth: Int = 0) throws {
        switch view.type {
        case .none, .nil: self = .null
        case .boolean: self = .boolean(try view.boolean())
        case .number:
            if case .integer(let value) = try view.value() {
                self = .integer(value)
            } else {
                let value = try view.number()
                guard value.isFinite else { throw LuaError.message("JSON has no number \(value)") }
                self = .number(value)
            }
        case .string: self = .string(try view.string())
        case .table:
            guard depth < JSON.depthMax else { throw LuaError.message("a table is nested too deeply for JSON") }
            self = try JSON.table(try view.table(), depth)
        case .lightUserdata, .function, .userdata, .thread:
            throw LuaError.message("JSON has no form for a \(view.typeName)")
        }
    }

    private static func table(_ table: LuaTableView, _ depth: Int) throws -> JSON {
        let count = table.count
        var members: [(key: String, value: JSON)] = []
        var elements: [JSON] = []
        elements.reserveCapacity(count)
        try table.visitElements { elements.append(try JSON($0, depth: depth + 1)) }
        try table.visitPairs { key, value in
            if case .integer(let index) = try key.value(), index >= 1, index <= count { return }
            guard count == 0 else {
                throw LuaError.message("a table with both elements and other keys has no JSON form")
            }
            guard key.type == .string else {
                throw LuaError.message("the keys of JSON objects are strings, got a \(key.typeName)")
            }
            members.append((try key.string(), try JSON(value, depth: depth + 1)))
        }
        return count > 0 ? .array(elements) : .object(members.sorted { $0.key < $1.key })
    }
}

extension JSON: LuaWritable {
    package func write(to writer: LuaWriter) {
        switch self {
        case .null: writer.writeNil()
        case .boolean(let value): writer.write(value)
        case .integer(let value): writer.write(value)
        case .number(let value): writer.write(value)
        case .string(let value): writer.write(value)
        case .array(let elements):
            writer.writeTable(elementCount: elements.count) { table in
                for element in elements { table.append(element) }
            }
        case .object(let members):
            writer.writeTable(fieldCount: members.count) { table in
                for member in members { table.set(member.key, member.value) }
            }
        }
    }
}
