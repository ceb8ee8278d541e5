import CLua

/// One call of a Swift function by Lua code: its arguments, and where its results go.
///
/// Lives until the function's closure returns, on the state's thread. What reading throws, thrown on, becomes exactly
/// the error that a standard library function raises for the same mistake.
package struct LuaCall: ~Copyable {
    unowned(unsafe) package let state: LuaState
    let thread: OpaquePointer
    let buffer: UnsafeMutablePointer<CLuaBuffer>
    /// How many arguments were given.
    package let count: Int

    init(state: LuaState, thread: OpaquePointer, buffer: UnsafeMutablePointer<CLuaBuffer>) {
        self.state = state
        self.thread = thread
        self.buffer = buffer
        count = Int(clua_top(thread))
    }

    /// Argument `number`, from 1 on; of type `none` when it was not given.
    package subscript(number: Int) -> LuaView {
        LuaView(
            state: state, thread: thread, index: number <= count ? Int32(number) : Int32(count + 1) + LuaCall.beyond,
            subject: LuaView.Subject(argument: number, path: ""))
    }

    /// Added to the index of an argument that was not given, so that it cannot meet what reading pushes.
    private static let beyond: Int32 = 500_000

    package func integer(_ number: Int) throws(LuaError) -> Int {
        var value: Int64 = 0
        if number <= count, clua_to_integer(thread, Int32(number), &value) { return Int(value) }
        return try self[number].integer()
    }

    package func boolean(_ number: Int) throws(LuaError) -> Bool { try self[number].boolean() }
    package func number(_ number: Int) throws(LuaError) -> Double { try self[number].number() }
    package func string(_ number: Int) throws(LuaError) -> String { try self[number].string() }
    package func bytes(_ number: Int) throws(LuaError) -> [UInt8] { try self[number].bytes() }
    package func table(_ number: Int) throws(LuaError) -> LuaTableView { try self[number].table() }
    package func function(_ number: Int) throws(LuaError) -> LuaReference { try self[number].function() }
    package func value(_ number: Int) throws(LuaError) -> LuaValue { try self[number].value() }

    package func object<Object>(_ number: Int, _ type: LuaObjectType<Object>) throws(LuaError) -> Object {
        try self[number].object(type)
    }

    /// Adds a result after those added before.
    package func returns(_ value: some LuaWritable) {
        value.write(to: results)
    }

    package func returns(_ value: Int) {
        clua_write_integer(buffer, CLUA_OP_INTEGER, 0, Int64(value))
    }

    package func returns(_ value: Bool) {
        clua_write(buffer, CLUA_OP_BOOLEAN, value ? 1 : 0)
    }

    package func returns(_ value: String) {
        results.write(value, as: CLUA_OP_BYTES)
    }

    package func returnsNil() {
        clua_write(buffer, CLUA_OP_NIL, 0)
    }

    /// Adds one of the arguments as a result; nil for one that was not given.
    ///
    /// - Parameter metatable: given to it, a table, by the name that `defineMetatable` has made; nil to leave it unchanged.
    package func returns(argument number: Int, metatable: String? = nil) {
        guard number >= 1 && number <= count else { return returnsNil() }
        clua_write(buffer, CLUA_OP_ARGUMENT, UInt32(number))
        if let metatable { results.write(metatable, as: CLUA_OP_METATABLE) }
    }

    /// Adds a table that `body` fills as a result.
    package func returnsTable(
        elementCount: Int = 0, fieldCount: Int = 0, metatable: String? = nil, _ body: (inout LuaTableWriter) -> Void
    ) {
        results.writeTable(elementCount: elementCount, fieldCount: fieldCount, metatable: metatable, body)
    }

    /// Where results can be written one by one.
    package var results: LuaWriter {
        LuaWriter(state: state, buffer: buffer)
    }

    /// Closes the userdata that argument `number` is: Lua lets go of its Swift object, and using it again raises.
    package func close(_ number: Int) {
        if number <= count { clua_object_release(thread, Int32(number)) }
    }
}
