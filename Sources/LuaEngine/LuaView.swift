import CLua

/// A value on the stack of a running callback: an argument, or what was read from a table.
///
/// Valid until the callback returns, or the iteration that it came from goes on. Reading never runs Lua code.
package struct LuaView {
    unowned(unsafe) let state: LuaState
    let thread: OpaquePointer
    let index: Int32
    let subject: Subject

    /// What error messages call the value.
    struct Subject {
        /// The number of the argument that it is, or is part of; 0 for none.
        var argument: Int
        /// The path of fields below that argument.
        var path: String
    }

    package var type: LuaType {
        LuaType(clua_type(thread, index))
    }

    /// The view itself, unless the value is nil or was not given: `call[2].ifPresent?.integer() ?? 10`.
    package var ifPresent: LuaView? {
        clua_type(thread, index) > 0 ? self : nil
    }

    /// Whether it is the light userdata NULL.
    package var isNull: Bool { type == .lightUserdata && clua_to_pointer(thread, index) == nil }

    /// Whether a table or a userdata has a metatable.
    package var hasMetatable: Bool { clua_has_metatable(thread, index) }

    /// The fields and elements that lead to it from the value that is read, such as `.report[3].size`.
    package var path: String {
        subject.path.isEmpty || [".", "["].contains(subject.path.first) ? subject.path : "." + subject.path
    }

    /// False for nil and false.
    package var isTruthy: Bool {
        clua_to_boolean(thread, index)
    }

    /// A boolean and nothing else.
    package func boolean() throws(LuaError) -> Bool {
        guard type == .boolean else { throw mismatch("boolean") }
        return clua_to_boolean(thread, index)
    }

    /// An integer, or a float or string that Lua converts to one (Lua 5.4 manual §3.4.3).
    package func integer() throws(LuaError) -> Int {
        var value: Int64 = 0
        guard clua_to_integer(thread, index, &value) else {
            var number = 0.0
            throw clua_to_number(thread, index, &number)
                ? problem("number has no integer representation") : mismatch("number")
        }
        return Int(value)
    }

    /// A number, or a string that Lua converts to one.
    package func number() throws(LuaError) -> Double {
        var value = 0.0
        guard clua_to_number(thread, index, &value) else { throw mismatch("number") }
        return value
    }

    /// A string, or a number's text, that must be valid UTF-8; `bytes()` takes any.
    package func string() throws(LuaError) -> String {
        let text = try withBytes { bytes in String(validating: bytes, as: UTF8.self) }
        guard let text else { throw problem("invalid UTF-8 in string") }
        return text
    }

    /// The bytes of a string, or of a number's text.
    package func bytes() throws(LuaError) -> [UInt8] {
        try withBytes { [UInt8]($0) }
    }

    /// The bytes in place, without a copy; they must not leave `body`.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) throws(LuaError) -> Result {
        var length = 0
        if let bytes = clua_to_bytes(thread, index, &length) {
            return body(UnsafeRawBufferPointer(start: bytes, count: length))
        }
        guard type == .number else { throw mismatch("string") }
        var text = [CChar](repeating: 0, count: Int(CLUA_NUMBER_TEXT_BYTES))
        let count = clua_number_text(thread, index, &text)
        return text.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }

    package func table() throws(LuaError) -> LuaTableView {
        guard type == .table else { throw mismatch("table") }
        return LuaTableView(view: self)
    }

    /// A function, kept for calling it later.
    package func function() throws(LuaError) -> LuaReference {
        guard type == .function else { throw mismatch("function") }
        return try reference()
    }

    /// Keeps any value.
    package func reference() throws(LuaError) -> LuaReference {
        var reference: Int32 = 0
        guard clua_reference(thread, index, &reference) else { throw .outOfMemory }
        return LuaReference(queue: state.releases, index: reference, type: type)
    }

    /// The Swift object of a userdata of this type; a closed one raises "attempt to use a closed ...".
    package func object<Object>(_ type: LuaObjectType<Object>) throws(LuaError) -> Object {
        var pointer: UnsafeMutableRawPointer?
        switch clua_object(thread, index, type.identity, &pointer) {
        case CLUA_OBJECT_OPEN:
            guard let pointer else { throw mismatch(type.name) }
            return Unmanaged<Object>.fromOpaque(pointer).takeUnretainedValue()
        case CLUA_OBJECT_CLOSED: throw .message("attempt to use a closed \(type.name)")
        default: throw mismatch(type.name)
        }
    }

    /// Copies plain data and keeps everything else by reference.
    package func value() throws(LuaError) -> LuaValue {
        switch type {
        case .none, .nil: return .nil
        case .boolean: return .boolean(clua_to_boolean(thread, index))
        case .number:
            guard clua_is_integer(thread, index) else { return .number(try number()) }
            return .integer(try integer())
        case .string: return .bytes(try bytes())
        case .lightUserdata, .table, .function, .userdata, .thread: return .reference(try reference())
        }
    }

    /// The name that error messages give the value's type.
    package var typeName: String {
        guard clua_type(thread, index) >= 0 else { return "no value" }
        var name = [CChar](repeating: 0, count: 80)
        let length = clua_type_name(thread, index, &name, name.count)
        return name.withUnsafeBytes { String(decoding: $0[..<min(length, $0.count - 1)], as: UTF8.self) }
    }

    func mismatch(_ expected: String) -> LuaError {
        if subject.argument > 0 && subject.path.isEmpty { return .type(subject.argument, expected: expected) }
        return problem("\(expected) expected, got \(typeName)")
    }

    func problem(_ text: String) -> LuaError {
        let text = subject.path.isEmpty ? text : "field '\(subject.path)': \(text)"
        return subject.argument > 0 ? .argument(subject.argument, text) : .message(text)
    }
}
