package import VaultModel

/// What the hooks of a server are.
package struct HookSettings: Sendable {
    package var file: LocalPath
    /// Whether a server starts without the file: it is looked for where nobody has named one.
    package var isFileOptional = false
    /// Workers of each kind: for hooks that are quick, and for those that may take long.
    package var workers = 2
    /// Bytes that Lua may allocate in a worker.
    package var memoryBytes = 64 << 20
    /// Programs and hosts that hooks may use.
    package var programs: [[UInt8]] = []
    package var hosts: [String] = []

    package init(file: LocalPath) {
        self.file = file
    }
}
