import CLua

/// A metamethod (Lua 5.4 manual §2.4, and §3.3.8, §2.5.3, §6 for the last ones).
package enum LuaMetamethod: String, Sendable {
    case index = "__index"
    case newIndex = "__newindex"
    case call = "__call"
    case length = "__len"
    case equal = "__eq"
    case less = "__lt"
    case lessOrEqual = "__le"
    case concatenate = "__concat"
    case string = "__tostring"
    case pairs = "__pairs"
    /// Runs before Lua lets go of an object that it has collected; the object's own deinit is often enough.
    case collect = "__gc"
    /// Runs when a `<close>` variable ends; argument 2 is the error, or nil. The object is closed after it in any case.
    case close = "__close"
}

/// A class of Swift objects as a Lua type: its name in error messages, its methods and metamethods.
///
/// Lua holds an object strongly from when it is handed over until its userdata is collected or closed, or the state
/// closes. Each handing over makes a new userdata; keep a `LuaReference` where identity matters.
package final class LuaObjectType<Object: AnyObject>: Sendable {
    /// Gets the object, then the call, whose argument 1 is the object's userdata.
    package typealias Method = @Sendable (Object, borrowing LuaCall) throws -> Void

    package let name: String
    let methods: [(name: String, body: Method)]
    let metamethods: [(name: LuaMetamethod, body: Method)]

    /// Every type has `__gc`, `__close` and `__name`, asked for or not. With methods and an `index` function, the
    /// function is asked for what the methods lack.
    package convenience init(
        _ name: String, methods: KeyValuePairs<String, Method> = [:],
        metamethods: KeyValuePairs<LuaMetamethod, Method> = [:]
    ) {
        self.init(name, methodTable: methods.map { ($0.key, $0.value) }, metamethods: metamethods)
    }

    /// The same with methods that are put together at run time.
    package init(
        _ name: String, methodTable: [(name: String, body: Method)],
        metamethods: KeyValuePairs<LuaMetamethod, Method> = [:]
    ) {
        self.name = name
        methods = methodTable
        self.metamethods = metamethods.map { ($0.key, $0.value) }
    }

    /// The object as something to hand to Lua.
    package func userdata(_ object: Object) -> LuaUserdata<Object> {
        LuaUserdata(object: object, type: self)
    }

    /// By which C tells the userdata of this type from others. The state keeps the type alive.
    var identity: UnsafeRawPointer {
        UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque())
    }
}

/// A Swift object on its way to Lua.
package struct LuaUserdata<Object: AnyObject>: LuaWritable {
    let object: Object
    let type: LuaObjectType<Object>

    package func write(to writer: LuaWriter) {
        do throws(LuaError) {
            writer.writeObject(object, type: type, metatable: try writer.state.metatable(of: type))
        } catch {
            writer.buffer.pointee.failed = true
        }
    }
}

extension LuaState {
    /// The metatable of a type in this state, made on first use.
    func metatable<Object>(of type: LuaObjectType<Object>) throws(LuaError) -> LuaReference {
        let key = ObjectIdentifier(type)
        if let known = metatables[key] { return known.reference }
        let reference = try referenceToResult { writer in
            writer.writeTable(fieldCount: type.metamethods.count + 5) { table in
                table.set("__name", type.name)
                for (name, body) in type.metamethods where name != .index && name != .collect && name != .close {
                    table.set(
                        name.rawValue, LuaState.function(type, name: name.rawValue, isString: name == .string, body))
                }
                table.set("__index", Index(type: type))
                // For who looks what there is, as a completion does; an index function tells nobody.
                table.set("__methods", Methods(type: type))
                table.set("__gc", Closer(type: type, name: .collect))
                table.set("__close", Closer(type: type, name: .close))
            }
        }
        metatables[key] = (type, reference)
        return reference
    }

    fileprivate static func function<Object>(
        _ type: LuaObjectType<Object>, name: String, isString: Bool = false,
        _ body: @escaping LuaObjectType<Object>.Method
    ) -> LuaFunction {
        LuaFunction { call in
            if isString, call[1].isClosed(type) { return call.returns("\(type.name) (closed)") }
            try body(try call.object(1, type), call)
        }
    }
}

extension LuaView {
    fileprivate func isClosed<Object>(_ type: LuaObjectType<Object>) -> Bool {
        var pointer: UnsafeMutableRawPointer?
        return clua_object(thread, index, type.identity, &pointer) == CLUA_OBJECT_CLOSED
    }
}

/// `__index`: the methods, an index function, or both.
private struct Index<Object: AnyObject>: LuaWritable {
    let type: LuaObjectType<Object>

    func write(to writer: LuaWriter) {
        let function = type.metamethods.first { $0.name == .index }
        if function == nil || !type.methods.isEmpty {
            writer.writeTable(fieldCount: type.methods.count) { table in
                for (name, body) in type.methods { table.set(name, LuaState.function(type, name: name, body)) }
            }
        }
        guard let function else { return }
        writer.write(LuaState.function(type, name: function.name.rawValue, function.body))
        if !type.methods.isEmpty { clua_write(writer.buffer, CLUA_OP_INDEXER, 0) }
    }
}

/// The methods by themselves.
private struct Methods<Object: AnyObject>: LuaWritable {
    let type: LuaObjectType<Object>

    func write(to writer: LuaWriter) {
        guard type.metamethods.contains(where: { $0.name == .index }) else { return writer.writeNil() }
        writer.writeTable(fieldCount: type.methods.count) { table in
            for (name, body) in type.methods { table.set(name, LuaState.function(type, name: name, body)) }
        }
    }
}

/// `__gc` or `__close`: what the type asks for, then the release.
private struct Closer<Object: AnyObject>: LuaWritable {
    let type: LuaObjectType<Object>
    let name: LuaMetamethod

    func write(to writer: LuaWriter) {
        if let function = type.metamethods.first(where: { $0.name == name }) {
            writer.write(LuaState.function(type, name: name.rawValue, function.body))
        } else {
            writer.writeNil()
        }
        clua_write(writer.buffer, CLUA_OP_CLOSER, 0)
    }
}
