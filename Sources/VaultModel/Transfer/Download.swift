import Glibc

/// Reads the content of an open read into a file, several stretches at once.
package struct Download: Sendable {
    private let vault: any Vault
    private let meter: TransferMeter?

    package init(from vault: any Vault, meter: TransferMeter? = nil) {
        self.vault = vault
        self.meter = meter
    }

    /// Writes the whole content of `read` to `file`, from its start.
    package func write(_ read: OpenRead, to file: OpenFile) async throws(VaultError) {
        let size = read.entry.size
        try await mappingErrors {
            try await withThrowingTaskGroup(of: Void.self) { group in
                var position: UInt64 = 0
                var started = 0
                while position < size {
                    try Task.checkCancellation()
                    for batch in try await batches(of: read, from: &position) {
                        if started >= Limits.segmentsInFlight { try await group.next() }
                        started += 1
                        group.addTask {
                            var position = batch[0].position
                            for chunk in try await vault.fetch(batch, of: read.id) {
                                try chunk.bytes.withUnsafeBytes { (bytes) throws(VaultError) in
                                    try file.write(bytes, at: position)
                                }
                                position += UInt64(chunk.bytes.count)
                            }
                            meter?.advance(position - batch[0].position)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    /// Gives `body` the content of `read` from `position`, in order, a chunk at a time.
    package func stream(
        _ read: OpenRead, from start: UInt64 = 0, body: (UnsafeRawBufferPointer) throws(VaultError) -> Void
    ) async throws(VaultError) {
        var position = start
        while position < read.entry.size {
            for batch in try await batches(of: read, from: &position) {
                if Task.isCancelled { throw .cancelled }
                var offset = batch[0].position
                for chunk in try await vault.fetch(batch, of: read.id) {
                    let skipped = start > offset ? Int(start - offset) : 0
                    try chunk.bytes.withUnsafeBytes { (bytes) throws(VaultError) in
                        try body(UnsafeRawBufferPointer(rebasing: bytes[skipped...]))
                    }
                    offset += UInt64(chunk.bytes.count)
                }
                meter?.advance(offset - max(batch[0].position, start))
            }
        }
    }

    /// The next chunks in batches that fit a transfer buffer, and the position behind them.
    private func batches(
        of read: OpenRead, from position: inout UInt64
    ) async throws(VaultError) -> [[PlacedChunk]] {
        let chunks = try await vault.layout(read.id, from: position, count: 64)
        guard let last = chunks.last, last.end > position else {
            throw VaultError(.integrity, "The content of '\(read.entry.name)' ends early.", name: read.entry.name)
        }
        position = last.end
        var batches: [[PlacedChunk]] = []
        var bytes = 0
        for chunk in chunks {
            if batches.isEmpty || bytes + chunk.length > Limits.fetchBytesMax - (1 << 20) {
                batches.append([])
                bytes = 0
            }
            batches[batches.count - 1].append(chunk)
            bytes += chunk.length
        }
        return batches
    }
}
