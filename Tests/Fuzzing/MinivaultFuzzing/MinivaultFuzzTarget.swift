package import FuzzSupport

/// What the program makes of what a vault tells.
package enum MinivaultFuzzTarget: String, FuzzTarget {
    /// The bytes are an entry as a server sends it, or choose entries that a vault lists, which are shown and pulled.
    case entry

    package func run(_ input: [UInt8]) async throws(BrokenInvariant) {
        switch self {
        case .entry: try await fuzzEntry(input)
        }
    }
}
