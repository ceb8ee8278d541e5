import Crypto
import Glibc
import LuaEngine
import VaultModel

extension VaultLibrary {
    static let tools: [Binding] =
        [
            Binding(
                "exec", "exec({program, argument...} [, options]) -> {code, stdout, stderr}",
                "Runs a program to its end, without a shell, in a process group of its own; what it leaves running goes on.",
                options: ["stdin", "timeout", "cwd", "env"], actsOnVault: false
            ) { invocation, call in
                let words = try ChildProcess.words(call, invocation.first)
                try invocation.session.confinement?.check(program: words[0])
                let options = try invocation.options(call, 1)
                var process = ChildProcess(
                    arguments: words, input: try options.bytes("stdin") ?? [],
                    timeout: try options.seconds("timeout").map { .seconds($0) },
                    launcher: invocation.session.confinement?.launcher ?? LocalPrograms())
                process.surroundings.directory = try options.path("cwd")
                process.surroundings.variables = try options.variables("env")
                let ready = process
                try invocation.site.wait(call) { () async throws(VaultError) in
                    try await ready.run()
                } then: { ending, call in
                    call.returns(ending.table)
                }
            },
            Binding(
                "digest", "digest(path [, \"sha256\"]) -> string",
                "The digest that an entry of this content has; with \"sha256\" the SHA-256 of the bytes themselves.",
                actsOnVault: false
            ) { invocation, call in
                let path = try invocation.path(call, invocation.first)
                let kind = try call[invocation.first + 1].ifPresent?.string()
                guard kind == nil || kind == "sha256" else {
                    throw LuaError.argument(invocation.first + 1, "invalid digest '\(printable(kind ?? ""))'")
                }
                try invocation.site.wait(call) { () async throws(VaultError) in
                    let status = try FileStatus(of: path)
                    if status.kind == .directory || status.kind == .other {
                        throw VaultError(.invalid, "'\(path)' is no file, and has no digest.", path: path)
                    }
                    guard kind == nil else { return try plainDigest(path) }
                    return try LocalDigest.content(path, status: status).digest.description
                } then: { digest, call in
                    call.returns(digest)
                }
            },
            Binding(
                "json.encode", "json.encode(value) -> string",
                "The JSON text of a value; tables with elements are arrays, others objects, unless json.array has made "
                    + "them arrays.", actsOnVault: false
            ) { invocation, call in
                guard call.count >= invocation.first else {
                    throw LuaError.argument(invocation.first, "value expected")
                }
                call.returns(try JSON(call[invocation.first]).text)
            },
            Binding(
                "json.decode", "json.decode(text) -> value",
                "The value of a JSON text; null is json.null.", actsOnVault: false
            ) { invocation, call in
                let text = try call.bytes(invocation.first)
                do throws(JSONParser.Failure) {
                    call.returns(try JSONParser.parse(text))
                } catch {
                    throw VaultError(.invalid, "Not JSON: \(error.problem), at byte \(error.position).")
                }
            },
            Binding(
                "json.array", "json.array([table]) -> table",
                "Makes a table an array of JSON also where it is empty, or a new one, and returns it.",
                actsOnVault: false
            ) { invocation, call in
                guard call[invocation.first].ifPresent != nil else { return call.returns(LuaTable.array([])) }
                let table = try call[invocation.first].table().view
                guard !table.hasMetatable || table.typeName == JSON.arrayMetatable else {
                    throw LuaError.argument(invocation.first, "a table without a metatable expected")
                }
                call.returns(argument: invocation.first, metatable: JSON.arrayMetatable)
            },
        ]
        + ["debug", "info", "warn", "error"].map { level in
            Binding(
                "log.\(level)", "log.\(level)(message [, ...])",
                "Writes a line to the log; with arguments the message is a format for string.format.",
                actsOnVault: false
            ) { invocation, call in
                let session = invocation.session
                var message = try call.bytes(invocation.first)
                if call.count > invocation.first {
                    var arguments: [any LuaWritable] = [message]
                    for number in (invocation.first + 1)...call.count { arguments.append(try call.value(number)) }
                    guard let format = session.format else { return }
                    if case .bytes(let text)? = try session.state.call(format, arguments: arguments).first {
                        message = text
                    }
                }
                session.host.log(ScriptSession.LogLevel(rawValue: level) ?? .info, printable(message))
            }
        }

    private static func plainDigest(_ path: LocalPath) throws(VaultError) -> String {
        let file = try LocalReader.open(path)
        let buffer = BufferPool.transfers.take()
        var hash = SHA256()
        while true {
            let count = try file.read(into: buffer.memory)
            if count == 0 { break }
            if Task.isCancelled { throw .cancelled }
            hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: buffer.memory[..<count]))
        }
        guard let digest = Digest(Array(hash.finalize())) else {
            throw VaultError(.internal, "A digest has the wrong length.")
        }
        return digest.description
    }
}

extension ChildProcess {
    /// An argument that is an array of a program and its arguments.
    static func words(_ call: borrowing LuaCall, _ number: Int) throws -> [[UInt8]] {
        var words: [[UInt8]] = []
        try call.table(number).visitElements { words.append(try $0.bytes()) }
        guard !words.isEmpty, !words.contains(where: { $0.contains(0) }) else {
            throw LuaError.argument(number, "a program and its arguments expected")
        }
        return words
    }
}

extension ChildProcess.Ending {
    var table: LuaTable { LuaTable(fields: ["code": Int(code), "stdout": output, "stderr": errors]) }
}
