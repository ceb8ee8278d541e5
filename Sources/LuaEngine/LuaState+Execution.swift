import CLua

/// Which kinds of chunks a load takes (`load`'s mode, Lua 5.4 manual §6.1).
package enum LuaChunkMode: Sendable {
    case any, text, binary

    var operand: UInt32 {
        switch self {
        case .any: CLUA_CHUNK_ANY.rawValue
        case .text: CLUA_CHUNK_TEXT.rawValue
        case .binary: CLUA_CHUNK_BINARY.rawValue
        }
    }
}

/// The coroutine on which Swift calls a Lua function.
package enum LuaCoroutine: Sendable {
    /// The one that is running. A yield raises "attempt to yield across a C-call boundary".
    case current
    /// A new one for this call alone, in which a yield is an error.
    case own
}

/// The work of a state. Each method runs in a protected call of its own with a traceback handler, and throws the
/// `LuaError` that Lua code raised; after `close()`, each throws one of code `runtime`.
extension LuaState {
    /// Compiles a chunk without running it.
    ///
    /// - Parameter name: what error messages call it, by the rules of §4.7 (`=stdin`, `@script.lua`, or its text).
    /// - Throws: `LuaError` of code `syntax`.
    package func load(
        _ bytes: [UInt8], name: String, mode: LuaChunkMode = .any
    ) throws(LuaError) -> LuaReference {
        try referenceToResult { writer in
            writer.write(name)
            bytes.withUnsafeBytes {
                clua_write_bytes(writer.buffer, CLUA_OP_LOAD, mode.operand, $0.baseAddress, $0.count)
            }
        }
    }

    package func load(_ text: String, name: String? = nil) throws(LuaError) -> LuaReference {
        try load(Array(text.utf8), name: name ?? "=" + text.prefix(40), mode: .text)
    }

    /// Compiles a file, less a first line that begins with `#`; `-` is standard input.
    ///
    /// - Throws: `LuaError` of code `file` or `syntax`.
    package func load(file: [UInt8], mode: LuaChunkMode = .any) throws(LuaError) -> LuaReference {
        let name = file == [UInt8(ascii: "-")] ? [] : file
        return try referenceToResult { writer in
            name.withUnsafeBytes {
                clua_write_bytes(writer.buffer, CLUA_OP_LOAD_FILE, mode.operand, $0.baseAddress, $0.count)
            }
        }
    }

    package func load(file: String, mode: LuaChunkMode = .any) throws(LuaError) -> LuaReference {
        try load(file: Array(file.utf8), mode: mode)
    }

    /// Calls a function, or any value with `__call`.
    package func call(
        _ function: LuaReference, _ arguments: any LuaWritable..., on coroutine: LuaCoroutine = .current
    ) throws(LuaError) -> [LuaValue] {
        try call(function, arguments: arguments, on: coroutine)
    }

    package func call(
        _ function: LuaReference, arguments: [any LuaWritable], on coroutine: LuaCoroutine = .current
    ) throws(LuaError) -> [LuaValue] {
        try values { writer in
            function.write(to: writer)
            for argument in arguments { argument.write(to: writer) }
            clua_write(writer.buffer, coroutine == .own ? CLUA_OP_CALL_ALONE : CLUA_OP_CALL, UInt32(arguments.count))
        }
    }

    /// Compiles and calls a text.
    @discardableResult
    package func run(
        _ text: String, name: String? = nil, _ arguments: any LuaWritable...
    ) throws(LuaError) -> [LuaValue] {
        try call(try load(text, name: name), arguments: arguments)
    }

    /// `table[key]`, by metamethods where there are some.
    package func get(_ table: LuaReference, _ key: some LuaWritable) throws(LuaError) -> LuaValue {
        try values { writer in
            table.write(to: writer)
            key.write(to: writer)
            clua_write(writer.buffer, CLUA_OP_GET, 0)
        }.first ?? .nil
    }

    /// `table[key] = value`, by metamethods where there are some.
    package func set(_ table: LuaReference, _ key: some LuaWritable, _ value: some LuaWritable) throws(LuaError) {
        try put(key, value) { table.write(to: $0) }
    }

    package func global(_ name: String) throws(LuaError) -> LuaValue {
        try values { writer in
            clua_write(writer.buffer, CLUA_OP_GLOBALS, 0)
            writer.write(name)
            clua_write(writer.buffer, CLUA_OP_GET, 0)
        }.first ?? .nil
    }

    package func setGlobal(_ name: String, _ value: some LuaWritable) throws(LuaError) {
        try put(name, value) { clua_write($0.buffer, CLUA_OP_GLOBALS, 0) }
    }

    /// Makes `require(name)` return the value (`package.loaded`).
    package func setLoaded(_ name: String, _ value: some LuaWritable) throws(LuaError) {
        try put(name, value) { $0.write("_LOADED", as: CLUA_OP_REGISTRY) }
    }

    /// Makes the first `require(name)` call the loader (`package.preload`).
    package func setPreload(_ name: String, _ loader: LuaFunction) throws(LuaError) {
        try put(name, loader) { $0.write("_PRELOAD", as: CLUA_OP_REGISTRY) }
    }

    /// Fills the metatable that tables are given by `name`, which is also its `__name`.
    package func defineMetatable(_ name: String, _ fields: LuaTable) throws(LuaError) {
        _ = try values { writer in
            writer.write(name, as: CLUA_OP_NEW_METATABLE)
            for field in fields.fields {
                writer.write(field.key)
                field.value.write(to: writer)
                clua_write(writer.buffer, CLUA_OP_SET, 0)
            }
        }
    }

    /// Turns a value into a Lua value and keeps that, for example a function to be handed out many times.
    package func reference(to value: some LuaWritable) throws(LuaError) -> LuaReference {
        try referenceToResult { value.write(to: $0) }
    }

    /// Reads a value of Lua's in place. The view is valid within `body`, which must not store it.
    package func read<Result>(
        _ reference: LuaReference, _ body: (LuaView) throws -> Result
    ) throws -> Result {
        var result: Swift.Result<Result, any Error>?
        try execute(
            { reference.write(to: $0) },
            consume: { thread in
                let subject = LuaView.Subject(argument: 0, path: "")
                result = Swift.Result { try body(LuaView(state: self, thread: thread, index: 1, subject: subject)) }
            })
        guard let result else { throw LuaError.outOfMemory }
        return try result.get()
    }

    /// Whether two references are to one value (`rawequal`).
    package func areEqual(_ left: LuaReference, _ right: LuaReference) throws(LuaError) -> Bool {
        var isEqual = false
        try execute(
            { writer in
                left.write(to: writer)
                right.write(to: writer)
            }, consume: { isEqual = clua_raw_equal($0, 1, 2) })
        return isEqual
    }

    /// Makes an interrupt raise this value instead of `LuaOptions.interruptMessage`.
    package func setInterruptValue(_ value: some LuaWritable) throws(LuaError) {
        var isSet = false
        try execute({ value.write(to: $0) }, consume: { isSet = clua_set_interrupt_value($0, 1) })
        guard isSet else { throw .outOfMemory }
    }

    /// Runs a full collection, and finalizers in it.
    package func collectGarbage() {
        if let owner { clua_register(owner) }
        releaseReferences()
        guard let current else { return }
        clua_collect(current)
    }

    private func put(
        _ key: some LuaWritable, _ value: some LuaWritable, into table: (LuaWriter) -> Void
    ) throws(LuaError) {
        try execute({ writer in
            table(writer)
            key.write(to: writer)
            value.write(to: writer)
            clua_write(writer.buffer, CLUA_OP_PUT, 0)
        })
    }
}
