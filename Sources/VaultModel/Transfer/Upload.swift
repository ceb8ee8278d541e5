/// Saves one content of any size: cut, hashed and stored by overlapping stages, with bounded memory.
package struct Upload: Sendable {
    private let vault: any Vault
    private let meter: TransferMeter?

    package init(to vault: any Vault, meter: TransferMeter? = nil) {
        self.vault = vault
        self.meter = meter
    }

    /// Saves the segments that `next` gives until it gives nil.
    ///
    /// - Parameter wasChanged: tells at the end whether the source changed while it was read.
    /// - Returns: nil where a collection removed a chunk under the upload: try again from the start.
    /// - Throws: what the vault or `next` throws. The upload's chunks are kept, so that saving the
    ///   same content again sends the rest only.
    package func save(
        _ intent: SaveIntent, wasChanged: () -> Bool = { false },
        segments next: () async throws(VaultError) -> Segment?
    ) async throws(VaultError) -> SaveOutcome? {
        let upload = try await vault.beginUpload(intent)
        do {
            let content = try await send(to: upload, segments: next)
            return try await vault.commit(upload, content: content, changedWhileRead: wasChanged())
        } catch {
            await vault.abort(upload)
            throw error
        }
    }

    private func send(
        to upload: UploadID, segments next: () async throws(VaultError) -> Segment?
    ) async throws(VaultError) -> Content {
        let list = ContentList()
        let gate = OrderedGate()
        try await mappingErrors {
            try await withThrowingTaskGroup(of: Void.self) { group in
                var turn = 0
                while let segment = try await next() {
                    try Task.checkCancellation()
                    if turn >= Limits.segmentsInFlight { try await group.next() }
                    let current = turn
                    group.addTask {
                        try await send(segment, turn: current, through: gate, list: list, to: upload)
                    }
                    turn += 1
                }
                try await group.waitForAll()
            }
        }
        return list.finish()
    }

    private func send(
        _ segment: Segment, turn: Int, through gate: OrderedGate, list: ContentList, to upload: UploadID
    ) async throws(VaultError) {
        let chunks = segment.hashed()
        let references = chunks.map(\.reference)
        let isNeeded = try await gate.pass(turn) { () async throws(VaultError) -> [Bool] in
            list.append(references)
            return try await vault.offer(references, to: upload)
        }
        var missing = zip(chunks, isNeeded).filter { $0.1 }.map(\.0)[...]
        let reused = references.reduce(0) { $0 + $1.span } - missing.reduce(0) { $0 + $1.reference.span }
        meter?.advance(reused, reused: reused)
        while !missing.isEmpty {
            let part = missing.prefix(bytesMax: vault.transferBytes)
            missing = missing.dropFirst(part.count)
            try await vault.put(Array(part), to: upload)
            meter?.advance(part.reduce(0) { $0 + $1.reference.span })
        }
    }
}

extension ArraySlice<Chunk> {
    /// The first chunks, of so many bytes at most, but one at least.
    fileprivate func prefix(bytesMax: Int) -> ArraySlice<Chunk> {
        var bytes = 0
        return prefix { chunk in
            bytes += chunk.bytes.count
            return bytes == chunk.bytes.count || bytes <= bytesMax
        }
    }
}

/// The list of a content under construction.
///
/// `@unchecked Sendable`: used by one task at a time, in the order of an `OrderedGate`.
private final class ContentList: @unchecked Sendable {
    private var builder = ListBuilder()

    func append(_ references: [ChunkReference]) {
        for reference in references { builder.append(reference) { _ in } }
    }

    func finish() -> Content {
        builder.finish { _ in }
    }
}
