import CLuaModule
import Glibc
import LuaEngine
import VaultAccess
import VaultLua
import VaultModel

/// Makes the module `vault` in a state that a stock `lua5.4` has made.
///
/// - Returns: what went wrong, on the heap; nil when the module is in `package.loaded`.
@_cdecl("minivault_open_module")
func openModule(_ state: OpaquePointer) -> UnsafeMutablePointer<CChar>? {
    do {
        let adopted = try LuaState(adopting: state)
        // The session lives as long as the program: the last finalizers of its state still reach it.
        let session = Unmanaged.passRetained(ScriptSession(adopted, host)).takeUnretainedValue()
        adopted.onClose = { session.abandonTasks() }
        try VaultLibrary.install(session, isGlobal: false)
        return nil
    } catch {
        return strdup("minivault: \(error)")
    }
}

private let host = ScriptSession.Host(
    open: { () async throws(VaultError) in try await VaultLocation.open(nil, for: .change, remote: choices) },
    connect: { (url) async throws(VaultError) in try await VaultLocation.open(url, for: .change, remote: choices) },
    make: { (url) async throws(VaultError) in _ = try await VaultLocation.make(url) },
    noteFill: { FillHistory.note($0, $1, $2, tell: tell) },
    log: { level, text in tell("\(level.rawValue): \(text)") },
    tell: tell)

private let choices = RemoteLocation.Choices(tell: tell)

@Sendable private func tell(_ text: String) {
    var line = "minivault: \(text)\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
