/// Computes what a vault would store of a local file, without storing it.
package enum LocalDigest {
    /// The content of a file or link.
    package static func content(
        _ path: LocalPath, at directory: OpenFile? = nil, component: [UInt8]? = nil, status: FileStatus
    ) throws(VaultError) -> Content {
        switch status.kind {
        case .link:
            // The name only fills the save that is thrown away.
            return try LocalReader.link(
                path, at: directory, component: component, as: Name(validated: [UInt8(ascii: "-")]), status: status
            ).content
        case .file:
            return try content(LocalReader.open(path, at: directory, component: component))
        case .directory, .other:
            return .empty
        }
    }

    /// The content of what a walk has come to.
    package static func content(_ entry: TreeEntry) throws(VaultError) -> Content {
        try content(entry.path, at: entry.directory.open(), component: entry.component, status: entry.status)
    }

    /// The content of an open file, from where it is read next.
    ///
    /// - Throws: `cancelled` between two segments of a file, where the task that runs it is cancelled.
    package static func content(_ file: OpenFile) throws(VaultError) -> Content {
        var list = ListBuilder()
        var reader = SegmentReader(file)
        while let segment = try reader.next() {
            if Task.isCancelled { throw .cancelled }
            for chunk in segment.hashed() { list.append(chunk.reference) { _ in } }
        }
        return list.finish { _ in }
    }
}
