package import VaultModel

/// Chunks that come by another process than the one which knows their upload: the catalog brings them together.
extension StoredVault {
    /// Stores chunks for an upload of the caller that another process was told of, and records them as its own.
    package func put(
        _ chunks: [Chunk], toElsewhere upload: UploadID, by caller: Caller
    ) async throws(VaultError) {
        if chunks.isEmpty { return }
        try await prepareToWrite()
        let records = chunks.map { PackRecord(kind: .chunk, digest: $0.digest, bytes: $0.bytes) }
        let bytes = records.reduce(0) { $0 + $1.storedBytes }
        try await clearAway(before: bytes)
        // A collection in between makes one store them again.
        for _ in 0..<StoreLimits.elsewhereTriesMax {
            try await catalog.reserve(bytes)
            do throws(VaultError) {
                let appended = try await packs.append(records)
                let unrecorded = UnrecordedChunks(
                    received: zip(records, appended.locations).map {
                        ReceivedChunk(
                            digest: $0.digest, location: $1, hold: appended.hold, isCharged: !caller.readsEverything)
                    }, reservedBytes: bytes)
                let mark = try await catalog.record(
                    unrecorded, of: upload, by: caller.user, at: clock(), mark: nil)
                if mark != nil { return }
            } catch {
                await catalog.giveBack(bytes)
                throw error
            }
        }
        throw VaultError(
            .unavailable, "Collections kept coming between the storing of chunks and their record.", isRetryable: true)
    }

    /// Strikes out what an upload still waits for and other processes have stored for its user.
    func takeWhatCameElsewhere(for upload: UploadID) async throws(VaultError) {
        guard isShared else { return }
        let (expected, user) = try change(upload) { state in (state.expected, state.caller.user) }
        if expected.isEmpty { return }
        let digests = Array(expected.keys)
        let received = try await relying(
            on: catalog.received(digests, by: user), of: digests, for: upload)
        let places = try await catalog.locations(digests)
        try change(upload) { state in
            for (index, digest) in digests.enumerated() where received[index] {
                guard let place = places[index], let span = state.expected[digest], UInt64(place.length) == span else {
                    continue
                }
                state.expected[digest] = nil
                state.newBytes += span
            }
        }
    }
}
