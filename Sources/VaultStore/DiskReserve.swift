import Glibc
import VaultModel

/// Disk space that a file takes up, so that a full disk can still be emptied.
struct DiskReserve: Sendable {
    private let path: LocalPath
    private let bytesMax: Int

    /// - Parameter bytesMax: the size of the reserve; half of what the disk has free where that is less.
    init(_ path: LocalPath, bytesMax: Int = StoreLimits.reserveBytes) {
        self.path = path
        self.bytesMax = bytesMax
    }

    /// Fills the reserve up, with half of what the disk has free at most.
    ///
    /// - Parameter before: bytes that the reserve had before it was given up. That much it gets back as far as there is
    ///   room, since whoever else fills the disk would leave it less each time.
    func fill(before: UInt64 = 0) {
        guard let file = try? OpenFile(path, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600),
            let size = try? file.status.size, size < UInt64(bytesMax), let free = DiskSpace.free(in: path.parent)
        else { return }
        if size == 0 { DataOwner.inherit(path) }
        let (all, isEndless) = size.addingReportingOverflow(free)
        var wanted = isEndless ? UInt64(bytesMax) : min(UInt64(bytesMax), max(all / 2, min(before, all)))
        // The file system takes some for itself.
        while wanted >= size + DiskReserve.stepBytes, before > 0 || wanted >= UInt64(StoreLimits.reserveBytesMin) {
            let failure = posix_fallocate(file.descriptor, 0, off_t(wanted))
            if failure == 0 { return }
            ftruncate(file.descriptor, off_t(size))
            guard failure == ENOSPC || failure == EDQUOT else { return }
            wanted -= max(DiskReserve.stepBytes, (wanted - size) / 8)
        }
    }

    /// Less than that is not worth a change of the reserve.
    private static let stepBytes: UInt64 = 64 << 10

    /// Gives a part of the reserve up where the disk has no room for opening a database.
    func makeRoomToOpen() {
        if DiskSpace.isShort(in: path.parent) { giveUp(StoreLimits.reserveBytesMin) }
    }

    /// Gives the reserve up.
    ///
    /// - Parameter bytes: how much of it; all where nil.
    /// - Returns: whether there was any.
    @discardableResult
    func giveUp(_ bytes: Int? = nil) -> Bool {
        guard let file = try? OpenFile(path, flags: O_RDWR | O_NOFOLLOW), let size = try? file.status.size else {
            return false
        }
        return size > 0 && ftruncate(file.descriptor, off_t(size) - off_t(min(bytes ?? .max, Int(size)))) == 0
    }

    /// Runs a change that makes room in the end. On a disk that is full, the reserve is given up first.
    func duringChange<Value: Sendable>(
        _ body: () async throws(VaultError) -> Value
    ) async throws(VaultError) -> Value {
        var isGivenUp = false
        let before = size
        defer { if isGivenUp { fill(before: before) } }
        if let free = DiskSpace.free(in: path.parent), free < UInt64(bytesMax / 4) { isGivenUp = giveUp() }
        do throws(VaultError) {
            return try await body()
        } catch  where error.code == .quota && !isGivenUp {
            isGivenUp = giveUp()
            guard isGivenUp else { throw error }
            return try await body()
        }
    }

    /// Runs a short write of any kind; on a full disk again, with the reserve given up.
    func duringWrite<Value>(_ body: () throws(VaultError) -> Value) throws(VaultError) -> Value {
        do throws(VaultError) {
            return try body()
        } catch {
            let before = size
            guard error.code == .quota, giveUp() else { throw error }
            defer { fill(before: before) }
            return try body()
        }
    }

    /// Bytes of the reserve that are held now.
    var size: UInt64 { (try? FileStatus(of: path).size) ?? 0 }
}
