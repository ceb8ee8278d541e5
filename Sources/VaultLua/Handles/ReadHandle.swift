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

    /// The content from the position on that is in memory; empty at the end.
    private func available() throws -> [UInt8] {
        guard position < size else { return [] }
        if window.map({ position < windowStart || position >= windowStart + UInt64($0.count) }) ?? true {
            let (id, vault, position) = (read.id, vault, position)
            let chunk = try session.wait { () async throws(VaultError) -> (UInt64, BufferSlice)? in
                guard let placed = try await vault.layout(id, from: position, count: 1).first else { return nil }
                return (placed.position, try await vault.fetch([placed], of: id)[0].bytes)
            }
            guard let chunk else { throw VaultError(.integrity, "The content ends early.", name: read.entry.name) }
            (windowStart, window) = chunk
        }
        let skipped = Int(position - windowStart)
        return window?.withUnsafeBytes { Array($0[skipped...]) } ?? []
    }

    /// Up to `count` bytes; nil at the end, but for no bytes asked there.
    private func bytes(_ count: Int) throws -> [UInt8]? {
        var result: [UInt8] = []
        while result.count < count {
            let part = try available().prefix(count - result.count)
            if part.isEmpty { break }
            result += part
            position += UInt64(part.count)
        }
        return result.isEmpty && (count > 0 || position >= size) ? nil : result
    }

    /// The next line; nil at the end.
    private func line(keepsEnd: Bool) throws -> [UInt8]? {
        var result: [UInt8] = []
        var isFound = false
        while !isFound {
            let part = try available()
            if part.isEmpty { break }
            let end = part.firstIndex(of: UInt8(ascii: "\n"))
            isFound = end != nil
            let taken = end.map { $0 + 1 } ?? part.count
            result += part[..<taken]
            position += UInt64(taken)
        }
        if isFound, !keepsEnd { result.removeLast() }
        return result.isEmpty && !isFound ? nil : result
    }

    /// What one format of `read` or `lines` means (Lua 5.4 manual §6.8, `file:read`), but for `n`.
    private func value(_ format: LuaValue, _ number: Int) throws -> [UInt8]? {
        switch format {
        case .integer(let count) where count >= 0: return try bytes(count)
        case .bytes(let text):
            switch String(decoding: text.first == UInt8(ascii: "*") ? text.dropFirst() : text[...], as: UTF8.self) {
            case "l": return try line(keepsEnd: false)
            case "L": return try line(keepsEnd: true)
            case "a": return try bytes(Int(clamping: size - min(position, size))) ?? []
            default: throw LuaError.argument(number, "invalid format")
            }
        default: throw LuaError.argument(number, "invalid format")
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

    private static func formats(_ call: borrowing LuaCall, from first: Int) throws -> [LuaValue] {
        var formats: [LuaValue] = []
        for number in stride(from: first, through: call.count, by: 1) { formats.append(try call.value(number)) }
        return formats.isEmpty ? [.string("l")] : formats
    }

    static let type = LuaObjectType<ReadHandle>(
        "vault file",
        methods: [
            "read": { handle, call in
                try converting("read", handle.session) {
                    for (index, format) in try formats(call, from: 2).enumerated() {
                        guard let bytes = try handle.value(format, index + 2) else { return call.returnsNil() }
                        call.returns(bytes)
                    }
                }
            },
            "lines": { handle, call in
                let formats = try formats(call, from: 2)
                // The userdata, not the object, is what the iterator must keep alive.
                let file = try call[1].reference()
                call.returns(
                    LuaFunction { call in
                        _ = file
                        try converting("lines", handle.session) {
                            for format in formats {
                                guard let bytes = try handle.value(format, 1) else { return call.returnsNil() }
                                call.returns(bytes)
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
                call.returns(true)
                call.close(1)
            },
        ])
}
