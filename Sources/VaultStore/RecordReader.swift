import VaultModel

/// Reads chunks and list nodes back and verifies them.
struct RecordReader: Sendable {
    let vault: UniqueID
    let catalog: any Catalog
    let packs: any PackStore
    /// What is read often and kept far away; nil for none.
    var cache: (any ChunkCache)?

    /// The bytes of chunks, in their order. Records that lie close together are read at once.
    ///
    /// - Parameter verifying: whether the bytes are compared with their digests; if not, only what the
    ///   records' headers say is, and the receiver must compare.
    /// - Throws: `integrity` where a chunk is damaged or missing.
    func chunks(
        _ references: [ChunkReference], verifying: Bool = true
    ) async throws(VaultError) -> [Chunk] {
        guard let cache else { return try await read(references, verifying: verifying) }
        // A digest with another length is another question, which the packs answer.
        let kept = references.map { reference in
            cache.chunk(reference.digest).flatMap { $0.count == Int(reference.span) ? $0 : nil }
        }
        let missing = zip(references, kept).filter { $0.1 == nil }.map(\.0)
        var fetched = missing.isEmpty ? [] : try await read(missing, verifying: verifying)[...]
        return zip(references, kept).map { reference, bytes in
            if let bytes { return Chunk(digest: reference.digest, bytes: bytes) }
            let chunk = fetched.removeFirst()
            cache.fetched(chunk)
            return chunk
        }
    }

    func node(_ digest: Digest) async throws(VaultError) -> ListNode {
        guard let location = try await catalog.locations([digest])[0] else { throw missing(digest) }
        let chunk = try await chunks([ChunkReference(digest: digest, span: UInt64(location.length))])[0]
        guard let node = ListNode(decoding: chunk.bytes.bytes) else {
            throw VaultError(.integrity, "A list node of the vault is damaged.", cause: "node \(digest)")
        }
        return node
    }

    /// The bytes of chunks as the packs have them.
    private func read(
        _ references: [ChunkReference], verifying: Bool
    ) async throws(VaultError) -> [Chunk] {
        var locations = try await catalog.locations(references.map(\.digest))
        var chunks: [Chunk] = []
        chunks.reserveCapacity(references.count)
        var index = 0
        while index < references.count {
            guard let first = locations[index] else { throw missing(references[index].digest) }
            var end = index + 1
            var last = first
            while end < references.count, let next = locations[end], next.pack == first.pack, next.offset == last.end,
                next.end - first.offset <= UInt64(Limits.bufferBytes)
            {
                last = next
                end += 1
            }
            let run = Array(zip(references[index..<end], locations[index..<end].compactMap { $0 }))
            do throws(VaultError) {
                chunks += try await read(run, from: first.offset, to: last.end, verifying: verifying)
                index = end
            } catch  where error.code == .notFound {
                // Collections may move the records and remove their pack after they were looked up, again and again.
                let now = try await catalog.locations(references[index...].map(\.digest))
                guard let moved = now[0], moved != first else {
                    throw VaultError(.integrity, "A pack of the vault is missing.", cause: error.message)
                }
                locations.replaceSubrange(index..., with: now)
            }
        }
        return chunks
    }

    /// Reads neighbouring records of one pack.
    private func read(
        _ run: [(ChunkReference, PackLocation)], from start: UInt64, to end: UInt64, verifying: Bool = true
    ) async throws(VaultError) -> [Chunk] {
        let pack = run[0].1.pack
        let window = try await Window(pack, start..<end, in: packs)
        guard window.count == Int(end - start) else {
            throw VaultError(.integrity, "A pack of the vault is cut short.", cause: "pack \(pack.value)")
        }
        var chunks: [Chunk] = []
        for (reference, location) in run {
            guard let found = record(reference.digest, at: location, in: window, verifying: verifying),
                UInt64(found.header.plainLength) == reference.span
            else { throw damaged(reference.digest, location) }
            chunks.append(Chunk(digest: reference.digest, bytes: found.payload))
        }
        return chunks
    }

    /// Bytes of a pack that were read at once.
    struct Window: Sendable {
        let start: UInt64
        let buffer: Buffer
        /// How many there are; fewer than were asked for where the pack is cut short.
        let count: Int

        init(_ pack: PackID, _ range: Range<UInt64>, in packs: any PackStore) async throws(VaultError) {
            let length = range.count
            start = range.lowerBound
            // A journal group may be longer than what is pooled.
            buffer =
                (1 << 20..<Limits.bufferBytes + 1).contains(length)
                ? BufferPool.transfers.take() : Buffer(byteCount: length)
            count = try await packs.read(
                pack, at: start, into: UnsafeMutableRawBufferPointer(rebasing: buffer.memory[..<length]))
        }
    }

    /// A record of what was read; nil where it is not whole.
    ///
    /// - Parameter verifying: whether the payload is compared with its digest; if not, only what the header says is.
    func record(
        _ digest: Digest, at location: PackLocation, in window: Window, verifying: Bool = true
    ) -> (header: RecordHeader, payload: BufferSlice)? {
        let offset = Int(location.offset - window.start)
        let start = offset + RecordHeader.byteCount
        let end = start + Int(location.length)
        guard end <= window.count, let header = RecordHeader(decoding: Array(window.buffer.memory[offset..<start])),
            header.vault == vault, header.digest == digest, header.storedLength == location.length
        else { return nil }
        let payload = BufferSlice(window.buffer, start..<end)
        guard !verifying || payload.withUnsafeBytes({ Digest(of: $0) }) == digest else { return nil }
        return (header, payload)
    }

    /// The payload of a record, if it is there and whole.
    func payload(_ digest: Digest, at location: PackLocation) async throws(VaultError) -> BufferSlice? {
        let reference = ChunkReference(digest: digest, span: UInt64(location.length))
        do {
            return try await read([(reference, location)], from: location.offset, to: location.end)[0].bytes
        } catch  where error.code == .integrity || error.code == .notFound {
            return nil
        }
    }

    private func missing(_ digest: Digest) -> VaultError {
        VaultError(
            .integrity, "A chunk is damaged or missing: save the file again to heal what uses it.",
            cause: "chunk \(digest)")
    }

    private func damaged(_ digest: Digest, _ location: PackLocation) -> VaultError {
        VaultError(
            .integrity,
            "A chunk is damaged: run 'minivault verify', then save the file again to heal what uses it.",
            cause: "chunk \(digest) in pack \(location.pack.value) at \(location.offset)")
    }
}
