/// What a name holds, or held at some version.
package struct Entry: Sendable, Equatable {
    package enum Kind: UInt8, Sendable {
        case file = 1
        /// A symbolic link; its content is the path that it points to.
        case link = 2
        /// A directory with nothing in it; others exist through the names below them.
        case directory = 3
        /// The version that a removal made.
        case removed = 4
    }

    package var name: Name
    package var kind: Kind
    package var content: Content
    package var version: UInt64
    package var sequence: UInt64
    package var attributes: Attributes
    /// Seconds since 1970 UTC at which this version was committed.
    package var savedAt: Int64
    package var savedBy: String
    package var tags: [TagText: TagText]

    package init(
        name: Name, kind: Kind, content: Content, version: UInt64, sequence: UInt64, attributes: Attributes,
        savedAt: Int64, savedBy: String, tags: [TagText: TagText]
    ) {
        self.name = name
        self.kind = kind
        self.content = content
        self.version = version
        self.sequence = sequence
        self.attributes = attributes
        self.savedAt = savedAt
        self.savedBy = savedBy
        self.tags = tags
    }

    package var size: UInt64 { content.size }

    /// Bytes of memory that the entry takes, about.
    package var memoryBytes: Int { 256 + name.bytes.count + tags.memoryBytes }

    /// Whether the file kept changing while this version of it was read.
    package var isChangedWhileRead: Bool { tags[.changed] == .whileRead }
}

extension Entry.Kind: CustomStringConvertible {
    package var description: String {
        switch self {
        case .file: "file"
        case .link: "link"
        case .directory: "directory"
        case .removed: "removed"
        }
    }
}

/// What is kept of a file besides its content.
package struct Attributes: Hashable, Sendable {
    /// All permission bits that there are.
    package static let modeMax: UInt32 = 0o7777

    /// The permission bits, ``modeMax`` at most.
    package var mode: UInt32
    /// Nanoseconds since 1970 UTC.
    package var modified: Int64
    /// By what a file that has not changed since is recognised; nil where nothing may be concluded.
    package var origin: Origin?

    /// The identity and last change of a local file's inode.
    package struct Origin: Hashable, Sendable {
        /// The status change time (`st_ctim`), nanoseconds since 1970 UTC.
        package var changed: Int64
        package var inode: UInt64

        package init(changed: Int64, inode: UInt64) {
            self.changed = changed
            self.inode = inode
        }
    }

    package init(mode: UInt32, modified: Int64, origin: Origin? = nil) {
        self.mode = mode
        self.modified = modified
        self.origin = origin
    }
}
