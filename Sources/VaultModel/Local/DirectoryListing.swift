import Glibc

/// What is in one local directory, without `.` and `..`, in no order.
package struct DirectoryListing {
    package struct Child {
        package var name: [UInt8]
        /// Nil where the file system does not tell with the name.
        package var kind: FileStatus.Kind?
    }

    package private(set) var children: [Child] = []

    package var names: [[UInt8]] { children.map(\.name) }

    package init(_ path: LocalPath) throws(VaultError) {
        try self.init(OpenFile(path, flags: O_RDONLY | O_DIRECTORY))
    }

    /// - Parameter directory: an open directory, which stays open.
    package init(_ directory: OpenFile) throws(VaultError) {
        // Opened anew, since a copy of the descriptor would share its position.
        let again = try OpenFile(
            directory.path, at: directory, component: [UInt8(ascii: ".")], flags: O_RDONLY | O_DIRECTORY)
        let descriptor = try retrying("read the directory", directory.path) {
            fcntl(again.descriptor, F_DUPFD_CLOEXEC, 0)
        }
        guard let stream = fdopendir(descriptor) else {
            close(descriptor)
            throw VaultError(system: errno, "read the directory", directory.path)
        }
        defer { closedir(stream) }
        while true {
            errno = 0
            guard let item = readdir(stream) else {
                if errno != 0 { throw VaultError(system: errno, "read the directory", directory.path) }
                return
            }
            let name = DirectoryListing.name(of: item)
            if name == [0x2E] || name == [0x2E, 0x2E] { continue }
            children.append(Child(name: name, kind: DirectoryListing.kind(of: Int(item.pointee.d_type))))
        }
    }

    private static func name(of item: UnsafeMutablePointer<dirent>) -> [UInt8] {
        withUnsafeBytes(of: &item.pointee.d_name) { bytes in
            Array(bytes[..<(bytes.firstIndex(of: 0) ?? bytes.count)])
        }
    }

    private static func kind(of type: Int) -> FileStatus.Kind? {
        switch type {
        case Int(DT_REG): .file
        case Int(DT_LNK): .link
        case Int(DT_DIR): .directory
        case Int(DT_UNKNOWN): nil
        default: .other
        }
    }
}
