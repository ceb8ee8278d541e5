import CLua
import Glibc

/// What the stand-alone interpreter does around a script (Lua 5.4 manual §7).
extension LuaState {
    /// Sets the global `arg`: the script is element 0, its arguments follow, what came before it has negative indices.
    ///
    /// - Parameter script: the position of the script in `arguments`, as the program got them.
    package func setArguments(_ arguments: [some LuaWritable], script: Int) throws(LuaError) {
        try setGlobal("arg", ArgumentTable(arguments: arguments, script: script))
    }

    /// Runs a script file (`-` for standard input) with the arguments that follow it, as `...`.
    @discardableResult
    package func runScript(_ file: String, arguments: [any LuaWritable]) throws(LuaError) -> [LuaValue] {
        try runScript(Array(file.utf8), arguments: arguments)
    }

    @discardableResult
    package func runScript(_ file: [UInt8], arguments: [any LuaWritable]) throws(LuaError) -> [LuaValue] {
        try call(try load(file: file), arguments: arguments)
    }

    /// The chunk in a script's file: without the mark of UTF-8 that some editors write, and without a first line that
    /// begins with `#`, of which the end stays.
    package static func chunk(ofScript bytes: [UInt8]) -> [UInt8] {
        let text = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
        return Array(text.first == UInt8(ascii: "#") ? text.drop { $0 != UInt8(ascii: "\n") } : text)
    }

    /// Writes what the script has printed, as far as it is still in memory.
    ///
    /// - Returns: why something that it has printed is lost; nil for nothing.
    package static func flushOutput() -> Int32? {
        let problem = clua_flush_output()
        return problem == 0 ? nil : problem
    }

    /// Runs what `LUA_INIT_5_4`, or else `LUA_INIT`, says: a chunk, or after `@` the name of a file. Neither is no error.
    package func runEnvironmentChunk() throws(LuaError) {
        for name in ["LUA_INIT_5_4", "LUA_INIT"] {
            guard let value = getenv(name) else { continue }
            let text = bytes(value)
            let chunk =
                text.first == UInt8(ascii: "@")
                ? try load(file: Array(text.dropFirst())) : try load(text, name: "=" + name)
            _ = try call(chunk)
            return
        }
    }

    private func bytes(_ text: UnsafePointer<CChar>) -> [UInt8] {
        [UInt8](UnsafeRawBufferPointer(start: text, count: strlen(text)))
    }
}

private struct ArgumentTable<Argument: LuaWritable>: LuaWritable {
    let arguments: [Argument]
    let script: Int

    func write(to writer: LuaWriter) {
        writer.writeTable(elementCount: arguments.count) { table in
            for (position, argument) in arguments.enumerated() {
                table.set(key: position - script, argument)
            }
        }
    }
}
