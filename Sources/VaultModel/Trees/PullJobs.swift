import Glibc
import Synchronization

/// The work of a pull's children, and the report that they share.
final class PullJobs: Sendable {
    private let vault: any Vault
    private let options: TreeOptions
    private let meter: TransferMeter?
    private let onEvent: @Sendable (TreeEvent) -> Void
    private let state = Mutex(TreeReport())

    init(
        vault: any Vault, options: TreeOptions, meter: TransferMeter?,
        onEvent: @escaping @Sendable (TreeEvent) -> Void
    ) {
        self.vault = vault
        self.options = options
        self.meter = meter
        self.onEvent = onEvent
    }

    var report: TreeReport { state.withLock { $0 } }

    func fail(_ path: LocalPath, _ error: VaultError) {
        // What ends the pull as a whole is not one file's failure.
        if error.code == .cancelled { return }
        state.withLock { $0.failed.append(TreeReport.Failure(path: path, error: error)) }
        onEvent(.failed(path, error))
    }

    /// Writes one entry, unless what is there is the same.
    func write(_ entry: Entry, to place: LocalPlace) async {
        do throws(VaultError) {
            meter?.begin(entry.name)
            meter?.expect(entry.size)
            if try isSame(entry, place) {
                state.withLock { $0.skipped += 1 }
                meter?.advance(entry.size, reused: entry.size)
                return
            }
            if options.isDryRun {
                onEvent(.wouldSave(place.path, entry.name))
            } else {
                try await replace(entry, place)
                onEvent(.wrote(place.path, entry))
            }
            meter?.finishFile()
            state.withLock { state in
                state.saved += 1
                state.bytes += entry.size
                state.newBytes += entry.size
            }
        } catch {
            fail(place.path, error)
        }
    }

    private func replace(_ entry: Entry, _ place: LocalPlace) async throws(VaultError) {
        guard let directory = place.directory else { return }
        // By the listing's snapshot, since the name may be younger than its version.
        let read = try await vault.openRead(entry.name, options.selector)
        let result: Result<Void, VaultError>
        do throws(VaultError) {
            result = .success(
                try await LocalWriter(directory: directory, overwrites: options.overwrites)
                    .write(
                        read, as: place.component, path: place.path, download: Download(from: vault, meter: meter)))
        } catch {
            result = .failure(error)
        }
        await vault.closeRead(read.id)
        try result.get()
    }

    private func isSame(_ entry: Entry, _ place: LocalPlace) throws(VaultError) -> Bool {
        guard let directory = place.directory, let status = try? FileStatus(of: place.component, in: directory),
            status.isSameKind(as: entry)
        else { return false }
        switch status.kind {
        case .directory:
            return status.mode == entry.attributes.mode
        case .file where !options.checksum:
            return status.size == entry.size && status.modified == entry.attributes.modified
                && status.mode == entry.attributes.mode
        case .file, .link:
            guard status.size == entry.size, status.modified == entry.attributes.modified else { return false }
            return try LocalDigest.content(
                place.path, at: directory, component: place.component, status: status) == entry.content
        case .other:
            return false
        }
    }
}
