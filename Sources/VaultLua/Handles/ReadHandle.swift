import LuaEngine
import VaultModel

/// A file of the vault that is open for reading.
final class ReadHandle {
    private let reader: ContentReader
    private let turn = Turn()
    private unowned let session: ScriptSession
    private var isClosed = false

    init(_ reader: ContentReader, _ session: ScriptSession) {
        self.reader = reader
        self.session = session
        session.openReads += 1
    }

    deinit {
        session.openReads -= 1
    }

    /// Has Lua collect what scripts have dropped, where many files are open: to Lua they are small, but a server lets a
    /// session have only so many.
    static func collectDropped(_ session: ScriptSession) {
        guard session.openReads >= session.openReadsToCollect else { return }
        session.state.collectGarbage()
        session.openReadsToCollect = session.openReads + openReadsStep
    }

    private static let openReadsStep = 200

    /// Returns the next pieces, which wait only where they do not lie in memory.
    private func read(_ name: String, _ formats: [ContentReader.Format], _ call: borrowing LuaCall) throws {
        guard !isClosed else { throw LuaError.message("file is already closed") }
        let site = CallSite(session, name)
        try site.perform { try turn.check() }
        if formats.count == 1, let piece = reader.pieceAtHand(formats[0]) { return try returns(piece, call) }
        let reader = reader
        try site.wait(call, turn: turn) { () async throws(VaultError) in
            try await reader.pieces(formats)
        } then: { [self] pieces, call in
            for piece in pieces { try returns(piece, call) }
        }
    }

    private func returns(_ piece: ContentReader.Piece, _ call: borrowing LuaCall) throws {
        switch piece {
        case .bytes(let bytes): call.returns(bytes)
        case .number(let text):
            guard let toNumber = session.toNumber else { return call.returnsNil() }
            call.returns(try session.state.call(toNumber, text).first)
        case .nothing: call.returnsNil()
        }
    }

    static let type = LuaObjectType<ReadHandle>(
        "vault file",
        methods: [
            "read": { handle, call in try handle.read("read", try ContentReader.Format.all(call), call) },
            "lines": { handle, call in
                let formats = try ContentReader.Format.all(call)
                // The userdata, not the object, is what the iterator must keep alive.
                let file = try call[1].reference()
                call.returns(
                    LuaFunction { call in
                        _ = file
                        try handle.read("lines", formats, call)
                    })
            },
            "seek": { handle, call in
                let whence = try call[2].ifPresent?.string() ?? "cur"
                let offset = try call[3].ifPresent?.integer() ?? 0
                try CallSite(handle.session, "seek").perform {
                    try handle.turn.check()
                    guard let position = try handle.reader.seek(whence, offset) else {
                        throw LuaError.argument(2, "invalid option '\(printable(whence))'")
                    }
                    call.returns(position)
                }
            },
            "write": { handle, _ in
                throw CallSite(handle.session, "write")
                    .luaError(VaultError(.invalid, "The file is open for reading.", name: handle.reader.entry.name))
            },
            "close": { handle, call in
                try CallSite(handle.session, "close").perform { try handle.turn.check() }
                handle.isClosed = true
                call.returns(true)
                call.close(1)
            },
        ],
        // An iterator that lines() has made may outlive its file.
        metamethods: [.close: { handle, _ in handle.isClosed = true }])
}

extension ContentReader.Format {
    /// Like `io`, takes the first letter for the whole, so that "*all" and "line" work too.
    private init(_ call: borrowing LuaCall, _ argument: Int) throws {
        if call[argument].type == .number {
            let count = try call.integer(argument)
            guard count >= 0 else { throw LuaError.argument(argument, "invalid format") }
            self = .count(count)
            return
        }
        let text = try call.bytes(argument)
        switch (text.first == UInt8(ascii: "*") ? text.dropFirst() : text[...]).first {
        case UInt8(ascii: "l"): self = .line
        case UInt8(ascii: "L"): self = .lineWithEnd
        case UInt8(ascii: "a"): self = .all
        case UInt8(ascii: "n"): self = .number
        default: throw LuaError.argument(argument, "invalid format")
        }
    }

    /// The formats from the second argument on.
    fileprivate static func all(_ call: borrowing LuaCall) throws -> [ContentReader.Format] {
        guard call.count > 1 else { return [.line] }
        var formats: [ContentReader.Format] = []
        for argument in 2...call.count { formats.append(try ContentReader.Format(call, argument)) }
        return formats
    }
}
