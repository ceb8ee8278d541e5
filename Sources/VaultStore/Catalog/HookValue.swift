package import VaultModel

/// A value that hooks keep, with the version by which a change of it is made sure of.
package struct HookValue: Sendable, Equatable {
    /// Empty for none.
    package var value: [UInt8]
    /// 0 for a key that was never stored.
    package var version: UInt64

    package init(value: [UInt8], version: UInt64) {
        self.value = value
        self.version = version
    }

    /// The value after a number is added to it.
    ///
    /// - Throws: `invalid` for a value that is no number.
    package func adding(_ amount: Double, to key: String) throws(VaultError) -> [UInt8] {
        guard let number = value.isEmpty ? 0 : Double(String(decoding: value, as: UTF8.self)) else {
            throw VaultError(.invalid, "The value of '\(printable(key))' is no number to add to.")
        }
        let sum = number + amount
        return Array((sum == sum.rounded() && abs(sum) < 1e15 ? "\(Int64(sum))" : "\(sum)").utf8)
    }
}
