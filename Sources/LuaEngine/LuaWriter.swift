import CLua

/// Records values for C to push. Valid only during the call that it was handed to.
///
/// No method throws: when memory is out the recording is dropped, and "not enough memory" is raised in its place.
package struct LuaWriter {
    let state: LuaState
    let buffer: UnsafeMutablePointer<CLuaBuffer>

    package func write(_ value: some LuaWritable) {
        value.write(to: self)
    }

    package func writeNil() {
        clua_write(buffer, CLUA_OP_NIL, 0)
    }

    /// The light userdata NULL, which stands for what is there and has no value.
    package func writeNull() {
        clua_write(buffer, CLUA_OP_NULL, 0)
    }

    /// A string of any bytes.
    package func write(_ bytes: UnsafeRawBufferPointer) {
        clua_write_bytes(buffer, CLUA_OP_BYTES, 0, bytes.baseAddress, bytes.count)
    }

    /// A table that `body` fills. The counts only spare growing; `metatable` is a name that `defineMetatable` has made.
    package func writeTable(
        elementCount: Int = 0, fieldCount: Int = 0, metatable: String? = nil, _ body: (inout LuaTableWriter) -> Void
    ) {
        clua_write_integer(
            buffer, CLUA_OP_TABLE, UInt32(clamping: min(elementCount, 1 << 20)), Int64(min(fieldCount, 1 << 20)))
        var table = LuaTableWriter(writer: self)
        body(&table)
        if let metatable {
            write(metatable, as: CLUA_OP_METATABLE)
        }
    }

    func write(_ text: String, as op: CLuaOp, operand: UInt32 = 0) {
        var text = text
        text.withUTF8 { clua_write_bytes(buffer, op, operand, $0.baseAddress, $0.count) }
    }

    func writeReference(_ reference: LuaReference) {
        let slot = state.slots.insert(reference)
        if !clua_write_reference(buffer, slot, Int64(reference.index)) {
            _ = state.slots.remove(slot)
        }
    }

    func writeFunction(_ callback: LuaCallback) {
        let slot = state.slots.insert(callback)
        if !clua_write_function(buffer, slot, Unmanaged.passUnretained(callback).toOpaque()) {
            _ = state.slots.remove(slot)
        }
    }

    func writeObject(_ object: AnyObject, type: AnyObject, metatable: LuaReference) {
        let slot = state.slots.insert(object)
        let record = CLuaObjectRecord(
            object: Unmanaged.passUnretained(object).toOpaque(), type: Unmanaged.passUnretained(type).toOpaque(),
            metatable: Int64(metatable.index))
        if !clua_write_object(buffer, slot, record) {
            _ = state.slots.remove(slot)
        }
    }
}

/// Fills one table of a `LuaWriter`, with raw assignments.
package struct LuaTableWriter {
    let writer: LuaWriter
    private var count = 0

    init(writer: LuaWriter) {
        self.writer = writer
    }

    /// Sets a field; a nil value leaves none.
    package func set(_ key: String, _ value: some LuaWritable) {
        writer.write(key, as: CLUA_OP_BYTES)
        value.write(to: writer)
        clua_write(writer.buffer, CLUA_OP_SET, 0)
    }

    /// Sets a field under any key but nil and NaN, which raise when C writes them.
    package func set(key: some LuaWritable, _ value: some LuaWritable) {
        key.write(to: writer)
        value.write(to: writer)
        clua_write(writer.buffer, CLUA_OP_SET, 0)
    }

    /// Sets the next element, from 1 on.
    package mutating func append(_ value: some LuaWritable) {
        count += 1
        value.write(to: writer)
        clua_write_integer(writer.buffer, CLUA_OP_APPEND, 0, Int64(count))
    }

    /// Sets a field to a table that `body` fills.
    package func setTable(_ key: String, metatable: String? = nil, _ body: (inout LuaTableWriter) -> Void) {
        writer.write(key, as: CLUA_OP_BYTES)
        writer.writeTable(metatable: metatable, body)
        clua_write(writer.buffer, CLUA_OP_SET, 0)
    }

    /// Sets the next element to a table that `body` fills.
    package mutating func appendTable(metatable: String? = nil, _ body: (inout LuaTableWriter) -> Void) {
        count += 1
        writer.writeTable(metatable: metatable, body)
        clua_write_integer(writer.buffer, CLUA_OP_APPEND, 0, Int64(count))
    }
}
