import Crypto
import CryptoExtras
import Foundation

/// The keys that SCRAM-SHA-256 derives from a password (RFC 5802, section 3; RFC 7677).
struct ScramKeys {
    let clientKey: [UInt8]
    let storedKey: [UInt8]
    let serverKey: [UInt8]

    init(password: PasswordText, salt: [UInt8], iterations: Int) {
        precondition(WireLimits.scramIterations.contains(iterations), "no client accepts \(iterations) iterations")
        precondition(WireLimits.scramSaltBytes.contains(salt.count), "no client accepts this salt")
        guard
            let salted = try? KDF.Insecure.PBKDF2.deriveKey(
                from: password.bytes, salt: salt, using: .sha256, outputByteCount: SHA256.byteCount,
                unsafeUncheckedRounds: iterations)
        else { fatalError("PBKDF2 fails only where no memory is left") }
        clientKey = Scram.hmac(Array("Client Key".utf8), key: salted)
        storedKey = Array(SHA256.hash(data: clientKey))
        serverKey = Scram.hmac(Array("Server Key".utf8), key: salted)
    }
}

/// The computations that both sides of SCRAM-SHA-256 share.
enum Scram {
    /// The AuthMessage: all that was said, but for the proofs.
    static func conversation(bare: [UInt8], challenge: [UInt8], answer: [UInt8]) -> [UInt8] {
        bare + [comma] + challenge + [comma] + answer
    }

    static func hmac(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
        hmac(message, key: SymmetricKey(data: key))
    }

    static func hmac(_ message: [UInt8], key: SymmetricKey) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: message, using: key))
    }

    static func exclusiveOr(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        zip(left, right).map { $0 ^ $1 }
    }

    /// Whether both are equal, in a time that depends on their lengths alone.
    static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(into: UInt8(0)) { $0 |= $1.0 ^ $1.1 } == 0
    }
}

let comma = UInt8(ascii: ",")
