import Foundation
import LuaEngine
import Synchronization
import Testing
import VaultModel
import VaultStore

@testable import VaultLua

/// A directory that goes when its test ends.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("vaultlua-" + UUID().uuidString).path
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }
}

/// What a script wrote to the log.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func append(_ line: String) {
        lines.withLock { $0.append(line) }
    }
}

/// Runs `script` with a vault of its own, and fails the test with the script's error and traceback.
///
/// The script finds a temporary directory in `tmp`, and the functions of `prelude`.
func script(
    _ script: String, in directory: TemporaryDirectory = TemporaryDirectory(), log: LogLines = LogLines(),
    interrupt: LuaInterrupt = LuaInterrupt(), sourceLocation: SourceLocation = #_sourceLocation,
    preparing prepare: @escaping @Sendable (ScriptSession) throws -> Void = { _ in }
) async {
    let failure = await scriptFailure(script, in: directory, log: log, interrupt: interrupt, preparing: prepare)
    if let failure { Issue.record("\(failure)", sourceLocation: sourceLocation) }
}

/// The error that `script` ends with; nil for none.
func scriptFailure(
    _ script: String, in directory: TemporaryDirectory = TemporaryDirectory(), log: LogLines = LogLines(),
    interrupt: LuaInterrupt = LuaInterrupt(),
    preparing prepare: @escaping @Sendable (ScriptSession) throws -> Void = { _ in }
) async -> String? {
    let path = directory.path
    do {
        let closing = try await LuaThread.run { () throws -> ClosingSession in
            var options = LuaOptions()
            options.interrupt = interrupt
            let state = try LuaState(options)
            let closing = ClosingSession(session: session(state, path, log: log))
            do {
                try VaultLibrary.install(closing.session)
                try state.setGlobal("tmp", path)
                try state.run(prelude, name: "=prelude")
                try prepare(closing.session)
                try state.run(script, name: "=test")
                #expect(state.objectCount > 0)
            } catch let error as LuaError {
                closing.failure = error.description
            }
            closing.session.scheduler.finish(isFailed: closing.failure != nil)
            state.close()
            #expect(state.objectCount == 0)
            return closing
        }
        await closing.session.close()
        return closing.failure
    } catch {
        return "\(error)"
    }
}

/// A session on the vault in `path`/vault.
func session(_ state: LuaState, _ path: String, log: LogLines = LogLines()) -> ScriptSession {
    ScriptSession(
        state,
        ScriptSession.Host(
            open: { () async throws(VaultError) in
                try await StoredVault.open(LocalPath(path + "/vault"), access: .create, savedBy: "tester")
            },
            connect: { (url) async throws(VaultError) in
                // "stalling CALLS PATH" is a vault of which these calls wait until they are cancelled.
                let words = String(decoding: url, as: UTF8.self).split(separator: " ", maxSplits: 2).map(String.init)
                guard words.first == "stalling" else {
                    return try await StoredVault.open(LocalPath(url), access: .create, savedBy: "tester")
                }
                if words[1] == "connect" { try await StallingVault.stall() }
                let vault = try await StoredVault.open(LocalPath(words[2]), access: .create, savedBy: "tester")
                return StallingVault(vault, Set(words[1].split(separator: ",").map(String.init)))
            },
            log: { level, text in log.append("\(level): \(text)") }, tell: { text in log.append("failed: \(text)") }))
}

/// `@unchecked Sendable`: handed from the Lua thread, which is done with it, to the test.
final class ClosingSession: @unchecked Sendable {
    let session: ScriptSession
    var failure: String?

    init(session: ScriptSession) {
        self.session = session
    }
}

/// What scripts of tests find besides the vault.
let prelude = #"""
    function equal(got, expected, what)
      if got ~= expected then
        error(("%s: %s expected, got %s"):format(what or "value", tostring(expected), tostring(got)), 2)
      end
    end

    -- The error of a call that must fail.
    function raises(f, ...)
      local ok, err = pcall(f, ...)
      if ok then error("an error expected, got " .. tostring(err), 2) end
      return err
    end

    -- A call that must fail with this text, behind the position of the script.
    function misuse(text, f)
      local err = raises(f)
      if type(err) ~= "string" then error("a string expected, got " .. tostring(err), 2) end
      local message = err:match("^test:%d+: (.*)$")
      if message ~= text then error(("%q expected, got %q"):format(text, err), 2) end
    end

    -- A call that must fail with an error object of this code.
    function fails(code, f)
      local err = raises(f)
      if type(err) ~= "table" then error("an error object expected, got " .. tostring(err), 2) end
      if err.code ~= code then error(("%s expected, got %s: %s"):format(code, err.code, err.message), 2) end
      return err
    end

    function write(name, bytes)
      local file <close> = assert(io.open(tmp .. "/" .. name, "wb"))
      assert(file:write(bytes))
      return tmp .. "/" .. name
    end

    function slurp(name)
      local file <close> = assert(io.open(tmp .. "/" .. name, "rb"))
      return file:read "a"
    end

    function mkdir(name) assert(os.execute("mkdir -p '" .. tmp .. "/" .. name .. "'")) return tmp .. "/" .. name end

    -- Bytes that no chunker finds anything common in.
    function noise(count, seed)
      math.randomseed(seed or 42)
      local parts = {}
      for n = 1, (count + 7) // 8 do parts[n] = string.pack("<i8", math.random(0)) end
      return table.concat(parts):sub(1, count)
    end
    """#
