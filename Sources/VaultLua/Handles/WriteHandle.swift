import LuaEngine
import VaultModel

/// A new version of a file that a script writes piece by piece. Small content is saved at once when it is
/// closed; larger content is uploaded while it is written.
final class WriteHandle {
    private let writer: ContentWriter
    private let turn = Turn()
    private unowned let session: ScriptSession

    init(_ intent: SaveIntent, _ vault: VaultSource, _ session: ScriptSession) {
        writer = ContentWriter(intent, vault)
        self.session = session
        session.openWrites += 1
    }

    deinit {
        session.openWrites -= 1
    }

    /// Takes the arguments from the second on, and waits only where a segment is full.
    private func write(_ call: borrowing LuaCall) throws {
        let site = CallSite(session, "write")
        try site.perform { try turn.check() }
        let writer = writer
        guard !writer.isBroken else {
            throw site.luaError(VaultError(.invalid, "An earlier write has failed.", name: writer.intent.name))
        }
        var rest: [[UInt8]] = []
        // Nothing is taken of a call with an argument that cannot be.
        for number in stride(from: 2, through: call.count, by: 1) { try call[number].withBytes { _ in } }
        for number in stride(from: 2, through: call.count, by: 1) {
            let isWritten = try call[number].withBytes { rest.isEmpty && writer.writeAtHand($0) }
            if !isWritten { rest.append(try call.bytes(number)) }
        }
        if rest.isEmpty { return call.returns(argument: 1) }
        let strings = rest
        writer.isBroken = true
        try site.wait(call, turn: turn) { () async throws(VaultError) in
            for string in strings { try await writer.write(string) }
        } then: { _, call in
            writer.isBroken = false
            call.returns(argument: 1)
        }
    }

    private func misuse(_ operation: String) -> LuaError {
        CallSite(session, operation)
            .luaError(VaultError(.invalid, "The file is open for writing.", name: writer.intent.name))
    }

    static let type = LuaObjectType<WriteHandle>(
        "vault file",
        methods: [
            "write": { handle, call in try handle.write(call) },
            "close": { handle, call in
                let site = CallSite(handle.session, "close")
                try site.perform { try handle.turn.check() }
                let writer = handle.writer
                // Whatever becomes of the commit, the handle is done with.
                call.close(1)
                try site.wait(call, turn: handle.turn) { () async throws(VaultError) in
                    try await writer.commit()
                } then: { outcome, call in
                    call.returns(EntryValue.table(outcome))
                }
            },
            "read": { handle, _ in throw handle.misuse("read") },
            "lines": { handle, _ in throw handle.misuse("lines") },
            "seek": { handle, _ in throw handle.misuse("seek") },
        ])
}
