import Glibc
import VaultModel

#if Engines
    /// The variables that the program was started with, their values under the escape that names have.
    enum ProcessEnvironment {
        static var variables: [String: String] {
            var variables: [String: String] = [:]
            var next = environ
            while let entry = next.pointee {
                let bytes = UnsafeRawBufferPointer(start: entry, count: strlen(entry))
                let parts = bytes.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
                if parts.count == 2 {
                    let value = NameEscape.encode(parts[1])
                    variables[String(decoding: parts[0], as: UTF8.self)] = String(decoding: value, as: UTF8.self)
                }
                next += 1
            }
            return variables
        }
    }
#endif
