import Glibc
import VaultModel

/// Reads a file of the vault piece by piece, as `io` reads files: it keeps one stretch of the content in memory.
///
/// `@unchecked Sendable`: used by the Lua thread, or by the one operation that has the handle's turn.
final class ContentReader: @unchecked Sendable {
    /// What is to be read next (Lua 5.4 manual §6.8, `file:read`).
    enum Format: Sendable {
        case count(Int)
        case line, lineWithEnd, all, number
    }

    /// What has been read.
    enum Piece: Sendable {
        case bytes([UInt8])
        /// The text of a numeral.
        case number([UInt8])
        /// There is nothing more of the format, and what follows it was not read.
        case nothing
    }

    let entry: Entry
    private let read: OpenRead
    private let vault: any Vault
    /// Keeps that open.
    private let source: VaultSource
    private var position: UInt64 = 0
    /// Bytes of the content from `windowStart` on.
    private var window: BufferSlice?
    private var windowStart: UInt64 = 0

    private static let numeralBytesMax = 200

    init(_ read: OpenRead, _ vault: any Vault, _ source: VaultSource) {
        self.read = read
        self.source = source
        self.vault = vault
        entry = read.entry
    }

    deinit {
        let (vault, source, id) = (vault, source, read.id)
        Task(executorPreference: BlockingExecutor.shared) {
            await vault.closeRead(id)
            withExtendedLifetime(source) {}
        }
    }

    // MARK: What is at hand

