import Glibc
import LuaEngine
import VaultModel

/// A file of the vault that is open for reading: it keeps one stretch of the content in memory.
final class ReadHandle {
    private let read: OpenRead
    private let vault: any Vault
    private unowned let session: ScriptSession
    private var position: UInt64 = 0
    /// Bytes of the content from `windowStart` on.
    private var window: BufferSlice?
    private var windowStart: UInt64 = 0
    private var isClosed = false

    init(_ read: OpenRead, _ vault: any Vault, _ session: ScriptSession) {
        self.read = read
        self.vault = vault
        self.session = session
    }

    deinit {
        let (vault, id) = (vault, read.id)
        Task(executorPreference: BlockingExecutor.shared) { await vault.closeRead(id) }
    }

    private var size: UInt64 { read.entry.size }

    /// Gives `body` the content from the position on that is in memory, one byte at least; nil at the end.
    private func peek<Result>(_ body: (UnsafeRawBufferPointer) -> Result) throws -> Result? {
        guard !isClosed else { throw LuaError.message("file is already closed") }
        guard position < size else { return nil }
        if window.map({ position < windowStart || position >= windowStart + UInt64($0.count) }) ?? true { try fetch() }
        let skipped = Int(position - windowStart)
        return window?.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[skipped...])) }
    }

    /// Takes the chunk at the position into memory.
    private func fetch() throws {
        let (id, vault, position) = (read.id, vault, position)
        let chunk = try session.wait { () async throws(VaultError) -> (UInt64, BufferSlice)? in
            guard let placed = try await vault.layout(id, from: position, count: 1).first, placed.end > position
            else { return nil }
            return (placed.position, try await vault.fetch([placed], of: id)[0].bytes)
        }
        guard let chunk else { throw VaultError(.integrity, "The content ends early.", name: read.entry.name) }
        (windowStart, window) = chunk
    }

    /// The byte at the position; nil at the end.
    func nextByte() throws -> UInt8? {
        try peek { $0[0] }
    }

    func skipByte() {
        position += 1
    }

    /// Up to `count` bytes; nil at the end, also where none are asked for.
    private func bytes(_ count: Int) throws -> [UInt8]? {
        var result: [UInt8] = []
        repeat {
            let taken = try peek { part in
                let taken = min(part.count, count - result.count)
                result.append(contentsOf: part[..<taken])
                return taken
            }
            guard let taken else { return result.isEmpty ? nil : result }
            position += UInt64(taken)
        } while result.count < count
        return result
    }

    /// The next line; nil at the end.
    private func line(keepsEnd: Bool) throws -> [UInt8]? {
        var result: [UInt8] = []
        while true {
            let taken = try peek { part in
                let taken = ReadHandle.lineLength(part)
                result.append(contentsOf: part[..<taken])
                return taken
            }
            guard let taken else { return result.isEmpty ? nil : result }
            position += UInt64(taken)
            if result.last == UInt8(ascii: "\n") {
                if !keepsEnd { result.removeLast() }
                return result
            }
        }
    }

    /// The length of the first line, or of all of it where no line ends.
    private static func lineLength(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let start = bytes.baseAddress, let end = memchr(start, 0x0A, bytes.count) else { return bytes.count }
        return UnsafeRawPointer(end) - start + 1
    }

    /// What one format of `read` or `lines` means (Lua 5.4 manual §6.8, `file:read`); nil where there is nothing
    /// more of it.
    private func value(_ format: Format) throws -> LuaValue? {
        switch format {
        case .count(let count): return try bytes(count).map { .bytes($0) }
        case .line: return try line(keepsEnd: false).map { .bytes($0) }
        case .lineWithEnd: return try line(keepsEnd: true).map { .bytes($0) }
        case .all: return .bytes(try bytes(Int(clamping: size - min(position, size))) ?? [])
        case .number: return try number(session)
        }
    }

    /// A format of `read` and `lines`.
    private enum Format {
        case count(Int)
        case line, lineWithEnd, all, number

        /// Like `io`, takes the first letter for the whole, so that "*all" and "line" work too.
        init(_ call: borrowing LuaCall, _ argument: Int) throws {
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
        static func all(_ call: borrowing LuaCall) throws -> [Format] {
            guard call.count > 1 else { return [.line] }
            var formats: [Format] = []
            for argument in 2...call.count { formats.append(try Format(call, argument)) }
            return formats
        }
    }

    private func seek(_ whence: String, _ offset: Int) throws -> Int {
        let base: Int
        switch whence {
        case "set": base = 0
        case "cur": base = Int(clamping: position)
        case "end": base = Int(clamping: size)
        default: throw LuaError.argument(2, "invalid option '\(printable(whence))'")
        }
        let (target, overflow) = base.addingReportingOverflow(offset)
        guard !overflow, target >= 0 else {
            throw VaultError(.invalid, "A position before the start of the file.", name: read.entry.name)
        }
        position = UInt64(target)
        return target
    }

    static let type = LuaObjectType<ReadHandle>(
        "vault file",
        methods: [
            "read": { handle, call in
                try converting("read", handle.session) {
                    for format in try Format.all(call) {
                        guard let value = try handle.value(format) else { return call.returnsNil() }
                        call.returns(value)
                    }
                }
            },
            "lines": { handle, call in
                let formats = try Format.all(call)
                // The userdata, not the object, is what the iterator must keep alive.
                let file = try call[1].reference()
                call.returns(
                    LuaFunction { call in
                        _ = file
                        try converting("lines", handle.session) {
                            for format in formats {
                                guard let value = try handle.value(format) else { return call.returnsNil() }
                                call.returns(value)
                            }
                        }
                    })
            },
            "seek": { handle, call in
                try converting("seek", handle.session) {
                    let whence = try call[2].ifPresent?.string() ?? "cur"
                    call.returns(try handle.seek(whence, try call[3].ifPresent?.integer() ?? 0))
                }
            },
            "write": { handle, _ in
                throw ErrorValue.luaError(
                    VaultError(.invalid, "The file is open for reading.", name: handle.read.entry.name),
                    operation: "write", handle.session)
            },
            "close": { handle, call in
                handle.isClosed = true
                call.returns(true)
                call.close(1)
            },
        ],
        // An iterator that lines() has made may outlive its file.
        metamethods: [.close: { handle, _ in handle.isClosed = true }])
}
