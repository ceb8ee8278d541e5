import Glibc

/// Puts entries into one local directory: each appears under its name complete, or not at all.
///
/// Content comes first: where the file system refuses modes or times, as those of memory cards do, the file is there all
/// the same, and the writer says so.
package struct LocalWriter: Sendable {
    /// Whether an entry has the mode and the time that it should have.
    package enum Attributing: Sendable {
        case set
        /// The file system, or whose file it is, does not allow it.
        case refused
    }

    private let directory: OpenFile
    private let overwrites: Bool
    private let onPartial: (@Sendable () -> Void)?

    /// - Parameter onPartial: called where a large file is interrupted: it stays unfinished under its other name, for the
    ///   next writer to go on with. Without it, it is removed.
    package init(directory: OpenFile, overwrites: Bool, onPartial: (@Sendable () -> Void)? = nil) {
        self.directory = directory
        self.overwrites = overwrites
        self.onPartial = onPartial
    }

    private static let temporaryPrefix = ".minivault-"

    /// Whether a file's name is one that this type gives to what is not complete yet.
    static func isTemporary(_ component: [UInt8]) -> Bool {
        component.starts(with: temporaryPrefix.utf8)
            && UniqueID(String(decoding: component.dropFirst(temporaryPrefix.utf8.count), as: UTF8.self)) != nil
    }

    static func temporaryName(_ id: UniqueID) -> [UInt8] { Array((temporaryPrefix + id.description).utf8) }

    /// Writes what `read` holds as the component `component` of the directory.
    ///
    /// A killed process's unfinished file of the same content is gone on with.
    ///
    /// - Parameter path: what messages call the file.
    /// - Throws: `exists` where something is there that may not be replaced, a directory above all.
    package func write(
        _ read: OpenRead, as component: [UInt8], path: LocalPath, download: Download
    ) async throws(VaultError) -> Attributing {
        switch read.entry.kind {
        case .file:
            if try isSpecial(component, path: path) {
                let special = try SpecialFile.open(component, in: directory, path: path)
                try await download.stream(read) { (bytes) throws(VaultError) in try special.append(bytes) }
                return .set
            }
            let partial = try PartialFile(read.entry.content, as: component, in: directory, path: path)
            return try await placing(partial.name, as: component, path: path) { () async throws(VaultError) in
                try await download.write(read, to: partial.file, isFresh: partial.isFresh)
                return apply(read.entry.attributes, to: partial.file)
            }
        case .link:
            try checkRoom(for: component, path: path)
            guard read.entry.size <= UInt64(LinkTarget.bytesMax) else {
                throw VaultError(.invalid, "'\(read.entry.name)' points to a path that is too long.", path: path)
            }
            var target: [UInt8] = []
            try await download.stream(read) { target += Array($0) }
            return try makeLink(to: target, as: component, path: path, read.entry.attributes)
        case .directory, .removed:
            return try write(read.entry, as: component, path: path)
        }
    }

    /// The same for a content that is at hand.
    package func write(
        _ small: SmallContent, as component: [UInt8], path: LocalPath
    ) throws(VaultError) -> Attributing {
        let entry = small.entry
        switch entry.kind {
        case .file:
            if try isSpecial(component, path: path) {
                let special = try SpecialFile.open(component, in: directory, path: path)
                try small.chunk?.bytes.withUnsafeBytes { (bytes) throws(VaultError) in try special.append(bytes) }
                return .set
            }
            let temporary = LocalWriter.temporaryName(UniqueID())
            do throws(VaultError) {
                let file = try make(temporary, path: path)
                if let bytes = small.chunk?.bytes {
                    try bytes.withUnsafeBytes { (bytes) throws(VaultError) in try file.writeSparsely(bytes, at: 0) }
                    try file.resize(to: UInt64(bytes.count))
                }
                let attributing = apply(entry.attributes, to: file)
                try place(temporary, as: component, path: path)
                return attributing
            } catch {
                remove(temporary)
                throw error
            }
        case .link:
            try checkRoom(for: component, path: path)
            return try makeLink(to: small.chunk?.bytes.bytes ?? [], as: component, path: path, entry.attributes)
        case .directory, .removed:
            return try write(entry, as: component, path: path)
        }
    }

    /// Gives what is there, and has the entry's content, the entry's mode and time.
    ///
    /// - Parameter status: of what is there.
    func apply(_ entry: Entry, to component: [UInt8], _ status: FileStatus, path: LocalPath) -> Attributing {
        if entry.kind == .link { return setTime(of: component, entry.attributes) }
        let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
        if let file = try? OpenFile(path, at: directory, component: component, flags: flags) {
            return apply(entry.attributes, to: file, mode: entry.restoredMode(over: status.mode))
        }
        // A mode may forbid its owner to open it. That it is no link has been seen just now.
        let hasTime = setTime(of: component, entry.attributes) == .set
        let hasMode = LocalPath(component).withCString {
            fchmodat(directory.descriptor, $0, mode_t(entry.restoredMode(over: status.mode)), AT_SYMLINK_NOFOLLOW) == 0
        }
        return hasTime && hasMode ? .set : .refused
    }

    /// An entry without content.
    private func write(_ entry: Entry, as component: [UInt8], path: LocalPath) throws(VaultError) -> Attributing {
        guard entry.kind == .directory else {
            throw VaultError(.notFound, "The vault holds nothing under '\(entry.name)'.", name: entry.name)
        }
        return try makeDirectory(component, path: path, entry.attributes)
    }

    private func make(_ temporary: [UInt8], path: LocalPath) throws(VaultError) -> OpenFile {
        let file = try OpenFile(
            path, at: directory, component: temporary, flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        // Somebody who clears up after a killed process leaves it alone.
        flock(file.descriptor, LOCK_EX | LOCK_NB)
        return file
    }

    /// Refuses what would not be made as it is: the path would end at a NUL, and a link to another file would come about.
    private func checkTarget(_ bytes: [UInt8], path: LocalPath) throws(VaultError) {
        if let problem = LinkTarget.problem(with: bytes) {
            throw VaultError(.invalid, "'\(path)' cannot be made: \(problem).", path: path)
        }
    }

    /// Finds out before anything is fetched what the last step would refuse.
    func checkRoom(for component: [UInt8], path: LocalPath) throws(VaultError) {
        if try isSpecial(component, path: path) {
            throw VaultError(.exists, "'\(path)' is in the way: it is a device or a pipe.", path: path)
        }
    }

    /// Finds out whether something is there that is no directory.
    func checkRoomForDirectory(_ component: [UInt8], path: LocalPath) throws(VaultError) {
        guard let status = try? FileStatus(of: component, in: directory), status.kind != .directory else { return }
        throw VaultError(.exists, "'\(path)' is in the way: it is no directory.", path: path)
    }

    /// Whether a device or a pipe is there, which is written into.
    ///
    /// - Throws: `exists` where something is there that may not be replaced.
    func isSpecial(_ component: [UInt8], path: LocalPath) throws(VaultError) -> Bool {
        guard let status = try? FileStatus(of: component, in: directory) else { return false }
        if status.kind == .directory {
            throw VaultError(.exists, "'\(path)' is in the way: it is a directory.", path: path)
        }
        if !overwrites { throw VaultError(.exists, "'\(path)' exists already.", path: path) }
        return status.kind == .other
    }

    /// Makes a file under another name, then gives it its own.
    private func placing(
        _ temporary: [UInt8], as component: [UInt8], path: LocalPath,
        _ make: () async throws(VaultError) -> Attributing
    ) async throws(VaultError) -> Attributing {
        do throws(VaultError) {
            let attributing = try await make()
            try place(temporary, as: component, path: path)
            return attributing
        } catch {
            if let onPartial, error.isInterruption { onPartial() } else { remove(temporary) }
            throw error
        }
    }

    private func place(_ temporary: [UInt8], as component: [UInt8], path: LocalPath) throws(VaultError) {
        if overwrites { return try rename(temporary, to: component, path: path) }
        // Only a new link, not a rename, refuses to replace what is there.
        let status = LocalPath(temporary).withCString { temporary in
            LocalPath(component).withCString { component in
                linkat(directory.descriptor, temporary, directory.descriptor, component, 0)
            }
        }
        if status == 0 { return remove(temporary) }
        if errno == EEXIST { throw VaultError(system: errno, "write", path) }
        // A file system without links has the place taken by an empty file of this process's, which is then replaced.
        _ = try OpenFile(
            path, at: directory, component: component, flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        do throws(VaultError) {
            try rename(temporary, to: component, path: path)
        } catch {
            remove(component)
            throw error
        }
    }

    private func rename(_ temporary: [UInt8], to component: [UInt8], path: LocalPath) throws(VaultError) {
        try retrying("replace", path) {
            LocalPath(temporary).withCString { temporary in
                LocalPath(component).withCString { component in
                    renameat(directory.descriptor, temporary, directory.descriptor, component)
                }
            }
        }
    }

    private func remove(_ component: [UInt8]) {
        _ = LocalPath(component).withCString { unlinkat(directory.descriptor, $0, 0) }
    }

    private func apply(_ attributes: Attributes, to file: OpenFile, mode: UInt32? = nil) -> Attributing {
        let hasMode = fchmod(file.descriptor, mode_t(mode ?? attributes.restoredMode)) == 0
        let times = [timespec.omitted, timespec(nanoseconds: attributes.modified)]
        let hasTime = futimens(file.descriptor, times) == 0
        return hasMode && hasTime ? .set : .refused
    }

    private func makeLink(
        to target: [UInt8], as component: [UInt8], path: LocalPath, _ attributes: Attributes
    ) throws(VaultError) -> Attributing {
        try checkTarget(target, path: path)
        let temporary = LocalWriter.temporaryName(UniqueID())
        do throws(VaultError) {
            try retrying("make the link", path) {
                LocalPath(target).withCString { target in
                    LocalPath(temporary).withCString { symlinkat(target, directory.descriptor, $0) }
                }
            }
            let attributing = setTime(of: temporary, attributes)
            try place(temporary, as: component, path: path)
            return attributing
        } catch {
            remove(temporary)
            throw error
        }
    }

    private func makeDirectory(
        _ component: [UInt8], path: LocalPath, _ attributes: Attributes
    ) throws(VaultError) -> Attributing {
        let status = LocalPath(component).withCString { mkdirat(directory.descriptor, $0, 0o700) }
        if status != 0 {
            guard errno == EEXIST else { throw VaultError(system: errno, "make the directory", path) }
            try checkRoomForDirectory(component, path: path)
            if !overwrites { return .set }
        }
        let made = try OpenFile(path, at: directory, component: component, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        return apply(attributes, to: made, mode: attributes.restoredDirectoryMode)
    }

    private func setTime(of component: [UInt8], _ attributes: Attributes) -> Attributing {
        let times = [timespec.omitted, timespec(nanoseconds: attributes.modified)]
        let status = LocalPath(component).withCString {
            utimensat(directory.descriptor, $0, times, AT_SYMLINK_NOFOLLOW)
        }
        return status == 0 ? .set : .refused
    }
}

extension VaultError {
    /// Whether a transfer was broken off that may be gone on with. What a file of this machine refuses is none.
    var isInterruption: Bool { code == .cancelled || [.unavailable, .timeout].contains(code) && path == nil }
}

extension Attributes {
    /// The permission bits that a restored file gets. Whose file it was is not kept, and a program that runs as its owner
    /// must not run as somebody else.
    package var restoredMode: UInt32 { mode & 0o777 }

    /// The permission bits that a restored directory gets, with the one that protects what is in it from others.
    package var restoredDirectoryMode: UInt32 { mode & 0o1777 }
}

extension Entry {
    /// The permission bits for what has the entry's content already: it keeps those that a restored file does not get, as
    /// far as the entry has them too.
    func restoredMode(over mode: UInt32) -> UInt32 {
        kind == .directory
            ? attributes.restoredDirectoryMode | mode & attributes.mode & 0o6000
            : attributes.restoredMode | mode & attributes.mode & 0o7000
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