    /// Gives `body` the bytes from the position on that are in memory.
    private func atHand<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
        guard let window, position >= windowStart, position < windowStart + UInt64(window.count) else { return nil }
        let skipped = Int(position - windowStart)
        return window.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[skipped...])) }
    }

    /// The next piece, where it lies in memory as a whole; nil where it must be waited for.
    func pieceAtHand(_ format: Format) -> Piece? {
        let taken: (bytes: [UInt8], length: Int)? =
            atHand { bytes in
                switch format {
                case .count(let count) where count > 0 && count <= bytes.count:
                    return (Array(bytes[..<count]), count)
                case .line, .lineWithEnd:
                    let length = ContentReader.lineLength(bytes)
                    guard length > 0, bytes[length - 1] == UInt8(ascii: "\n") else { return nil }
                    if case .lineWithEnd = format { return (Array(bytes[..<length]), length) }
                    return (Array(bytes[..<(length - 1)]), length)
                case .count, .all, .number: return nil
                }
            } ?? nil
        guard let taken else { return nil }
        position += UInt64(taken.length)
        return .bytes(taken.bytes)
    }

    // MARK: What is waited for

    /// The next pieces, up to the first of which there is nothing.
    func pieces(_ formats: [Format]) async throws(VaultError) -> [Piece] {
        var pieces: [Piece] = []
        for format in formats {
            let piece = try await piece(format)
            pieces.append(piece)
            if case .nothing = piece { break }
        }
        return pieces
    }

    private func piece(_ format: Format) async throws(VaultError) -> Piece {
        let bytes: [UInt8]?
        switch format {
        case .count(let count): bytes = try await self.bytes(count)
        case .line: bytes = try await line(keepsEnd: false)
        case .lineWithEnd: bytes = try await line(keepsEnd: true)
        case .all: bytes = try await self.bytes(Int(clamping: entry.size - min(position, entry.size))) ?? []
        case .number: return try await number().map { .number($0) } ?? .nothing
        }
        return bytes.map { .bytes($0) } ?? .nothing
    }

    /// Takes the chunk at the position into memory.
    ///
    /// - Returns: whether there is something at the position.
    private func fetch() async throws(VaultError) -> Bool {
        if atHand({ _ in true }) ?? false { return true }
        guard position < entry.size else { return false }
        guard let placed = try await vault.layout(read.id, from: position, count: 1).first, placed.end > position
        else { throw VaultError(.integrity, "The content ends early.", name: entry.name) }
        window = try await vault.fetch([placed], of: read.id)[0].bytes
        windowStart = placed.position
        guard atHand({ _ in true }) ?? false else {
            throw VaultError(.integrity, "The content ends early.", name: entry.name)
        }
        return true
    }

    /// Up to `count` bytes; nil at the end, also where none are asked for.
    private func bytes(_ count: Int) async throws(VaultError) -> [UInt8]? {
        var result: [UInt8] = []
        repeat {
            guard try await fetch() else { return result.isEmpty ? nil : result }
            position += UInt64(
                atHand { part in
                    let taken = min(part.count, count - result.count)
                    result.append(contentsOf: part[..<taken])
                    return taken
                } ?? 0)
        } while result.count < count
        return result
    }

    /// The next line; nil at the end.
    private func line(keepsEnd: Bool) async throws(VaultError) -> [UInt8]? {
        var result: [UInt8] = []
        while try await fetch() {
            position += UInt64(
                atHand { part in
                    let taken = ContentReader.lineLength(part)
                    result.append(contentsOf: part[..<taken])
                    return taken
                } ?? 0)
            if result.last == UInt8(ascii: "\n") {
                if !keepsEnd { result.removeLast() }
                return result
            }
        }
        return result.isEmpty ? nil : result
    }

    /// The length of the first line, or of all of it where no line ends.
    private static func lineLength(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let start = bytes.baseAddress, let end = memchr(start, 0x0A, bytes.count) else { return bytes.count }
        return UnsafeRawPointer(end) - start + 1
    }

    // MARK: Numerals

    /// The text of the numeral at the position, read as `io` reads one: the longest text that can start a numeral of
    /// Lua's, behind white space.
    ///
    /// - Returns: nil where that text is no numeral, or longer than 200 bytes.
    private func number() async throws(VaultError) -> [UInt8]? {
        var text: [UInt8] = []
        while let byte = try await next(), byte == 0x20 || (0x09...0x0D).contains(byte) { position += 1 }
        _ = try await take(&text) { "-+".utf8.contains($0) }
        var (digitCount, isHexadecimal) = (0, false)
        if try await take(&text, { $0 == UInt8(ascii: "0") }) {
            isHexadecimal = try await take(&text) { "xX".utf8.contains($0) }
            digitCount = isHexadecimal ? 0 : 1
        }
        digitCount += try await digits(&text, isHexadecimal)
        if try await take(&text, { $0 == UInt8(ascii: ".") }) { digitCount += try await digits(&text, isHexadecimal) }
        var isWhole = digitCount > 0
        let marks = isHexadecimal ? "pP" : "eE"
        if digitCount > 0, try await take(&text, { marks.utf8.contains($0) }) {
            _ = try await take(&text) { "-+".utf8.contains($0) }
            isWhole = try await digits(&text, false) > 0
        }
        return isWhole && text.count <= ContentReader.numeralBytesMax ? text : nil
    }

    private func next() async throws(VaultError) -> UInt8? {
        try await fetch() ? atHand { $0[0] } : nil
    }

    private func take(_ text: inout [UInt8], _ isWanted: (UInt8) -> Bool) async throws(VaultError) -> Bool {
        guard text.count <= ContentReader.numeralBytesMax, let byte = try await next(), isWanted(byte) else {
            return false
        }
        text.append(byte)
        if text.count <= ContentReader.numeralBytesMax { position += 1 }
        return true
    }

    private func digits(_ text: inout [UInt8], _ isHexadecimal: Bool) async throws(VaultError) -> Int {
        var count = 0
        while try await take(&text, { (isHexadecimal ? isxdigit(Int32($0)) : isdigit(Int32($0))) != 0 }) { count += 1 }
        return count
    }

    // MARK: The position

    /// Moves the position, as `io` does.
    ///
    /// - Returns: the new one; nil for a `whence` that is none.
    func seek(_ whence: String, _ offset: Int) throws(VaultError) -> Int? {
        let base: Int
        switch whence {
        case "set": base = 0
        case "cur": base = Int(clamping: position)
        case "end": base = Int(clamping: entry.size)
        default: return nil
        }
        let (target, overflow) = base.addingReportingOverflow(offset)
        guard !overflow, target >= 0 else {
            throw VaultError(.invalid, "A position before the start of the file.", name: entry.name)
        }
        position = UInt64(target)
        return target
    }
}
