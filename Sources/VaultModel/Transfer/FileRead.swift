import Glibc

/// Writes what a vault holds to a local file, completely or not at all.
package struct FileRead: Sendable {
    private let vault: any Vault
    private let meter: TransferMeter?

    package init(from vault: any Vault, meter: TransferMeter? = nil) {
        self.vault = vault
        self.meter = meter
    }

    /// Reads `name` into the file `path`, through a temporary file beside it; a device, a pipe or `/dev/stdout` is
    /// written into.
    ///
    /// - Parameter whenRefused: called where the file system refuses the file's mode or time.
    /// - Throws: `exists` where `path` is there and may not be overwritten, or is a directory; `notFound` where the vault
    ///   holds nothing under the name; `invalid` in the directory of a vault or a server.
    package func read(
        _ name: Name, _ selector: Selector = .current, to path: LocalPath, overwrites: Bool = true,
        whenRefused: () -> Void = {}
    ) async throws(VaultError) -> Entry {
        meter?.begin(name)
        if let special = try await SpecialFile.open(path) {
            if !overwrites { throw VaultError(.exists, "'\(path)' exists already.", path: path) }
            return try await stream(name, selector, into: special)
        }
        try StoreGuard([vault]).check(path.parent)
        let directory = try OpenFile(path.parent, flags: O_RDONLY | O_DIRECTORY)
        let writer = LocalWriter(directory: directory, overwrites: overwrites)
        if let small = try await vault.readIfSmall(name, selector) {
            meter?.expect(small.entry.size)
            let attributing = try writer.write(small, as: Array(path.lastComponent), path: path)
            if attributing == .refused { whenRefused() }
            meter?.advance(small.entry.size)
            return small.entry
        }
        let read = try await vault.openRead(name, selector)
        meter?.expect(read.entry.size)
        do throws(VaultError) {
            let attributing = try await writer.write(
                read, as: Array(path.lastComponent), path: path, download: Download(from: vault, meter: meter))
            if attributing == .refused { whenRefused() }
        } catch {
            await vault.closeRead(read.id)
            throw error
        }
        await vault.closeRead(read.id)
        return read.entry
    }

    private func stream(
        _ name: Name, _ selector: Selector, into special: OpenFile
    ) async throws(VaultError) -> Entry {
        let read = try await vault.openRead(name, selector)
        meter?.expect(read.entry.size)
        do throws(VaultError) {
            try await Download(from: vault, meter: meter).stream(read) { (bytes) throws(VaultError) in
                try special.append(bytes)
            }
        } catch {
            await vault.closeRead(read.id)
            throw error
        }
        await vault.closeRead(read.id)
        return read.entry
    }
}
