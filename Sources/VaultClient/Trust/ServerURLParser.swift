import VaultModel

/// Takes a URL apart, from its start to its end. The text may come from anywhere.
struct ServerURLParser {
    private static let bytesMax = 1024
    private static let form = "a server's URL is minivault://[user@]host[:port][/vault]"

    /// The part before the first `/`, without the user once that is read.
    private var authority: Substring
    private let path: Substring

    init(_ text: String) throws(VaultError) {
        guard text.utf8.count <= ServerURLParser.bytesMax else {
            throw VaultError(.invalid, "The URL has more than \(ServerURLParser.bytesMax) bytes.")
        }
        // By bytes: a mark that combines with a sign would hide it.
        let mark = "://"
        guard let start = text.utf8.firstRange(of: mark.utf8) else {
            throw ServerURLParser.invalid("The URL has no '://': \(ServerURLParser.form).")
        }
        let scheme = text[..<start.lowerBound]
        guard scheme.lowercased() == ServerURL.scheme else {
            throw ServerURLParser.invalid(
                "'\(printable(String(scheme)))' is not how a vault's URL starts: \(ServerURLParser.form).")
        }
        let rest = text[start.upperBound...]
        let end = rest.utf8.firstIndex { [.slash, .query, .fragment].contains($0) } ?? rest.endIndex
        (authority, path) = (rest[..<end], rest[end...])
    }

    /// The user, if the URL names one.
    mutating func user() throws(VaultError) -> String? {
        // The last one, as in every URL: what is before it may be a password.
        guard let at = authority.utf8.lastIndex(of: .at) else { return nil }
        let user = authority[..<at]
        authority = authority[authority.utf8.index(after: at)...]
        if user.utf8.contains(.colon) {
            throw ServerURLParser.invalid(
                "The URL holds a password, which other users of this machine and the shell's history could see: "
                    + "write user@host, and give the password at the prompt, by --password-file or in "
                    + "MINIVAULT_PASSWORD.")
        }
        return try ServerURLParser.name(user, "user")
    }

    /// The host and the port.
    func place() throws(VaultError) -> (host: String, port: Int) {
        guard authority.utf8.first == .leftBracket else {
            let colon = authority.utf8.firstIndex(of: .colon) ?? authority.endIndex
            let rest = authority[colon...]
            guard rest.utf8.count(where: { $0 == .colon }) <= 1 else {
                throw ServerURLParser.invalid(
                    "An IPv6 address in a URL has brackets around it, as in minivault://[::1].")
            }
            return (try ServerURLParser.host(authority[..<colon]), try ServerURLParser.port(rest))
        }
        guard let bracket = authority.utf8.firstIndex(of: .rightBracket) else {
            throw ServerURLParser.invalid("The bracket around the URL's address is not closed.")
        }
        let text = authority[..<bracket].dropFirst()
        let percent = text.utf8.firstIndex(of: .percent) ?? text.endIndex
        guard case .v6(let bytes) = IPAddress(String(text[..<percent])) else {
            throw ServerURLParser.invalid("'\(printable(String(text)))' in brackets is not an IPv6 address.")
        }
        return (
            IPAddress.v6(bytes).text + (try ServerURLParser.zone(text[percent...])),
            try ServerURLParser.port(authority[authority.utf8.index(after: bracket)...])
        )
    }

    /// The zone of an address, with its `%`: the name or the number of a network interface.
    private static func zone(_ text: Substring) throws(VaultError) -> String {
        if text.isEmpty { return "" }
        let escape = "%25"
        let name = text.dropFirst(text.utf8.starts(with: escape.utf8) && text.utf8.count > escape.utf8.count ? 3 : 1)
        let isName = name.utf8.allSatisfy {
            $0.isDigit || ($0 | 0x20).isLowerLetter || $0 == .hyphen || $0 == .underscore || $0 == .dot
        }
        guard isName, (1...15).contains(name.utf8.count) else {
            throw invalid("'\(printable(String(text)))' in the URL is not the zone of an address, such as '%eth0'.")
        }
        return "%\(name)"
    }

