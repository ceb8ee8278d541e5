package import Glibc
package import VaultModel

/// Makes and looks at local trees. All paths are relative to the root.
package struct LocalTree: Sendable {
    package let root: LocalPath

    /// - Parameter root: a directory, which is made where it is missing.
    package init(_ root: LocalPath) throws {
        self.root = root
        _ = root.withCString { mkdir($0, 0o755) }
        _ = try DirectoryListing(root)
    }

    /// What is at one path, as far as a vault keeps it.
    package struct Node: Hashable, Sendable {
        package var kind: FileStatus.Kind
        /// The permissions, without the bits that are not restored.
        package var mode: UInt32
        /// Nanoseconds since 1970 UTC; 0 for a directory.
        package var modified: Int64
        /// A file's content, or where a link points to.
        package var bytes: [UInt8]
    }

    /// All that is in the tree. A directory with something in it has neither mode nor time.
    package func nodes() throws -> [[UInt8]: Node] {
        var nodes: [[UInt8]: Node] = [:]
        var open: [[UInt8]] = [[]]
        while let directory = open.popLast() {
            for name in try DirectoryListing(root.appending(directory)).names {
                let relative = directory.isEmpty ? name : directory + [UInt8(ascii: "/")] + name
                let path = root.appending(relative)
                let status = try FileStatus(of: path)
                var node = Node(kind: status.kind, mode: status.mode & 0o777, modified: status.modified, bytes: [])
                switch status.kind {
                case .file: node.bytes = try LocalTree.read(path)
                case .link: node.bytes = try LocalTree.target(path)
                case .directory:
                    node.modified = 0
                    if try !DirectoryListing(path).names.isEmpty { node.mode = 0 }
                    open.append(relative)
                case .other: break
                }
                nodes[relative] = node
            }
        }
        return nodes
    }

    /// The paths of all that is in the tree, as text, in order.
    package func paths() throws -> [String] {
        try nodes().keys.map { String(decoding: $0, as: UTF8.self) }.sorted()
    }

    package func write(
        _ path: String, _ bytes: [UInt8] = [], mode: mode_t = 0o644, modified: Int64? = nil
    ) throws {
        try write(Array(path.utf8), bytes, mode: mode, modified: modified)
    }

    /// Writes a file and the directories above it, over what is there.
    package func write(_ path: [UInt8], _ bytes: [UInt8], mode: mode_t = 0o644, modified: Int64? = nil) throws {
        try makeDirectories(above: path)
        let file = try OpenFile(root.appending(path), flags: O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW)
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
        fchmod(file.descriptor, mode)
        if let modified {
            let second: Int64 = 1_000_000_000
            let time = timespec(tv_sec: Int(modified / second), tv_nsec: Int(modified % second))
            futimens(file.descriptor, [time, time])
        }
    }

    package func makeDirectory(_ path: String, mode: mode_t = 0o755) throws {
        try makeDirectories(above: Array(path.utf8))
        try retrying("make the directory", root.appending(path)) {
            root.appending(path).withCString { mkdir($0, 0o700) }
        }
        _ = root.appending(path).withCString { chmod($0, mode) }
    }

    package func makeLink(_ path: String, to target: String) throws {
        try makeDirectories(above: Array(path.utf8))
        try retrying("make the link", root.appending(path)) {
            root.appending(path).withCString { symlink(target, $0) }
        }
    }

    package func makePipe(_ path: String) throws {
        try makeDirectories(above: Array(path.utf8))
        try retrying("make the pipe", root.appending(path)) { root.appending(path).withCString { mkfifo($0, 0o600) } }
    }

    package func remove(_ path: String) {
        TemporaryDirectory.remove(root.appending(path))
    }

    package func read(_ path: String) throws -> [UInt8] { try LocalTree.read(root.appending(path)) }

    package func exists(_ path: String) -> Bool { (try? FileStatus(of: root.appending(path))) != nil }

    package static func read(_ path: LocalPath) throws -> [UInt8] {
        let file = try OpenFile(path, flags: O_RDONLY | O_NOFOLLOW)
        let size = Int(try file.status.size)
        return try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
        }
    }

    private static func target(_ path: LocalPath) throws -> [UInt8] {
        var bytes = [CChar](repeating: 0, count: 4096)
        let count = try retrying("read the link", path) { path.withCString { readlink($0, &bytes, bytes.count) } }
        return bytes[..<count].map { UInt8(bitPattern: $0) }
    }

    private func makeDirectories(above path: [UInt8]) throws {
        for index in path.indices where path[index] == UInt8(ascii: "/") {
            let directory = root.appending(path[..<index])
            if directory.withCString({ mkdir($0, 0o755) }) != 0, errno != EEXIST {
                throw VaultError(system: errno, "make the directory", directory)
            }
        }
    }
}
