import Crypto
import FoundationEssentials
import VaultModel

/// What one server writes for the others that serve the same vaults, and hands to clients to carry it there: who has
/// logged in, and what is being read.
///
/// A token is its kind (1 byte), the second until which it counts (8), what it says, and the HMAC-SHA256 of all that under
/// a key that only these servers know (32). It stands for a proof that was given, not for rights: those are looked up
/// wherever it is shown.
struct SharedTokens: Sendable {
    /// A login.
    struct Ticket: Equatable, Sendable {
        var user: String
        /// The vault's name, and its id.
        var vaultName: String
        var vault: String
        /// The device's key; nil for a login by password.
        var deviceKey: [UInt8]?
        /// Tells what the password was compared with from anything else, so that the login ends when it changes.
        var passwordMark: [UInt8]
    }

    /// An open read: what is read, whatever becomes of its name.
    struct Pass: Equatable, Sendable {
        var user: String
        var vault: String
        var name: Name
        var content: Content
    }

    private enum Kind: UInt8 {
        case ticket = 1
        case pass = 2
    }

    private let key: SymmetricKey

    /// - Parameter key: 32 bytes or more.
    init(key: [UInt8]) {
        self.key = SymmetricKey(data: key)
    }

    func ticket(_ ticket: Ticket, now: Int64) -> [UInt8] {
        var bytes = ByteWriter()
        // No two sessions have the same ticket.
        bytes.write(UniqueID().bytes)
        bytes.writeString(ticket.user.utf8)
        bytes.writeString(ticket.vaultName.utf8)
        bytes.writeString(ticket.vault.utf8)
        bytes.writeString(ticket.deviceKey ?? [])
        bytes.writeString(ticket.passwordMark)
        return seal(.ticket, bytes.bytes, until: now + ServerLimits.ticketSecondsMax)
    }

    /// - Returns: nil for a token that is none, or no longer.
    func ticket(opening token: [UInt8], now: Int64) -> Ticket? {
        guard var reader = open(.ticket, token, now: now), (try? reader.readBytes(16)) != nil,
            let user = reader.text, let vaultName = reader.text, let vault = reader.text,
            let deviceKey = try? reader.readString(), let mark = try? reader.readString()
        else { return nil }
        return Ticket(
            user: user, vaultName: vaultName, vault: vault,
            deviceKey: deviceKey.isEmpty ? nil : Array(deviceKey), passwordMark: Array(mark))
    }

    func pass(_ pass: Pass, now: Int64) -> [UInt8] {
        var bytes = ByteWriter()
        bytes.writeString(pass.user.utf8)
        bytes.writeString(pass.vault.utf8)
        bytes.writeString(pass.name.bytes)
        bytes.writeVarint(UInt64(pass.content.chunker))
        bytes.writeVarint(pass.content.size)
        bytes.write(pass.content.depth)
        bytes.write(pass.content.root)
        return seal(.pass, bytes.bytes, until: now + ServerLimits.passSecondsMax)
    }

    /// - Returns: nil for a token that is none, or no longer.
    func pass(opening token: [UInt8], now: Int64) -> Pass? {
        guard var reader = open(.pass, token, now: now), let user = reader.text, let vault = reader.text,
            let bytes = try? reader.readString(), let name = try? Name(Array(bytes)),
            let chunker = try? reader.readVarint(), let size = try? reader.readVarint(),
            let depth: UInt8 = try? reader.read(), let root = try? reader.readDigest()
        else { return nil }
        let content = Content(chunker: UInt32(truncatingIfNeeded: chunker), size: size, depth: depth, root: root)
        return Pass(user: user, vault: vault, name: name, content: content)
    }

    /// What stands for a secret in a ticket, and tells nobody anything of it.
    func mark(of secret: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array("password".utf8) + secret, using: key))
    }

    private func seal(_ kind: Kind, _ content: [UInt8], until end: Int64) -> [UInt8] {
        var bytes = ByteWriter()
        bytes.write(kind.rawValue)
        bytes.write(end)
        bytes.write(content)
        return bytes.bytes + HMAC<SHA256>.authenticationCode(for: bytes.bytes, using: key)
    }

    private func open(_ kind: Kind, _ token: [UInt8], now: Int64) -> ByteReader? {
        let length = token.count - SHA256.byteCount
        guard length > 0 else { return nil }
        let content = Array(token[..<length])
        guard HMAC<SHA256>.isValidAuthenticationCode(token[length...], authenticating: content, using: key) else {
            return nil
        }
        var reader = ByteReader(content)
        guard (try? reader.read(UInt8.self)) == kind.rawValue, let end: Int64 = try? reader.read(), now < end else {
            return nil
        }
        return reader
    }
}

extension ByteReader {
    fileprivate var text: String? {
        mutating get { (try? readString()).map { String(decoding: $0, as: UTF8.self) } }
    }
}
