/// The path that a symbolic link points to, which is its content.
package enum LinkTarget {
    /// The longest that Linux can make: one byte of `PATH_MAX` is the NUL behind it.
    package static let bytesMax = 4095

    /// The reason why `bytes` cannot be the target of a link on any disk; nil for none.
    package static func problem(with bytes: some Collection<UInt8>) -> String? {
        if bytes.isEmpty { return "a link cannot point to nothing" }
        if bytes.count > bytesMax { return "a link points to at most \(bytesMax) bytes" }
        if bytes.contains(0) { return "the path that a link points to has no NUL byte" }
        return nil
    }
}
