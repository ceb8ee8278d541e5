import Crypto
import Foundation

/// The same bytes for the same seed, as fast as a cipher makes them: ChaCha20 (RFC 8439) of zeros.
package func randomBytes(_ count: Int, seed: UInt64) -> [UInt8] {
    var random = SplitMix64(seed: seed)
    let key = SymmetricKey(data: (0..<32).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    guard let nonce = try? ChaChaPoly.Nonce(data: [UInt8](repeating: 0, count: 12)),
        let box = try? ChaChaPoly.seal([UInt8](repeating: 0, count: count), using: key, nonce: nonce)
    else { fatalError("no cipher refuses zeros") }
    return Array(box.ciphertext)
}

/// Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
package struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) {
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
