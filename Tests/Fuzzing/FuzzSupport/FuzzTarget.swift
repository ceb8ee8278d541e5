/// What a fuzzer can be set upon: each takes any bytes, and finds that everything held, or throws or traps.
///
/// The raw value is the target's name, and that of the directory in which its inputs are kept.
package protocol FuzzTarget: RawRepresentable<String>, CaseIterable, Sendable {
    func run(_ input: [UInt8]) async throws(BrokenInvariant)
}

/// Something that must hold whatever anybody made of the input, and did not.
package struct BrokenInvariant: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Makes sure that something holds.
package func require(_ holds: Bool, _ what: @autoclosure () -> String) throws(BrokenInvariant) {
    if !holds { throw BrokenInvariant(what()) }
}
