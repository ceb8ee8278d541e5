import Glibc

/// Saves one local file, link or empty directory.
package struct FileSave: Sendable {
    private let vault: any Vault
    private let meter: TransferMeter?
    private let isStrict: Bool

    /// - Parameter isStrict: whether a file that keeps changing is refused with `conflict`, and not saved as it was read.
    package init(to vault: any Vault, meter: TransferMeter? = nil, isStrict: Bool = false) {
        self.vault = vault
        self.meter = meter
        self.isStrict = isStrict
    }

    /// Saves what `path` is, following no link at its end. What one of the process's own descriptors gives, by a path such
    /// as `/dev/stdin`, is saved as a stream.
    ///
    /// - Throws: `invalid` for a directory, socket, pipe or device, and for a file of the vault itself; what opening and
    ///   reading the file, or the vault, throws.
    package func save(
        _ path: LocalPath, as name: Name, tags: [TagText: TagText] = [:], ifVersion: UInt64? = nil
    ) async throws(VaultError) -> SaveOutcome {
        meter?.begin(name)
        try StoreGuard([vault]).checkInUse(path.parent)
        let status = try FileStatus(of: path)
        switch status.kind {
        case .file:
            break
        case .link:
            if let stream = try SpecialFile.ownStream(at: path) {
                let attributes = Attributes(mode: 0o644, modified: currentNanoseconds())
                return try await saveStream(
                    stream, SaveIntent(name: name, attributes: attributes, tags: tags, ifVersion: ifVersion))
            }
            let save = try LocalReader.link(path, as: name, status: status)
            meter?.expect(save.content.size)
            return try await saveSmall(save, tags: tags, ifVersion: ifVersion)
        case .directory:
            throw VaultError(.invalid, "'\(path)' is a directory: use push to save a tree.", path: path)
        case .other:
            throw VaultError(.invalid, "'\(path)' is a socket, a pipe or a device.", path: path)
        }
        meter?.expect(status.size)
        if status.size <= UInt64(Limits.smallFileBytesMax),
            let save = try LocalReader.small(try LocalReader.open(path), as: name, isStrict: isStrict)
        {
            meter?.correct(status.size, to: save.content.size)
            return try await saveSmall(save, tags: tags, ifVersion: ifVersion)
        }
        return try await saveLarge(try LocalReader.open(path), as: name, tags: tags, ifVersion: ifVersion)
    }

    private func saveSmall(
        _ save: SmallSave, tags: [TagText: TagText], ifVersion: UInt64?
    ) async throws(VaultError) -> SaveOutcome {
        var save = save
        save.intent.tags = tags
        save.intent.ifVersion = ifVersion
        guard let result = try await vault.save([save]).first else {
            throw VaultError(.internal, "The vault did not answer for '\(save.intent.name)'.")
        }
        let outcome = try result.get()
        meter?.advance(save.content.size, reused: save.content.size - min(outcome.newBytes, save.content.size))
        return outcome
    }

    /// Saves what an open stream gives until it ends.
    ///
    /// - Throws: `unavailable` where a collection removed a chunk that the content shares: a stream cannot
    ///   be read again.
    package func saveStream(_ stream: OpenFile, _ intent: SaveIntent) async throws(VaultError) -> SaveOutcome {
        var reader = SegmentReader(stream)
        let outcome = try await Upload(to: vault, meter: meter).save(intent) { () throws(VaultError) in
            try reader.next()
        }
        guard let outcome else { throw .keptBeingCollected(intent.name) }
        return outcome
    }

    /// Saves an open file of any size.
    ///
    /// One that keeps changing is saved as it was read last.
    package func saveLarge(
        _ file: OpenFile, as name: Name, tags: [TagText: TagText] = [:], ifVersion: UInt64? = nil
    ) async throws(VaultError) -> SaveOutcome {
        var error = VaultError.keptBeingCollected(name)
        for attempt in 1...Limits.saveAttemptsMax {
            if attempt > 1 {
                try LocalReader.rewind(file)
                meter?.expect(try file.status.size)
            }
            let now = currentNanoseconds()
            let before = try file.status
            let intent = SaveIntent(
                name: name, attributes: before.attributes(now: now), tags: tags, ifVersion: ifVersion)
            var reader = SegmentReader(file)
            var isChanged = false
            // Only for this is the file read again: any other failure stays one.
            var isChangedAgain = false
            do throws(VaultError) {
                let upload = Upload(to: vault, meter: meter)
                let outcome = try await upload.save(
                    intent, wasChanged: { isChanged },
                    segments: { () throws(VaultError) in
                        let segment = try reader.next()
                        // The last look comes before the commit: what has changed is read once more.
                        if segment == nil, try file.status.differs(from: before) {
                            isChanged = true
                            if isStrict || attempt < Limits.readAttemptsMax {
                                isChangedAgain = true
                                throw LocalReader.changed(file.path)
                            }
                        }
                        return segment
                    })
                if let outcome { return outcome }
            } catch let failure {
                // A server that was started anew knows nothing of the upload; it has the chunks all the same.
                let isForgotten = failure.code == .unavailable && failure.isRetryable && !failure.isUncertain
                guard isChangedAgain || isForgotten else { throw failure }
                error = failure
            }
        }
        throw error
    }
}

/// Reads a file's content as segments.
struct SegmentReader {
    private let file: OpenFile
    private var segmenter: Segmenter
    private var isAtEnd = false

    init(_ file: OpenFile) {
        self.file = file
        // A stream has no size to go by.
        let status = try? file.status
        segmenter = Segmenter(expecting: status?.kind == .file ? status?.size : nil)
        posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
    }

    mutating func next() throws(VaultError) -> Segment? {
        while !isAtEnd {
            let space = segmenter.space
            let count = try file.read(into: space)
            isAtEnd = count < space.count
            if let segment = segmenter.fill(count) { return segment }
        }
        return segmenter.finish()
    }
}

extension FileStatus {
    /// Whether the file was written to, replaced or given other attributes between two looks.
    func differs(from other: FileStatus) -> Bool {
        size != other.size || modified != other.modified || changed != other.changed || inode != other.inode
    }
}
