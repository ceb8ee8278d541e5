import CLua

/// What can be handed to Lua: as an argument, a result, a field or an error value.
///
/// Writing only records what to push; C pushes it once no Swift frame is on the stack that a Lua error could jump over.
package protocol LuaWritable {
    func write(to writer: LuaWriter)
}

/// The light userdata NULL, which stands for what is there and has no value.
package struct LuaNull: LuaWritable {
    package init() {}

    package func write(to writer: LuaWriter) { writer.writeNull() }
}

extension Bool: LuaWritable {
    package func write(to writer: LuaWriter) {
        clua_write(writer.buffer, CLUA_OP_BOOLEAN, self ? 1 : 0)
    }
}

extension Int: LuaWritable {
    package func write(to writer: LuaWriter) {
        clua_write_integer(writer.buffer, CLUA_OP_INTEGER, 0, Int64(self))
    }
}

extension Double: LuaWritable {
    package func write(to writer: LuaWriter) {
        clua_write_number(writer.buffer, self)
    }
}

extension String: LuaWritable {
    package func write(to writer: LuaWriter) {
        writer.write(self, as: CLUA_OP_BYTES)
    }
}

extension [UInt8]: LuaWritable {
    package func write(to writer: LuaWriter) {
        withUnsafeBytes { writer.write($0) }
    }
}

extension Optional: LuaWritable where Wrapped: LuaWritable {
    package func write(to writer: LuaWriter) {
        switch self {
        case .none: clua_write(writer.buffer, CLUA_OP_NIL, 0)
        case .some(let value): value.write(to: writer)
        }
    }
}

extension LuaValue: LuaWritable {
    package func write(to writer: LuaWriter) {
        switch self {
        case .nil: clua_write(writer.buffer, CLUA_OP_NIL, 0)
        case .boolean(let value): value.write(to: writer)
        case .integer(let value): value.write(to: writer)
        case .number(let value): value.write(to: writer)
        case .bytes(let value): value.write(to: writer)
        case .reference(let value): value.write(to: writer)
        }
    }
}

extension LuaReference: LuaWritable {
    /// Traps when the reference belongs to another state, which is our bug and never a script's.
    package func write(to writer: LuaWriter) {
        precondition(queue === writer.state.releases, "a reference was used in another state than its own")
        writer.writeReference(self)
    }
}

/// A Swift closure as a Lua function. Each writing makes a new function.
package struct LuaFunction: LuaWritable {
    /// Reads its arguments from the call and adds its results to it; what it throws becomes a Lua error.
    ///
    /// Runs on the state's thread, on whichever coroutine called.
    package typealias Body = (borrowing LuaCall) throws -> Void

    let body: Body

    package init(_ body: @escaping Body) {
        self.body = body
    }

    package func write(to writer: LuaWriter) {
        writer.writeFunction(LuaCallback(body: body))
    }
}

/// The object behind a Lua function that is a Swift closure.
final class LuaCallback {
    let body: LuaFunction.Body

    init(body: @escaping LuaFunction.Body) {
        self.body = body
    }
}

/// A table written as plain data: elements first, then fields, which may be nested tables in their turn.
package struct LuaTable: LuaWritable {
    package var elements: [any LuaWritable]
    /// Written in this order; nil values leave no field.
    package var fields: [(key: String, value: any LuaWritable)]
    /// The name of a metatable that `LuaState.defineMetatable` has made.
    package var metatable: String?

    package init(
        elements: [any LuaWritable] = [], fields: KeyValuePairs<String, any LuaWritable> = [:], metatable: String? = nil
    ) {
        self.elements = elements
        self.fields = fields.map { ($0.key, $0.value) }
        self.metatable = metatable
    }

    package func write(to writer: LuaWriter) {
        writer.writeTable(elementCount: elements.count, fieldCount: fields.count, metatable: metatable) { table in
            for element in elements { table.append(element) }
            for field in fields { table.set(field.key, field.value) }
        }
    }
}

extension LuaTable: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral elements: (String, any LuaWritable)...) {
        self.init(elements: [], fields: [:], metatable: nil)
        fields = elements.map { (key: $0.0, value: $0.1) }
    }
}

extension LuaTable: ExpressibleByArrayLiteral {
    package init(arrayLiteral elements: any LuaWritable...) {
        self.init(elements: elements, fields: [:], metatable: nil)
    }
}
