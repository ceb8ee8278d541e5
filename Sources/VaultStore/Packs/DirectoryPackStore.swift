import Glibc
import Synchronization
package import VaultModel

/// Packs as files of a directory, `packs/ab/<id>.pack`, where `ab` are the first digits of the id.
///
/// A pack that is being written has an advisory lock (`flock`) for as long as its writer lives. A full
/// pack, and one after a failure, is made read-only and never written again.
package final class DirectoryPackStore: PackStore {
    private struct State {
        var writing: WritingPack?
        var reading: [PackID: OpenFile] = [:]
        var readingOrder: [PackID] = []
    }

    private let directory: LocalPath
    private let vault: UniqueID
    private let files: any StoreFiles
    private let state = Mutex(State())

    /// - Parameter directory: the vault's `packs` directory, which is there.
    package init(_ directory: LocalPath, vault: UniqueID, files: any StoreFiles) {
        self.directory = directory
        self.vault = vault
        self.files = files
    }

    package func append(_ records: [PackRecord]) async throws(VaultError) -> Appended {
        try await append(records) { _ in }
    }

    package func append(
        _ records: [PackRecord], placed: ([PackLocation]) -> Void
    ) async throws(VaultError) -> Appended {
        if records.isEmpty {
            placed([])
            return Appended(locations: [], hold: nil)
        }
        do throws(VaultError) {
            return try await store(records, placed: placed)
        } catch {
            throw error.inVault(directory.parent)
        }
    }

    package func builder() throws(VaultError) -> any PackBuilder {
        do throws(VaultError) {
            let pack = try create()
            return DirectoryPackBuilder(
                pack, at: path(of: pack.id), in: directory.parent, vault: vault, files: files)
        } catch {
            throw error.inVault(directory.parent)
        }
    }

    private func store(
        _ records: [PackRecord], placed: ([PackLocation]) -> Void
    ) async throws(VaultError) -> Appended {
        let headers = records.flatMap {
            RecordHeader(kind: $0.kind, vault: vault, length: UInt32($0.bytes.count), digest: $0.digest).encoded
        }
        let count = records.reduce(UInt64(headers.count)) { $0 + UInt64($1.bytes.count) }
        let (pack, offset) = try reserve(count)
        var locations: [PackLocation] = []
        locations.reserveCapacity(records.count)
        var position = offset
        for record in records {
            let location = PackLocation(pack: pack.id, offset: position, length: UInt32(record.bytes.count))
            locations.append(location)
            position = location.end
        }
        try write(records, headers: headers, to: pack, at: offset, end: position)
        placed(locations)
        try await pack.makeDurable(position)
        return Appended(locations: locations, hold: pack)
    }

    private func write(
        _ records: [PackRecord], headers: [UInt8], to pack: WritingPack, at offset: UInt64, end: UInt64
    ) throws(VaultError) {
        let headers = BufferSlice(copying: headers)
        try headers.withUnsafeBytes { (headers) throws(VaultError) in
            var parts: [UnsafeRawBufferPointer] = []
            parts.reserveCapacity(records.count * 2)
            for (index, record) in records.enumerated() {
                let start = index * RecordHeader.byteCount
                parts.append(UnsafeRawBufferPointer(rebasing: headers[start..<start + RecordHeader.byteCount]))
                parts.append(UnsafeRawBufferPointer(rebasing: record.bytes.buffer.memory[record.bytes.range]))
            }
            try withExtendedLifetime(records) { () throws(VaultError) in
                try pack.write(parts, at: offset, end: end)
            }
        }
    }

    private func reserve(_ count: UInt64) throws(VaultError) -> (WritingPack, UInt64) {
        try state.withLock { (state) throws(VaultError) in
            if let pack = state.writing {
                if let offset = pack.reserve(count) { return (pack, offset) }
                state.writing = nil
                try? files.seal(pack.file)
            }
            let pack = try create()
            state.writing = pack
            guard let offset = pack.reserve(count) else {
                throw VaultError(.internal, "A new pack takes no records.")
            }
            return (pack, offset)
        }
    }

    /// Creates a pack under a name that is no pack's, so that nobody sees it before it is locked.
    private func create() throws(VaultError) -> WritingPack {
        let id = PackID()
        let path = path(of: id)
        try files.makeDirectory(path.parent)
        let temporary = LocalPath(path.bytes + Array(".new".utf8))
        let file = try files.create(temporary)
        do {
            try retrying("lock", path) { flock(file.descriptor, LOCK_EX | LOCK_NB) }
            let header = BufferSlice(copying: PackHeader(vault: vault, pack: id).encoded)
            try header.withUnsafeBytes { (bytes) throws(VaultError) in
                try files.write([bytes], to: file, at: 0)
            }
            try files.sync(file)
            try files.rename(temporary, to: path)
        } catch {
            try? files.remove(temporary)
            throw error
        }
        try files.syncDirectory(path.parent)
        return WritingPack(id: id, file: file, length: UInt64(PackHeader.byteCount), files: files)
    }

    package func read(
        _ pack: PackID, at offset: UInt64, into memory: UnsafeMutableRawBufferPointer
    ) async throws(VaultError) -> Int {
        let file = try readable(pack)
        var count = 0
        while count < memory.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: memory[count...])
            let read = try retrying("read", file.path) {
                pread(file.descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(count))
            }
            if read == 0 { break }
            count += read
        }
        return count
    }

    private func readable(_ pack: PackID) throws(VaultError) -> OpenFile {
        try state.withLock { (state) throws(VaultError) in
            if let file = state.reading[pack] { return file }
            let file = try OpenFile(path(of: pack), flags: O_RDONLY | O_NOFOLLOW)
            if state.readingOrder.count == StoreLimits.openPacksMax || OpenPacks.isUsedUp, !state.readingOrder.isEmpty {
                state.reading[state.readingOrder.removeFirst()] = nil
                OpenPacks.add(-1)
            }
            state.reading[pack] = file
            state.readingOrder.append(pack)
            OpenPacks.add(1)
            return file
        }
    }

    deinit {
        OpenPacks.add(-state.withLock { $0.readingOrder.count })
    }

    package func list() async throws(VaultError) -> [PackID: PackStatus] {
        var packs: [PackID: PackStatus] = [:]
        for group in try DirectoryListing(directory).names {
            let groupPath = directory.appending(group)
            guard group.count == 2 else { continue }
            for name in try DirectoryListing(groupPath).names {
                guard let id = PackID(fileName: name) else { continue }
                // Another process may remove a pack meanwhile.
                do throws(VaultError) {
                    packs[id] = PackStatus(length: try FileStatus(of: groupPath.appending(name)).size)
                } catch  where error.code == .notFound {
                    continue
                }
            }
        }
        return packs
    }

    package func adopt(
        _ packs: [PackID], committedLength: (PackID) async throws(VaultError) -> UInt64?
    ) async throws(VaultError) {
        for id in packs {
            if state.withLock({ $0.writing != nil }) { return }
            guard let file = lockedForWriting(id), let length = try await committedLength(id),
                length >= UInt64(PackHeader.byteCount), let size = try? file.status.size, size >= length
            else { continue }
            try files.truncate(file, to: length)
            let pack = WritingPack(id: id, file: file, length: length, files: files)
            state.withLock { state in
                if state.writing == nil { state.writing = pack }
            }
        }
    }

    package func delete(
        _ packs: [PackID], disowned: ([PackID]) async throws(VaultError) -> Set<PackID>
    ) async throws(VaultError) -> Set<PackID> {
        var deleted: Set<PackID> = []
        for id in packs {
            guard let file = try? OpenFile(path(of: id), flags: O_RDONLY | O_NOFOLLOW) else {
                deleted.insert(id)
                continue
            }
            // The lock of this process's own writer counts too: it is another open file's.
            guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0, try await disowned([id]).contains(id) else {
                continue
            }
            try files.remove(path(of: id))
            state.withLock { state in
                guard state.reading.removeValue(forKey: id) != nil else { return }
                state.readingOrder.removeAll { $0 == id }
                OpenPacks.add(-1)
            }
            deleted.insert(id)
        }
        return deleted
    }

    package func close() async {
        state.withLock { state in
            OpenPacks.add(-state.readingOrder.count)
            state = State()
        }
    }

    /// The pack's file, locked; nil where another process has it, or it is sealed, or not there.
    private func lockedForWriting(_ id: PackID) -> OpenFile? {
        let path = path(of: id)
        guard let status = try? FileStatus(of: path), status.mode & 0o200 != 0,
            let file = try? OpenFile(path, flags: O_RDWR | O_NOFOLLOW),
            flock(file.descriptor, LOCK_EX | LOCK_NB) == 0
        else { return nil }
        // It may have been sealed or removed between the look and the lock.
        guard let now = try? FileStatus(of: path), now.inode == status.inode, now.mode & 0o200 != 0 else {
            return nil
        }
        return file
    }

    private func path(of id: PackID) -> LocalPath {
        let text = id.value.description
        return directory.appending("\(text.prefix(2))/\(text).pack")
    }
}

/// How many packs are open for reading in all vaults of the process. Where its limit of open files has no room for more,
/// a vault reads with one at a time.
private enum OpenPacks {
    private static let max = OpenFileLimit.share(4, max: 4096)
    private static let count = Atomic<Int>(0)

    static var isUsedUp: Bool { count.load(ordering: .relaxed) >= max }

    static func add(_ number: Int) { count.wrappingAdd(number, ordering: .relaxed) }
}

extension VaultError {
    /// The error of storing records in the vault of a directory, where this is that of its disk.
    func inVault(_ directory: LocalPath) -> VaultError {
        guard code == .quota else { return self }
        return VaultError(
            .quota, "No space is left for the vault in '\(directory)': \(VaultError.waysToMakeRoom).", path: directory,
            cause: message)
    }
}

extension PackID {
    /// The pack whose file has this name; nil for any other file.
    fileprivate init?(fileName: [UInt8]) {
        let text = String(decoding: fileName, as: UTF8.self)
        guard text.hasSuffix(".pack"), let value = UniqueID(text.dropLast(5)) else { return nil }
        self.init(value)
    }
}
