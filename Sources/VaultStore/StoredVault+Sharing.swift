import Synchronization
import VaultModel

/// What a caller may learn of the chunks that the vault has already.
extension StoredVault {
    /// Which chunks the sender of an upload need not put, because the vault has them and he may know it.
    func known(_ digests: [Digest], to upload: UploadID) async throws(VaultError) -> [Bool] {
        let (caller, hasLooked) = try change(upload) { state in (state.caller, state.current != nil) }
        switch caller.sharing {
        case .everything:
            return try await relying(on: digests.map { _ in true }, of: digests, for: upload)
        case .own(let readable):
            if !hasLooked { try await lookUpCurrent(of: upload, readable: readable) }
            let own = try await catalog.received(digests, by: caller.user)
            let isCurrent = try change(upload) { state in digests.map { state.current?.contains($0) ?? false } }
            // A chunk of a version that he may read is no upload's own: that would let him name it elsewhere, too.
            let isThere = isCurrent.contains(true) ? try await catalog.known(digests) : isCurrent
            let received = try await relying(on: own, of: digests, for: upload)
            return digests.indices.map { received[$0] || (isCurrent[$0] && isThere[$0]) }
        }
    }

    /// Has an upload rely on what it need not put, so that no other upload's end takes it away.
    ///
    /// - Parameter mayKnow: of which of the digests the upload may know that the vault has them.
    /// - Returns: which of these are there.
    func relying(on mayKnow: [Bool], of digests: [Digest], for upload: UploadID) async throws(VaultError) -> [Bool] {
        let wanted = digests.indices.filter { mayKnow[$0] }
        if wanted.isEmpty { return mayKnow }
        let (caller, mark) = try change(upload) { ($0.caller, $0.mark) }
        let reliance = try await catalog.rely(
            on: wanted.map { digests[$0] }, for: upload, of: caller.user, isCharged: !caller.readsEverything,
            at: clock(), mark: mark)
        var left = mayKnow
        for (place, index) in wanted.enumerated() { left[index] = reliance?.areThere[place] ?? false }
        try change(upload) { state in
            if let reliance { state.mark = reliance.mark } else { state.hasLost = true }
        }
        return left
    }

    /// Which records that a caller brings are left out, because the vault has them and he may know it.
    func dispensable(_ digests: [Digest], from caller: Caller) async throws(VaultError) -> [Bool] {
        // Who may not read everything pays for all in the same way: with a write, a sync and a part of the quota.
        caller.readsEverything ? try await catalog.known(digests) : digests.map { _ in false }
    }

    /// Remembers the chunks of what the upload's name holds now, if its caller may read it.
    private func lookUpCurrent(
        of upload: UploadID, readable: @Sendable (Name) -> Bool
    ) async throws(VaultError) {
        let name = try change(upload) { state in
            state.current = []
            return state.intent.name
        }
        guard readable(name), let content = try await catalog.stat(name, .current)?.content, content.size > 0 else {
            return
        }
        if content.depth == 0 {
            _ = remember([content.root], as: upload)
            return
        }
        var pending = [(digest: content.root, level: content.depth)]
        while let (digest, level) = pending.popLast() {
            // What cannot be read any more is asked for, which heals it.
            guard let node = try? await recordReader.node(digest), node.level == level else { continue }
            if level > 1 {
                pending += node.references.reversed().map { ($0.digest, level - 1) }
            } else if !remember(node.references.map(\.digest), as: upload) {
                return
            }
        }
    }

    /// - Returns: false where uploads remember enough, or this one is over.
    private func remember(_ digests: [Digest], as upload: UploadID) -> Bool {
        uploads.withLock { uploads in
            let count = uploads.values.reduce(0) { $0 + ($1.current?.count ?? 0) }
            guard count + digests.count <= StoreLimits.currentChunksMax else { return false }
            uploads[upload]?.current?.formUnion(digests)
            return uploads[upload] != nil
        }
    }
}
