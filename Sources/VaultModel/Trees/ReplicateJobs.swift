/// The work of a replication, entry by entry, and its report.
final class ReplicateJobs {
    private let source: any Vault
    private let target: any Vault
    private let options: TreeOptions
    private let meter: TransferMeter?
    private(set) var report = TreeReport()
    /// Small entries that wait for others to be read and saved together.
    private var batch: [Entry] = []
    private var batchBytes = 0
    /// Entries that something in the target stands in the way of, which is going to be removed.
    private var blocked: [Entry] = []
    private var isLastTry = false

    init(_ source: any Vault, _ target: any Vault, _ options: TreeOptions, _ meter: TransferMeter?) {
        self.source = source
        self.target = target
        self.options = options
        self.meter = meter
    }

    /// Makes the target's name hold what the source's holds.
    ///
    /// - Parameter other: what the target has under the name now.
    func copy(_ entry: Entry, over other: Entry?) async throws(VaultError) {
        meter?.expect(entry.size)
        meter?.begin(entry.name)
        if let other, other.equals(entry) {
            report.skipped += 1
            meter?.advance(entry.size, reused: entry.size)
            return
        }
        if options.isDryRun {
            meter?.advance(entry.size)
            count(entry, newBytes: 0)
            return
        }
        do throws(VaultError) {
            // What a tag is to be gone is said before, so that the save's version has the right ones.
            let superfluous = (other?.tags ?? [:]).filter { entry.tags[$0.key] == nil && $0.key != .changed }
            if other != nil, !superfluous.isEmpty {
                let tags = superfluous.mapValues { _ in TagText?.none }
                _ = try await target.changing(.tag(entry.name, tags))
            }
            if entry.isSmall {
                try await add(entry)
            } else {
                let outcome = try await upload(entry)
                finish(entry, .success(outcome))
            }
        } catch {
            try fail(entry, error)
        }
    }

    /// Saves what still waits.
    func finish() async throws(VaultError) {
        guard !batch.isEmpty else { return }
        let entries = batch
        (batch, batchBytes) = ([], 0)
        let contents = try await source.read(
            entries.map { SmallRead(name: $0.name, selector: .version($0.version), length: Int($0.size)) })
        guard contents.count == entries.count else { throw .unanswered }
        var saves: [(entry: Entry, save: SmallSave)] = []
        for (entry, content) in zip(entries, contents) {
            switch content {
            case .success(let small): saves.append((entry, SmallSave(intent: entry.intent, chunk: small.chunk)))
            case .failure(let error): try fail(entry, error)
            }
        }
        let results = try await target.save(saves.map(\.save))
        guard results.count == saves.count else { throw .unanswered }
        for (saved, result) in zip(saves, results) {
            if case .success(let outcome) = result {
                let size = saved.entry.size
                meter?.advance(size, reused: size - min(outcome.newBytes, size))
            }
            finish(saved.entry, result)
        }
    }

    func remove(_ gone: [Entry]) async throws(VaultError) {
        for start in stride(from: 0, to: gone.count, by: Limits.pageEntries) {
            let page = gone[start..<min(start + Limits.pageEntries, gone.count)]
            if options.isDryRun {
                report.removed += page.count
                continue
            }
            let changes = page.map { Change.remove(NamePrefix($0.name), ifVersion: $0.version) }
            let results = try await target.change(changes)
            guard results.count == page.count else { throw .unanswered }
            for (entry, result) in zip(page, results) {
                switch result {
                case .success: report.removed += 1
                // Gone already is as good as removed, and what has come since is somebody else's.
                case .failure(let error) where [.notFound, .conflict].contains(error.code): break
                case .failure(let error): try fail(entry, error)
                }
            }
        }
    }

    private func add(_ entry: Entry) async throws(VaultError) {
        batch.append(entry)
        batchBytes += Int(entry.size)
        if batch.count >= Limits.batchFilesMax || batchBytes >= Limits.batchBytesMax { try await finish() }
    }

    /// Offers the source's chunks to the target, and moves those that it lacks.
    private func upload(_ entry: Entry) async throws(VaultError) -> SaveOutcome {
        for _ in 0..<Limits.saveAttemptsMax {
            let read = try await source.openRead(entry.name, .version(entry.version))
            let result: Result<SaveOutcome?, VaultError>
            do throws(VaultError) {
                result = .success(try await move(read))
            } catch {
                result = .failure(error)
            }
            await source.closeRead(read.id)
            if let outcome = try result.get() { return outcome }
        }
        throw .keptBeingCollected(entry.name)
    }

    private func move(_ read: OpenRead) async throws(VaultError) -> SaveOutcome? {
        let upload = try await target.beginUpload(read.entry.intent)
        do throws(VaultError) {
            var position: UInt64 = 0
            while position < read.entry.size {
                if Task.isCancelled { throw .cancelled }
                // A layout's answer may be shorter than the content; it is never empty before the end.
                let chunks = try await source.layout(read.id, from: position, count: 8)
                guard let last = chunks.last, last.end > position else {
                    throw VaultError(.integrity, "The content of '\(read.entry.name)' ends early.")
                }
                let needed = try await target.offer(chunks.map(\.reference), to: upload)
                let missing = zip(chunks, needed).filter(\.1).map(\.0)
                for part in missing.fetches(bytesMax: source.transferBytes) {
                    try await target.put(try await source.fetch(part, of: read.id), to: upload)
                }
                let moved = missing.reduce(0) { $0 + $1.reference.span }
                meter?.advance(last.end - position, reused: last.end - position - moved)
                position = last.end
            }
            return try await target.commit(
                upload, content: read.entry.content, changedWhileRead: read.entry.isChangedWhileRead)
        } catch {
            await target.abort(upload)
            throw error
        }
    }

    private func finish(_ entry: Entry, _ result: Result<SaveOutcome, VaultError>) {
        switch result {
        case .success(let outcome): count(entry, newBytes: outcome.newBytes)
        case .failure(let error): fail(alone: entry, error)
        }
    }

    /// Copies what can be copied now that other names are removed, or tells the failure.
    func copyBlocked() async throws(VaultError) {
        isLastTry = true
        let entries = blocked
        blocked = []
        for entry in entries { try await copy(entry, over: nil) }
        try await finish()
    }

    private func fail(alone entry: Entry, _ error: VaultError) {
        if error.code == .exists, options.deletes, !isLastTry {
            blocked.append(entry)
        } else {
            report.failed.append(TreeReport.Failure(path: LocalPath(entry.name.bytes), error: error.about(entry.name)))
        }
    }

    private func count(_ entry: Entry, newBytes: UInt64) {
        report.saved += 1
        report.bytes &+= entry.size
        report.newBytes &+= newBytes
        meter?.finishFile()
    }

    /// - Throws: what is not this one entry's failure.
    private func fail(_ entry: Entry, _ error: VaultError) throws(VaultError) {
        if [.cancelled, .unavailable, .timeout, .internal].contains(error.code) { throw error }
        fail(alone: entry, error)
    }
}

extension Entry {
    /// The save that makes an equal version elsewhere.
    fileprivate var intent: SaveIntent {
        var intent = SaveIntent(
            name: name, kind: kind, attributes: attributes, tags: tags.filter { $0.key != .changed })
        intent.changedWhileRead = isChangedWhileRead
        return intent
    }

    fileprivate func equals(_ other: Entry) -> Bool {
        kind == other.kind && content == other.content && tags == other.tags
            && attributes.mode == other.attributes.mode && attributes.modified == other.attributes.modified
    }
}
