import Glibc

/// Variables of the process's environment, whose values have any bytes but NUL.
package enum EnvironmentVariable {
    /// The value as it is; nil for a variable that is empty or not set.
    package static func bytes(_ name: String) -> [UInt8]? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return Array(UnsafeRawBufferPointer(start: value, count: strlen(value)))
    }

    /// The value of a variable that holds text, such as a password.
    ///
    /// - Throws: `invalid` for bytes that are not UTF-8; the message does not repeat them.
    package static func text(_ name: String) throws(VaultError) -> String? {
        guard let bytes = bytes(name) else { return nil }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw VaultError(.invalid, "The environment variable \(name) is not UTF-8 text.")
        }
        return text
    }
}
