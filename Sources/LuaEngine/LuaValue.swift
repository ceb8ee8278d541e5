/// A Lua value in Swift: plain data by copy, everything else by reference.
package enum LuaValue: Hashable, Sendable {
    case `nil`
    case boolean(Bool)
    case integer(Int)
    case number(Double)
    /// A string: any bytes, of any length, with NULs.
    case bytes([UInt8])
    /// A table, function, userdata or thread.
    case reference(LuaReference)

    /// The value of a string's UTF-8 bytes.
    package static func string(_ text: String) -> LuaValue {
        .bytes(Array(text.utf8))
    }

    /// The text of a string that is valid UTF-8; nil for other values.
    package var string: String? {
        guard case .bytes(let bytes) = self else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    package var integer: Int? {
        guard case .integer(let value) = self else { return nil }
        return value
    }

    package var reference: LuaReference? {
        guard case .reference(let reference) = self else { return nil }
        return reference
    }

    /// False for nil and false, as in a Lua condition (§3.3.4).
    package var isTruthy: Bool {
        self != .nil && self != .boolean(false)
    }
}
