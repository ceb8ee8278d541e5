import Glibc

/// Writes what a vault holds to a local file, completely or not at all.
package struct FileRead: Sendable {
    private let vault: any Vault
    private let meter: TransferMeter?

    package init(from vault: any Vault, meter: TransferMeter? = nil) {
        self.vault = vault
        self.meter = meter
    }

    /// Reads `name` into the file `path`, through a temporary file beside it.
    ///
    /// - Throws: `exists` where `path` is there and may not be overwritten, or is a directory;
    ///   `notFound` where the vault holds nothing under the name.
    package func read(
        _ name: Name, _ selector: Selector = .current, to path: LocalPath, overwrites: Bool = true
    ) async throws(VaultError) -> Entry {
        meter?.begin(name)
        let directory = try OpenFile(path.parent, flags: O_RDONLY | O_DIRECTORY)
        let writer = LocalWriter(directory: directory, overwrites: overwrites)
        if let small = try await vault.readIfSmall(name, selector) {
            meter?.expect(small.entry.size)
            try writer.write(small, as: Array(path.lastComponent), path: path)
            meter?.advance(small.entry.size)
            return small.entry
        }
        let read = try await vault.openRead(name, selector)
        meter?.expect(read.entry.size)
        do {
            try await writer.write(
                read, as: Array(path.lastComponent), path: path, download: Download(from: vault, meter: meter))
        } catch {
            await vault.closeRead(read.id)
            throw error
        }
        await vault.closeRead(read.id)
        return read.entry
    }
}
