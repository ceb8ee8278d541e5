package import FuzzSupport

/// What the engines under a vault answer.
package enum EnginesFuzzTarget: String, FuzzTarget {
    /// The bytes choose what an object store answers, and what it is asked for.
    case s3

    package func run(_ input: [UInt8]) async throws(BrokenInvariant) {
        switch self {
        case .s3: try await fuzzS3(input)
        }
    }
}
