import Glibc
import LuaEngine

extension ReadHandle {
    private static let numeralBytesMax = 200

    /// The numeral at the position, read as `io` reads one: the longest text that can start a numeral of Lua's
    /// (Lua 5.4 manual §6.8, `file:read "n"`), behind white space.
    ///
    /// - Returns: nil where that text is no numeral, or longer than 200 bytes.
    func number(_ session: ScriptSession) throws -> LuaValue? {
        var text: [UInt8] = []
        var isTooLong = false

        func take(_ isWanted: (UInt8) -> Bool) throws -> Bool {
            guard !isTooLong, let byte = try nextByte(), isWanted(byte) else { return false }
            isTooLong = text.count == ReadHandle.numeralBytesMax
            if isTooLong { return false }
            text.append(byte)
            skipByte()
            return true
        }
        func take(oneOf letters: StaticString) throws -> Bool {
            try take { byte in letters.withUTF8Buffer { $0.contains(byte) } }
        }
        func digits(_ isHexadecimal: Bool) throws -> Int {
            var count = 0
            while try take({ (isHexadecimal ? isxdigit(Int32($0)) : isdigit(Int32($0))) != 0 }) { count += 1 }
            return count
        }

        while let byte = try nextByte(), byte == 0x20 || (0x09...0x0D).contains(byte) { skipByte() }
        _ = try take(oneOf: "-+")
        var (count, isHexadecimal) = (0, false)
        if try take(oneOf: "0") {
            isHexadecimal = try take(oneOf: "xX")
            count = isHexadecimal ? 0 : 1
        }
        count += try digits(isHexadecimal)
        if try take(oneOf: ".") { count += try digits(isHexadecimal) }
        if count > 0, try take(oneOf: isHexadecimal ? "pP" : "eE") {
            _ = try take(oneOf: "-+")
            _ = try digits(false)
        }
        guard !isTooLong, let toNumber = session.toNumber else { return nil }
        let value = try session.state.call(toNumber, text).first ?? .nil
        return value == .nil ? nil : value
    }
}
