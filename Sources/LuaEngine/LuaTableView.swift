import CLua

/// A table on the stack of a running callback, read without metamethods.
///
/// Valid as long as the view that it came from. What `field` and `element` return stays on the stack until the callback
/// returns or the enclosing iteration goes on, so walk large tables with `visitPairs` and `visitElements`.
package struct LuaTableView {
    package let view: LuaView

    private var thread: OpaquePointer { view.thread }

    /// The border that `#` gives (Lua 5.4 manual §3.4.7), without `__len`.
    package var count: Int {
        Int(clua_raw_length(thread, view.index))
    }

    /// The value under a string key; a missing one is nil.
    package func field(_ key: String) throws(LuaError) -> LuaView {
        var key = key
        let isRead = key.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { clua_raw_get_field(thread, view.index, $0.baseAddress, $0.count) }
        }
        guard isRead else { throw .outOfMemory }
        return top(path: view.subject.path.isEmpty ? key : "\(view.subject.path).\(key)")
    }

    /// The value at a position, from 1 on; a missing one is nil.
    package func element(_ position: Int) throws(LuaError) -> LuaView {
        guard clua_check_stack(thread, 1) else { throw .outOfMemory }
        clua_raw_get_index(thread, view.index, Int64(position))
        return top(path: "\(view.subject.path)[\(position)]")
    }

    /// Visits every pair, in no order. A key that `body` removes through Lua code may end the walk with an error.
    package func visitPairs(_ body: (_ key: LuaView, _ value: LuaView) throws -> Void) throws {
        guard clua_check_stack(thread, 4) else { throw LuaError.outOfMemory }
        let bottom = clua_top(thread)
        defer { clua_set_top(thread, bottom) }
        clua_push_nil(thread)
        let path = view.subject.path + "[]"
        while true {
            switch clua_next(thread, view.index) {
            case 0: return
            case 1: break
            default: throw LuaError.message("the table changed while it was read")
            }
            let key = LuaView(state: view.state, thread: thread, index: bottom + 1, subject: subject(path: path))
            var valuePath = path
            if key.type == .string {
                valuePath =
                    view.subject.path + "." + (try key.withBytes { String(decoding: $0.prefix(40), as: UTF8.self) })
            }
            let value = LuaView(
                state: view.state, thread: thread, index: bottom + 2, subject: subject(path: valuePath))
            try body(key, value)
            clua_set_top(thread, bottom + 1)
        }
    }

    /// Visits the elements 1, 2, ... up to `count`, or to another one.
    package func visitElements(upTo last: Int? = nil, _ body: (LuaView) throws -> Void) throws {
        let bottom = clua_top(thread)
        defer { clua_set_top(thread, bottom) }
        let last = last ?? count
        for position in 1...max(1, last) where position <= last {
            let element = try element(position)
            try body(element)
            clua_set_top(thread, bottom)
        }
    }

    /// The elements of an array of strings, which may have any bytes.
    package func byteStrings() throws -> [[UInt8]] {
        var result: [[UInt8]] = []
        try visitElements { result.append(try $0.bytes()) }
        return result
    }

    /// Throws for the first key that is not among `names`: a misspelt option must not be overlooked.
    package func allowOnly(_ names: Set<String>) throws {
        try visitPairs { key, _ in
            guard key.type == .string else { throw view.problem("option names are strings, got a \(key.typeName)") }
            let name = try key.withBytes { String(decoding: $0, as: UTF8.self) }
            guard names.contains(name) else { throw view.problem("unknown option '\(name)'") }
        }
    }

    private func subject(path: String) -> LuaView.Subject {
        LuaView.Subject(argument: view.subject.argument, path: path)
    }

    private func top(path: String) -> LuaView {
        LuaView(state: view.state, thread: thread, index: clua_top(thread), subject: subject(path: path))
    }
}
