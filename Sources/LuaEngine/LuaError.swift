/// What went wrong in or around Lua code.
///
/// An error that Lua code raised holds its error value, so that throwing it from a callback raises that value again,
/// unchanged. The errors that callbacks make themselves are written as Lua's own libraries word them.
package struct LuaError: Error {
    /// Who is to blame, and for what.
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Storage: String {
            case runtime, syntax, memory, handler, file, argument
        }

        private let storage: Storage

        /// Lua code, or a callback that it called, raised an error.
        package static let runtime = Code(storage: .runtime)
        /// A chunk does not compile, or is of a form that was not asked for.
        package static let syntax = Code(storage: .syntax)
        /// The memory limit was reached, or memory is out.
        package static let memory = Code(storage: .memory)
        /// Handling an error failed in its turn ("error in error handling").
        package static let handler = Code(storage: .handler)
        /// A chunk's file cannot be read.
        package static let file = Code(storage: .file)
        /// A function was called with an argument that it does not take.
        package static let argument = Code(storage: .argument)

        package var description: String { storage.rawValue }
    }

    package let code: Code
    /// The error's text: the string raised, what `__tostring` gave, or "(error object is a table value)".
    package let message: String
    /// "stack traceback:" and its lines, from where the error was raised; nil where there was no Lua code.
    package var traceback: String?
    /// The value that Lua code raised; nil for errors made in Swift, and when memory was too short to keep it.
    package let value: LuaValue?

    let hasOwnText: Bool
    let raising: Raising

    /// How the error becomes a Lua error when a callback throws it.
    enum Raising {
        case value
        case message
        case argument(Int, String)
        case type(Int, expected: String)
        case written(WrittenValue)
    }

    /// `@unchecked`: written only by the callback that throws the error, on its state's thread.
    struct WrittenValue: @unchecked Sendable {
        let value: any LuaWritable
    }

    init(
        code: Code, message: String, traceback: String? = nil, value: LuaValue? = nil, hasOwnText: Bool = false,
        raising: Raising
    ) {
        self.code = code
        self.message = message
        self.traceback = traceback
        self.value = value
        self.hasOwnText = hasOwnText
        self.raising = raising
    }
}

extension LuaError {
    /// Raises `text` with the position of the calling Lua code before it, as `luaL_error` does.
    package static func message(_ text: String) -> LuaError {
        LuaError(code: .runtime, message: text, raising: .message)
    }

    /// Raises "bad argument #n to 'function' (text)"; for methods it counts from after self, and blames a bad self.
    package static func argument(_ number: Int, _ text: String) -> LuaError {
        LuaError(code: .argument, message: "bad argument #\(number) (\(text))", raising: .argument(number, text))
    }

    /// Raises "bad argument #n to 'function' (expected expected, got ...)" with the type of that argument.
    package static func type(_ number: Int, expected: String) -> LuaError {
        LuaError(
            code: .argument, message: "bad argument #\(number) (\(expected) expected)",
            raising: .type(number, expected: expected))
    }

    /// Raises any value, such as a table with a metatable, as it is.
    ///
    /// - Parameter message: what Swift code sees that catches the error before it has become a Lua error.
    package static func raising(_ value: some LuaWritable, message: String = "a Lua error value") -> LuaError {
        LuaError(code: .runtime, message: message, raising: .written(WrittenValue(value: value)))
    }

    static let closed = LuaError(code: .runtime, message: "the Lua state is closed", raising: .message)

    static let outOfMemory = LuaError(
        code: .memory, message: "not enough memory", value: .string("not enough memory"), raising: .value)
}

extension LuaError {
    /// What Lua code gets that catches the error: a new value each time for one that was made in Swift.
    package var raised: any LuaWritable {
        if case .written(let written) = raising { return written.value }
        return value ?? .string(message)
    }
}

extension LuaError: CustomStringConvertible {
    /// The message, then the traceback except for objects that gave their own text: what `lua` prints.
    package var description: String {
        guard let traceback, !hasOwnText else { return message }
        return message + "\n" + traceback
    }
}
