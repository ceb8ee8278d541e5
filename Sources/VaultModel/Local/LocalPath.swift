/// The path of a local file, as the bytes that the system calls take.
package struct LocalPath: Hashable, Sendable {
    package let bytes: [UInt8]

    package init(_ bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes)
    }

    package init(_ text: String) {
        self.init(text.utf8)
    }

    /// The path of `component`, one name or a relative path, below this one.
    package func appending(_ component: some Collection<UInt8>) -> LocalPath {
        if component.isEmpty { return self }
        if bytes.isEmpty || bytes.last == slash { return LocalPath(bytes + component) }
        return LocalPath(bytes + [slash] + component)
    }

    package func appending(_ component: String) -> LocalPath {
        appending(Array(component.utf8))
    }

    /// The path without `/` at its end, and without its last component.
    package var parent: LocalPath {
        let trimmed = trimmedBytes
        guard let last = trimmed.lastIndex(of: slash) else { return LocalPath(".") }
        return last == 0 ? LocalPath("/") : LocalPath(trimmed[..<last])
    }

    /// The last component; empty for `/`.
    package var lastComponent: ArraySlice<UInt8> {
        let trimmed = trimmedBytes
        guard let last = trimmed.lastIndex(of: slash) else { return trimmed }
        return trimmed[(last + 1)...]
    }

    private var trimmedBytes: ArraySlice<UInt8> {
        var slice = bytes[...]
        while slice.count > 1, slice.last == slash { slice.removeLast() }
        return slice
    }

    package func withCString<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
        try (bytes + [0]).withUnsafeBufferPointer { bytes in
            try bytes.withMemoryRebound(to: CChar.self) { try body($0.baseAddress.unsafelyUnwrapped) }
        }
    }
}

extension LocalPath: CustomStringConvertible {
    /// The path as it is shown to people: control characters are escaped.
    package var description: String { printable(bytes) }
}
