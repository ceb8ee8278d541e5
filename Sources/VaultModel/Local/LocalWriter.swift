import Glibc

/// Puts entries into one local directory: each appears under its name complete, or not at all.
package struct LocalWriter: Sendable {
    private let directory: OpenFile
    private let overwrites: Bool

    package init(directory: OpenFile, overwrites: Bool) {
        self.directory = directory
        self.overwrites = overwrites
    }

    private static let temporaryPrefix = ".minivault-"

    /// Whether a file's name is one that this type gives to what is not complete yet.
    static func isTemporary(_ component: [UInt8]) -> Bool {
        component.starts(with: temporaryPrefix.utf8)
            && UniqueID(String(decoding: component.dropFirst(temporaryPrefix.utf8.count), as: UTF8.self)) != nil
    }

    /// Writes what `read` holds as the component `component` of the directory.
    ///
    /// - Parameter path: what messages call the file.
    /// - Throws: `exists` where something is there that may not be replaced, a directory above all.
    package func write(
        _ read: OpenRead, as component: [UInt8], path: LocalPath, download: Download
    ) async throws(VaultError) {
        let temporary = LocalWriter.temporaryName()
        do throws(VaultError) {
            switch read.entry.kind {
            case .file:
                try checkRoom(for: component, path: path)
                let file = try make(temporary, path: path)
                try await download.write(read, to: file)
                try apply(read.entry.attributes, to: file)
            case .link:
                try checkRoom(for: component, path: path)
                try checkTarget(read.entry, path: path)
                var target: [UInt8] = []
                try await download.stream(read) { target += Array($0) }
                try makeLink(to: target, as: temporary, path: path, read.entry.attributes)
            case .directory, .removed:
                return try write(read.entry, as: component, path: path)
            }
            try place(temporary, as: component, path: path)
        } catch {
            remove(temporary)
            throw error
        }
    }

    /// The same for a content that is at hand.
    package func write(_ small: SmallContent, as component: [UInt8], path: LocalPath) throws(VaultError) {
        let (entry, temporary) = (small.entry, LocalWriter.temporaryName())
        do throws(VaultError) {
            switch entry.kind {
            case .file:
                try checkRoom(for: component, path: path)
                let file = try make(temporary, path: path)
                try small.chunk?.bytes.withUnsafeBytes { (bytes) throws(VaultError) in try file.write(bytes, at: 0) }
                try apply(entry.attributes, to: file)
            case .link:
                try checkRoom(for: component, path: path)
                try checkTarget(entry, path: path)
                try makeLink(to: small.chunk?.bytes.bytes ?? [], as: temporary, path: path, entry.attributes)
            case .directory, .removed:
                return try write(entry, as: component, path: path)
            }
            try place(temporary, as: component, path: path)
        } catch {
            remove(temporary)
            throw error
        }
    }

    /// An entry without content.
    private func write(_ entry: Entry, as component: [UInt8], path: LocalPath) throws(VaultError) {
        guard entry.kind == .directory else {
            throw VaultError(.notFound, "The vault holds nothing under '\(entry.name)'.", name: entry.name)
        }
        try makeDirectory(component, path: path, entry.attributes)
    }

    private static func temporaryName() -> [UInt8] {
        Array((temporaryPrefix + UniqueID().description).utf8)
    }

    private func make(_ temporary: [UInt8], path: LocalPath) throws(VaultError) -> OpenFile {
        try OpenFile(
            path, at: directory, component: temporary, flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
    }

    private func checkTarget(_ entry: Entry, path: LocalPath) throws(VaultError) {
        guard entry.size < UInt64(PATH_MAX) else {
            throw VaultError(.invalid, "'\(entry.name)' points to a path that is too long.", path: path)
        }
    }

    /// Finds out before anything is fetched what the last step would refuse.
    func checkRoom(for component: [UInt8], path: LocalPath) throws(VaultError) {
        guard let status = try? FileStatus(of: component, in: directory) else { return }
        if status.kind == .directory {
            throw VaultError(.exists, "'\(path)' is in the way: it is a directory.", path: path)
        }
        if !overwrites { throw VaultError(.exists, "'\(path)' exists already.", path: path) }
    }

    private func place(_ temporary: [UInt8], as component: [UInt8], path: LocalPath) throws(VaultError) {
        try retrying("replace", path) {
            LocalPath(temporary).withCString { temporary in
                LocalPath(component).withCString { component in
                    // Only a new link, not a rename, refuses to replace what is there.
                    overwrites
                        ? renameat(directory.descriptor, temporary, directory.descriptor, component)
                        : linkat(directory.descriptor, temporary, directory.descriptor, component, 0)
                }
            }
        }
        if !overwrites { remove(temporary) }
    }

    private func remove(_ component: [UInt8]) {
        _ = LocalPath(component).withCString { unlinkat(directory.descriptor, $0, 0) }
    }

    private func apply(_ attributes: Attributes, to file: OpenFile) throws(VaultError) {
        try retrying("set the mode of", file.path) { fchmod(file.descriptor, mode_t(attributes.mode)) }
        let times = [timespec.omitted, timespec(nanoseconds: attributes.modified)]
        try retrying("set the time of", file.path) { futimens(file.descriptor, times) }
    }

    private func makeLink(
        to target: [UInt8], as component: [UInt8], path: LocalPath, _ attributes: Attributes
    ) throws(VaultError) {
        try retrying("make the link", path) {
            LocalPath(target).withCString { target in
                LocalPath(component).withCString { symlinkat(target, directory.descriptor, $0) }
            }
        }
        setTime(of: component, attributes)
    }

    private func makeDirectory(
        _ component: [UInt8], path: LocalPath, _ attributes: Attributes
    ) throws(VaultError) {
        let status = LocalPath(component).withCString { mkdirat(directory.descriptor, $0, 0o700) }
        if status != 0 {
            guard errno == EEXIST else { throw VaultError(system: errno, "make the directory", path) }
            guard (try? FileStatus(of: component, in: directory))?.kind == .directory else {
                throw VaultError(.exists, "'\(path)' is in the way: it is no directory.", path: path)
            }
            if !overwrites { return }
        }
        let made = try OpenFile(path, at: directory, component: component, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        try apply(attributes, to: made)
    }

    /// A link's own time is a courtesy that not every file system can give.
    private func setTime(of component: [UInt8], _ attributes: Attributes) {
        let times = [timespec.omitted, timespec(nanoseconds: attributes.modified)]
        _ = LocalPath(component).withCString { utimensat(directory.descriptor, $0, times, AT_SYMLINK_NOFOLLOW) }
    }
}

extension timespec {
    /// `UTIME_OMIT` of utimensat(2): leaves this time as it is.
    fileprivate static let omitted = timespec(tv_sec: 0, tv_nsec: (1 << 30) - 2)

    fileprivate init(nanoseconds: Int64) {
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        self.init(
            tv_sec: Int(rest < 0 ? seconds - 1 : seconds), tv_nsec: Int(rest < 0 ? rest + 1_000_000_000 : rest))
    }
}
