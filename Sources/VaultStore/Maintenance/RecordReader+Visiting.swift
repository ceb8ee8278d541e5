import VaultModel

/// Reading records for their own sake, whichever content they are part of.
extension RecordReader {
    /// A record that is expected at a place.
    struct Expected: Sendable {
        var digest: Digest
        var location: PackLocation
    }

    /// Reads records, those that lie close together at once, in the order of their packs.
    ///
    /// - Parameter body: is told of each record by its index, with its header and payload; nil where it is not there or
    ///   not whole. The payload is part of what was read at once, and is not to be kept.
    func visit(
        _ records: [Expected], _ body: (Int, (header: RecordHeader, payload: BufferSlice)?) -> Void
    ) async throws(VaultError) {
        let order = records.indices.sorted { records[$0].location.isBefore(records[$1].location) }[...]
        var rest = order
        while let first = rest.first {
            if Task.isCancelled { throw .cancelled }
            var range = records[first].location.range
            let run = rest.prefix { index in
                let location = records[index].location
                let end = max(range.upperBound, location.end)
                guard location.pack == records[first].location.pack,
                    location.offset <= range.upperBound + StoreLimits.gapBytesMax,
                    index == first || end - range.lowerBound <= UInt64(Limits.bufferBytes)
                else { return false }
                range = range.lowerBound..<end
                return true
            }
            rest = rest.dropFirst(run.count)
            let window: Window?
            do throws(VaultError) {
                window = try await Window(records[first].location.pack, range, in: packs)
            } catch  where error.code == .integrity || error.code == .notFound {
                window = nil
            }
            for index in run {
                body(
                    index,
                    window.flatMap { record(records[index].digest, at: records[index].location, in: $0) })
            }
        }
    }

    /// Records as they are stored, to be stored elsewhere; nil for each that is not there or not whole.
    func copies(of records: [Expected]) async throws(VaultError) -> [PackRecord?] {
        var copies: [PackRecord?] = records.map { _ in nil }
        try await visit(records) { index, found in
            // Not a part of what was read at once: little of that may be wanted.
            copies[index] = found.map { header, payload in
                PackRecord(
                    kind: header.kind, digest: header.digest,
                    bytes: payload.withUnsafeBytes { BufferSlice(Buffer(copying: $0), 0..<$0.count) })
            }
        }
        return copies
    }

    /// Those of `chunks` that are damaged or missing.
    func unreadable(_ chunks: [StoredChunk]) async throws(VaultError) -> [StoredChunk] {
        var suspects: [StoredChunk] = []
        try await visit(chunks.map { Expected(digest: $0.digest, location: $0.location) }) { index, found in
            if found == nil { suspects.append(chunks[index]) }
        }
        if suspects.isEmpty { return [] }
        var unreadable: [StoredChunk] = []
        for (chunk, now) in zip(suspects, try await catalog.locations(suspects.map(\.digest))) {
            // A collection may have moved it since it was looked up.
            guard let now else { continue }
            if now != chunk.location, try await payload(chunk.digest, at: now) != nil { continue }
            unreadable.append(StoredChunk(digest: chunk.digest, location: now, isDamaged: true))
        }
        return unreadable
    }
}

extension PackLocation {
    /// The bytes of the record, its header included.
    fileprivate var range: Range<UInt64> { offset..<end }

    /// Whether this is in front of another, in an order of packs that is always the same.
    func isBefore(_ other: PackLocation) -> Bool {
        pack == other.pack ? offset < other.offset : pack.value.high < other.pack.value.high
    }
}