    /// The vault, if the URL names one.
    func vault() throws(VaultError) -> String? {
        if path.isEmpty || path == "/" { return nil }
        guard path.utf8.first == .slash else {
            throw ServerURLParser.invalid("A vault's URL has nothing behind '?' or '#': \(ServerURLParser.form).")
        }
        var name = path.dropFirst()
        if name.utf8.last == .slash { name.removeLast() }
        if name.utf8.contains(.slash) {
            throw ServerURLParser.invalid(
                "A vault's URL ends with the vault: names within it are given apart from the URL.")
        }
        return try ServerURLParser.name(name, "vault")
    }

    // MARK: Parts

    /// A user or a vault: both are named by the same rule.
    private static func name(_ text: Substring, _ part: String) throws(VaultError) -> String {
        do throws(VaultError) {
            return try UserName(String(text)).text
        } catch {
            throw invalid("The URL's \(part) is wrong. \(error.message)")
        }
    }

    /// A name by RFC 1123, section 2.1, or an IPv4 address. Underscores, which some networks have, are let pass.
    private static func host(_ text: Substring) throws(VaultError) -> String {
        // The dot at the end says that the name is absolute (RFC 1034, section 3.1), and is no part of it.
        let host = (text.utf8.last == .dot && text.utf8.count > 1 ? text.dropLast() : text).lowercased()
        guard !host.isEmpty else { throw invalid("The URL names no host: \(form).") }
        guard text.utf8.allSatisfy({ $0 < 0x80 }) else {
            throw invalid(
                "The URL's host '\(printable(host))' is not ASCII: write an international name as DNS has it, "
                    + "starting with 'xn--'.")
        }
        let labels = host.utf8.split(separator: .dot, omittingEmptySubsequences: false)
        let isName = labels.allSatisfy { label in
            (1...63).contains(label.count) && label.first != .hyphen && label.last != .hyphen
                && label.allSatisfy { $0.isLowerLetter || $0.isDigit || $0 == .hyphen || $0 == .underscore }
        }
        guard isName, host.utf8.count <= 253 else {
            throw invalid("The URL's host '\(printable(host))' is not the name or the address of a machine.")
        }
        // The system would read "1.2" and "0x7f.1" as addresses that nobody meant.
        if let last = labels.last, last.first?.isDigit ?? false, last.allSatisfy({ $0.isDigit || $0.isLowerLetter }),
            last.allSatisfy(\.isDigit) || last.starts(with: "0x".utf8), IPAddress(host) == nil
        {
            throw invalid("The URL's host '\(printable(host))' is not an IPv4 address of four numbers up to 255.")
        }
        return host
    }

    /// - Parameter text: the port behind its colon; empty for MiniVault's own.
    private static func port(_ text: Substring) throws(VaultError) -> Int {
        if text.isEmpty { return ServerURL.portByDefault }
        let digits = text.dropFirst()
        guard text.utf8.first == .colon, (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy(\.isDigit),
            let port = Int(digits), (1...65535).contains(port)
        else {
            throw invalid("'\(printable(String(text)))' in the URL is not ':' and a port from 1 to 65535.")
        }
        return port
    }

    private static func invalid(_ message: String) -> VaultError { VaultError(.invalid, message) }
}

extension UInt8 {
    fileprivate static let slash = UInt8(ascii: "/")
    fileprivate static let query = UInt8(ascii: "?")
    fileprivate static let fragment = UInt8(ascii: "#")
    fileprivate static let at = UInt8(ascii: "@")
    fileprivate static let colon = UInt8(ascii: ":")
    fileprivate static let percent = UInt8(ascii: "%")
    fileprivate static let dot = UInt8(ascii: ".")
    fileprivate static let hyphen = UInt8(ascii: "-")
    fileprivate static let underscore = UInt8(ascii: "_")
    fileprivate static let leftBracket = UInt8(ascii: "[")
    fileprivate static let rightBracket = UInt8(ascii: "]")

    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
    fileprivate var isLowerLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) }
}
