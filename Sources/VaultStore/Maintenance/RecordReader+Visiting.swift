import VaultModel

/// Reading records for their own sake, whichever content they are part of.
extension RecordReader {
    /// A record that is expected at a place.
    struct Expected: Sendable {
        var digest: Digest
        var location: PackLocation
        var isGroup = false

        init(_ chunk: StoredChunk) { (digest, location) = (chunk.digest, chunk.location) }
        init(_ group: StoredGroup) { (digest, location, isGroup) = (group.digest, group.location, true) }

        init(_ digest: Digest, at location: PackLocation, isGroup: Bool) {
            (self.digest, self.location, self.isGroup) = (digest, location, isGroup)
        }
    }

    typealias Found = (header: RecordHeader, payload: BufferSlice)

    /// Reads records, those that lie close together at once, in the order of their packs. One that a collection has moved
    /// is found where it is.
    ///
    /// - Parameter body: is told of each record by its index, with its header and payload; nil where it is not there or
    ///   not whole. The payload is part of what was read at once, and is not to be kept.
    func visit(_ records: [Expected], _ body: (Int, Found?) -> Void) async throws(VaultError) {
        var missed: [Int] = []
        try await visitThere(records) { index, found in
            if found == nil { missed.append(index) } else { body(index, found) }
        }
        if missed.isEmpty { return }
        let now = try await locations(of: missed.map { records[$0] })
        var moved: [(index: Int, record: Expected)] = []
        for (index, now) in zip(missed, now) {
            guard let now, now != records[index].location else {
                body(index, nil)
                continue
            }
            moved.append((index, Expected(records[index].digest, at: now, isGroup: records[index].isGroup)))
        }
        try await visitThere(moved.map(\.record)) { body(moved[$0].index, $1) }
    }

    /// Where records are now, as far as anything needs them.
    func locations(of records: [Expected]) async throws(VaultError) -> [PackLocation?] {
        var groups = try await catalog.journalLocations(records.filter(\.isGroup).map(\.digest))[...]
        var chunks = try await catalog.locations(records.filter { !$0.isGroup }.map(\.digest))[...]
        return records.map { $0.isGroup ? groups.removeFirst() : chunks.removeFirst() }
    }

    private func visitThere(_ records: [Expected], _ body: (Int, Found?) -> Void) async throws(VaultError) {
        var rest = records.indices.sorted { records[$0].location.isBefore(records[$1].location) }[...]
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
            let window = try await window(records[first].location.pack, range)
            if window == nil, run.count > 1 {
                // A bad place on a disk is not the fault of all that lies around it.
                for index in run {
                    let alone = try await self.window(records[index].location.pack, records[index].location.range)
                    body(index, alone.flatMap { record(records[index].digest, at: records[index].location, in: $0) })
                }
                continue
            }
            for index in run {
                body(index, window.flatMap { record(records[index].digest, at: records[index].location, in: $0) })
            }
        }
    }

    /// Bytes of a pack; nil where it is not there, or cannot be read.
    private func window(_ pack: PackID, _ range: Range<UInt64>) async throws(VaultError) -> Window? {
        do throws(VaultError) {
            return try await Window(pack, range, in: packs)
        } catch  where error.code == .integrity || error.code == .notFound {
            return nil
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

    /// Those of `chunks` that are damaged or missing, where they are now.
    func unreadable(_ chunks: [StoredChunk]) async throws(VaultError) -> [StoredChunk] {
        var suspects: [Expected] = []
        try await visit(chunks.map { Expected($0) }) { index, found in
            if found == nil { suspects.append(Expected(chunks[index])) }
        }
        if suspects.isEmpty { return [] }
        return zip(suspects, try await locations(of: suspects)).compactMap { suspect, now in
            now.map { StoredChunk(digest: suspect.digest, location: $0, isDamaged: true) }
        }
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
