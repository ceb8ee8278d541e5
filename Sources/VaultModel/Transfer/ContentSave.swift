/// Saves content that is at hand in memory.
package struct ContentSave: Sendable {
    private let vault: any Vault

    package init(to vault: any Vault) {
        self.vault = vault
    }

    package func save(_ bytes: [UInt8], _ intent: SaveIntent) async throws(VaultError) -> SaveOutcome {
        if bytes.count <= Limits.smallFileBytesMax { return try await saveSmall(bytes, intent) }
        for _ in 0..<Limits.saveAttemptsMax {
            var segments = MemorySegments(bytes)
            let outcome = try await Upload(to: vault).save(intent) { segments.next() }
            if let outcome { return outcome }
        }
        throw .keptBeingCollected(intent.name)
    }

    private func saveSmall(_ bytes: [UInt8], _ intent: SaveIntent) async throws(VaultError) -> SaveOutcome {
        let slice = BufferSlice(copying: bytes)
        let chunk = bytes.isEmpty ? nil : Chunk(digest: Digest(of: bytes), bytes: slice)
        guard let result = try await vault.save([SmallSave(intent: intent, chunk: chunk)]).first else {
            throw VaultError(.internal, "The vault did not answer for '\(intent.name)'.")
        }
        return try result.get()
    }
}

/// Cuts bytes in memory into segments.
private struct MemorySegments {
    private let bytes: [UInt8]
    private var position = 0
    private var segmenter = Segmenter()

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func next() -> Segment? {
        while position < bytes.count {
            if let segment = segmenter.fill(from: bytes, at: &position) { return segment }
        }
        return segmenter.finish()
    }
}

/// Reads a whole content into memory.
package struct ContentRead: Sendable {
    private let vault: any Vault

    package init(from vault: any Vault) {
        self.vault = vault
    }

    package func read(_ name: Name, _ selector: Selector) async throws(VaultError) -> [UInt8] {
        if let small = try await vault.readIfSmall(name, selector) { return small.chunk?.bytes.bytes ?? [] }
        return try await BlockingExecutor.run { () async throws(VaultError) in try await readLarge(name, selector) }
    }

    private func readLarge(_ name: Name, _ selector: Selector) async throws(VaultError) -> [UInt8] {
        let read = try await vault.openRead(name, selector)
        let result: Result<[UInt8], VaultError>
        do throws(VaultError) {
            var bytes: [UInt8] = []
            // A vault far away may name any size.
            bytes.reserveCapacity(Int(clamping: min(read.entry.size, UInt64(Limits.bufferBytes))))
            try await Download(from: vault).stream(read) { bytes.append(contentsOf: $0) }
            result = .success(bytes)
        } catch {
            result = .failure(error)
        }
        await vault.closeRead(read.id)
        return try result.get()
    }
}

extension VaultError {
    /// For a save under which collections kept removing chunks that the vault had said it has.
    package static func keptBeingCollected(_ name: Name) -> VaultError {
        VaultError(
            .unavailable, "Collections kept removing chunks that '\(name)' shares; try again.", name: name,
            isRetryable: true)
    }
}
