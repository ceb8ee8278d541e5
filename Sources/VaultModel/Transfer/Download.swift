import Glibc

/// Reads the content of an open read into a file, several stretches at once.
package struct Download: Sendable {
    private let vault: any Vault
    private let meter: TransferMeter?

    package init(from vault: any Vault, meter: TransferMeter? = nil) {
        self.vault = vault
        self.meter = meter
    }

    /// Writes the whole content of `read` to `file`, from its start; long runs of zeros become holes.
    ///
    /// - Parameter isFresh: whether the file is empty. In another one, chunks that are there already are not fetched.
    /// - Throws: `integrity` where the vault's chunks are not the content that the entry names.
    package func write(_ read: OpenRead, to file: OpenFile, isFresh: Bool = true) async throws(VaultError) {
        let size = read.entry.size
        var list = ListBuilder()
        // One stretch is written at a time: threads that wait for the file's own lock would burn the processor.
        let writing = AsyncLock()
        try await mappingErrors {
            try await withThrowingTaskGroup(of: Void.self) { group in
                var position: UInt64 = 0
                var started = 0
                while position < size {
                    for batch in try await batches(of: read, from: &position) {
                        try Task.checkCancellation()
                        for chunk in batch { list.append(chunk.reference) { _ in } }
                        if started >= Limits.segmentsInFlight { try await group.next() }
                        started += 1
                        group.addTask {
                            let missing = isFresh ? batch : try batch.missing(in: file)
                            let count = batch.reduce(0) { $0 + UInt64($1.length) }
                            let there = count - missing.reduce(0) { $0 + UInt64($1.length) }
                            meter?.advance(there, reused: there)
                            if missing.isEmpty { return }
                            let chunks = try await fetch(missing, of: read)
                            try await writing.withLock { () throws(VaultError) in
                                try file.write(chunks, at: missing, isFresh: isFresh)
                            }
                            meter?.advance(count - there)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        try check(&list, of: read)
        try file.resize(to: size)
    }

    /// Gives `body` the content of `read` from `start`, in order, a chunk at a time.
    ///
    /// - Throws: what `body` throws; `integrity` where the vault's chunks do not fit the entry. Whether they
    ///   are all of its content is known at the end, and only where the start was 0.
    package func stream(
        _ read: OpenRead, from start: UInt64 = 0, body: (UnsafeRawBufferPointer) throws(VaultError) -> Void
    ) async throws(VaultError) {
        var position = start
        var list = ListBuilder()
        while position < read.entry.size {
            for batch in try await batches(of: read, from: &position) {
                if Task.isCancelled { throw .cancelled }
                for chunk in batch { list.append(chunk.reference) { _ in } }
                var offset = batch[0].position
                for chunk in try await fetch(batch, of: read) {
                    let skipped = start > offset ? Int(start - offset) : 0
                    try chunk.bytes.withUnsafeBytes { (bytes) throws(VaultError) in
                        try body(UnsafeRawBufferPointer(rebasing: bytes[skipped...]))
                    }
                    offset += UInt64(chunk.bytes.count)
                }
                meter?.advance(offset - max(batch[0].position, start))
            }
        }
        if start == 0 { try check(&list, of: read) }
    }

    /// Compares the list of what was fetched with what the entry names.
    private func check(_ list: inout ListBuilder, of read: OpenRead) throws(VaultError) {
        let (found, named) = (list.finish { _ in }, read.entry.content)
        guard (found.size, found.depth, found.root) == (named.size, named.depth, named.root) else {
            throw Download.integrity(of: read, "is not what its digest names")
        }
    }

    /// The next chunks in batches that fit a transfer buffer, and the position behind them.
    private func batches(
        of read: OpenRead, from position: inout UInt64
    ) async throws(VaultError) -> [[PlacedChunk]] {
        let chunks = try await vault.layout(read.id, from: position, count: 64)
        guard let first = chunks.first else { throw Download.integrity(of: read, "ends early") }
        var end = first.position
        for chunk in chunks {
            guard chunk.position == end, end < read.entry.size, chunk.reference.span > 0,
                chunk.reference.span <= min(read.entry.size - end, UInt64(Limits.bufferBytes))
            else { throw Download.integrity(of: read, "has chunks that do not fit it") }
            end = chunk.end
        }
        guard first.position <= position, first.end > position else {
            throw Download.integrity(of: read, "has chunks that do not fit it")
        }
        position = end
        return chunks.fetches(bytesMax: vault.transferBytes)
    }

    private func fetch(_ batch: [PlacedChunk], of read: OpenRead) async throws(VaultError) -> [Chunk] {
        let chunks = try await vault.fetch(batch, of: read.id)
        guard chunks.map(\.reference) == batch.map(\.reference) else {
            throw Download.integrity(of: read, "has other chunks than it should")
        }
        return chunks
    }

    private static func integrity(of read: OpenRead, _ problem: String) -> VaultError {
        VaultError(.integrity, "The content of '\(read.entry.name)' \(problem).", name: read.entry.name)
    }
}

extension OpenFile {
    fileprivate func write(_ chunks: [Chunk], at places: [PlacedChunk], isFresh: Bool) throws(VaultError) {
        for (chunk, place) in zip(chunks, places) {
            try chunk.bytes.withUnsafeBytes { (bytes) throws(VaultError) in
                if isFresh {
                    try writeSparsely(bytes, at: place.position)
                } else {
                    try write(bytes, at: place.position)
                }
            }
        }
    }
}

extension [PlacedChunk] {
    /// The chunks that a file does not have at their places.
    fileprivate func missing(in file: OpenFile) throws(VaultError) -> [PlacedChunk] {
        var missing: [PlacedChunk] = []
        for chunk in self {
            let buffer = Buffer(byteCount: chunk.length)
            let count = try file.read(into: buffer.memory, at: chunk.position)
            let isThere =
                count == chunk.length && Digest(of: UnsafeRawBufferPointer(buffer.memory)) == chunk.reference.digest
            if !isThere { missing.append(chunk) }
        }
        return missing
    }

    /// The chunks in parts for one fetch each, of so many bytes at most where they are not larger.
    func fetches(bytesMax: Int) -> [[PlacedChunk]] {
        var parts: [[PlacedChunk]] = []
        var bytes = 0
        for chunk in self {
            if parts.isEmpty || bytes + chunk.length > bytesMax {
                parts.append([])
                bytes = 0
            }
            parts[parts.count - 1].append(chunk)
            bytes += chunk.length
        }
        return parts
    }
}
