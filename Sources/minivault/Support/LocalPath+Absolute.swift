import Glibc
import VaultModel

extension LocalPath {
    /// The path from the root, where it is one from the working directory.
    var absolute: LocalPath {
        get throws(VaultError) {
            if bytes.first == UInt8(ascii: "/") { return self }
            guard let current = getcwd(nil, 0) else { throw VaultError(system: errno, "find", self) }
            defer { free(current) }
            return LocalPath(Array(UnsafeRawBufferPointer(start: current, count: strlen(current)))).appending(bytes)
        }
    }
}
