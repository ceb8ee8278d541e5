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

    /// Reads records, those that lie close together at once, in the order of their packs.
    ///
    /// - Parameters:
    ///   - follows: whether a record that a collection has moved is read where it is now.
    ///   - body: is told of each record by its index, with the place where it was looked for, and its header and payload;
    ///     nil where it is not there or not whole. The payload is part of what was read at once, and is not to be kept.
    func visit(
        _ records: [Expected], follows: Bool = true, _ body: (Int, PackLocation, Found?) -> Void
    ) async throws(VaultError) {
        var rest = records.enumerated().map { (index: $0.offset, record: $0.element) }
        while !rest.isEmpty {
            var missed: [(index: Int, record: Expected)] = []
            try await visitThere(rest.map(\.record)) { index, found in
                let (place, record) = rest[index]
                if found == nil, follows { missed.append(rest[index]) } else { body(place, record.location, found) }
            }
            if missed.isEmpty { return }
            rest = []
            for (missed, now) in zip(missed, try await locations(of: missed.map(\.record))) {
                if let now, now != missed.record.location {
                    let record = Expected(missed.record.digest, at: now, isGroup: missed.record.isGroup)
                    rest.append((missed.index, record))
                } else {
                    body(missed.index, missed.record.location, nil)
                }
            }
        }
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
            let window: Window?
            do throws(VaultError) {
                window = try await Window(records[first].location.pack, range, in: packs)
            } catch  where error.code == .notFound {
                window = nil
            } catch  where error.code == .integrity {
                // A bad place on a disk is not the fault of all that lies around it.
                for index in run {
                    let record = records[index]
                    body(index, run.count == 1 ? nil : try await self.record(record.digest, alone: record.location))
                }
                continue
            }
            for index in run {
                body(index, window.flatMap { record(records[index].digest, at: records[index].location, in: $0) })
            }
        }
    }

    private func record(_ digest: Digest, alone location: PackLocation) async throws(VaultError) -> Found? {
        do throws(VaultError) {
            return record(digest, at: location, in: try await Window(location.pack, location.range, in: packs))
        } catch  where error.code == .integrity || error.code == .notFound {
            return nil
        }
    }

    /// Records as they are stored, to be stored elsewhere; nil for each that is not there or not whole.
    func copies(of records: [Expected], follows: Bool = true) async throws(VaultError) -> [PackRecord?] {
        var copies: [PackRecord?] = records.map { _ in nil }
        try await visit(records, follows: follows) { index, _, found in
            // Not a part of what was read at once: little of that may be wanted.
            copies[index] = found.map { header, payload in
                PackRecord(
                    kind: header.kind, digest: header.digest,
                    bytes: payload.withUnsafeBytes { BufferSlice(Buffer(copying: $0), 0..<$0.count) })
            }
        }
        return copies
    }

    /// Those of `chunks` that are damaged or missing, where they were looked for last. What is no longer needed is no loss.
    func unreadable(_ chunks: [StoredChunk]) async throws(VaultError) -> [StoredChunk] {
        var suspects: [Expected] = []
        try await visit(chunks.map { Expected($0) }) { index, location, found in
            if found == nil { suspects.append(Expected(chunks[index].digest, at: location, isGroup: false)) }
        }
        return try await needed(suspects).map {
            StoredChunk(digest: $0.digest, location: $0.location, isDamaged: true)
        }
    }

    /// Those of `records` that something still needs where they are.
    func needed(_ records: [Expected]) async throws(VaultError) -> [Expected] {
        zip(records, try await locations(of: records)).filter { $0.location == $1 }.map(\.0)
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
