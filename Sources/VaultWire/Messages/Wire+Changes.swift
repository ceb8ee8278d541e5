import FoundationEssentials
package import VaultModel

extension WireOneChange {
    package init(_ change: Change) {
        self.init()
        switch change {
        case .remove(let prefix, let ifVersion):
            remove.prefix = prefix.wire
            if let ifVersion { remove.ifVersion = ifVersion }
        case .rename(let from, let to):
            rename.from = Data(from.bytes)
            rename.to = Data(to.bytes)
        case .copy(let from, let to):
            copy.from = Data(from.bytes)
            copy.to = Data(to.bytes)
        case .revert(let name, let version):
            revert.name = Data(name.bytes)
            revert.version = version
        case .tag(let name, let tags):
            tag.name = Data(name.bytes)
            tag.set = tags.wireSet
            tag.clear = tags.wireClear
        }
    }

    /// - Throws: `invalid` for names that are none.
    package var model: Change {
        get throws(VaultError) {
            switch kind {
            case .remove(let remove):
                return .remove(
                    try NamePrefix(wire: remove.prefix), ifVersion: remove.hasIfVersion ? remove.ifVersion : nil)
            case .rename(let rename): return .rename(from: try Name(rename.from), to: try Name(rename.to))
            case .copy(let copy): return .copy(from: try Name(copy.from), to: try Name(copy.to))
            case .revert(let revert): return .revert(try Name(revert.name), version: revert.version)
            case .tag(let tag):
                return .tag(try Name(tag.name), [TagText: TagText?](set: tag.set, clear: tag.clear))
            case nil: throw VaultError(.invalid, "A change says nothing of what to change.")
            }
        }
    }
}

extension WireChanged {
    package init(_ outcomes: [Result<ChangeOutcome, VaultError>]) {
        self.init()
        results = outcomes.map { outcome in
            var result = WireChangeResult()
            switch outcome {
            case .success(let outcome):
                result.outcome.count = UInt64(outcome.count)
                if let entry = outcome.entry { result.outcome.entry = WireEntry(entry) }
            case .failure(let error): result.failure = WireFailure(error)
            }
            return result
        }
    }

    package var model: [Result<ChangeOutcome, VaultError>] {
        get throws(WireViolation) {
            var model: [Result<ChangeOutcome, VaultError>] = []
            for result in results {
                switch result.result {
                case .outcome(let outcome):
                    let entry = outcome.hasEntry ? try outcome.entry.model : nil
                    model.append(.success(ChangeOutcome(count: Int(clamping: outcome.count), entry: entry)))
                case .failure(let failure): model.append(.failure(failure.model))
                case nil: throw WireViolation("an empty result of a change")
                }
            }
            return model
        }
    }
}

extension WireKeep {
    package init(_ prefix: NamePrefix, _ policy: KeepPolicy, calendar: CivilCalendar, isDryRun: Bool) {
        self.init()
        self.prefix = prefix.wire
        last = UInt32(clamping: policy.last)
        daily = UInt32(clamping: policy.daily)
        weekly = UInt32(clamping: policy.weekly)
        monthly = UInt32(clamping: policy.monthly)
        withinSeconds = policy.within
        zone = calendar.identifier
        dryRun = isDryRun
    }

    package var policy: KeepPolicy {
        var policy = KeepPolicy()
        policy.last = Int(last)
        policy.daily = Int(daily)
        policy.weekly = Int(weekly)
        policy.monthly = Int(monthly)
        policy.within = withinSeconds
        return policy
    }

    package var calendar: CivilCalendar {
        get throws(VaultError) { zone.isEmpty ? .utc : try CivilCalendar(zone: zone) }
    }
}

extension WireKept {
    package init(_ report: KeepReport) {
        self.init()
        keptVersions = UInt64(report.keptVersions)
        droppedVersions = UInt64(report.droppedVersions)
        forgottenNames = UInt64(report.forgottenNames)
        rejectedNames = UInt64(report.rejectedNames)
        rejections = report.rejections.map { WireFailure($0) }
    }

    package var model: KeepReport {
        var report = KeepReport()
        report.keptVersions = Int(clamping: keptVersions)
        report.droppedVersions = Int(clamping: droppedVersions)
        report.forgottenNames = Int(clamping: forgottenNames)
        report.rejectedNames = Int(clamping: rejectedNames)
        for rejection in rejections { report.tell(rejection.model) }
        return report
    }
}

extension WireCollected {
    package init(_ report: CollectionReport) {
        self.init()
        removedChunks = UInt64(report.removedChunks)
        freedBytes = report.freedBytes
        keptBytes = report.keptBytes
        changedPacks = UInt64(report.changedPacks)
        for retained in report.retained {
            switch retained.reason {
            case .reads: reads = WireRetained(retained)
            case .uploads: uploads = WireRetained(retained)
            case .packs: packs = WireRetained(retained)
            case .writing: writing = WireRetained(retained)
            }
        }
    }

    package var model: CollectionReport {
        var report = CollectionReport()
        report.removedChunks = Int(clamping: removedChunks)
        report.freedBytes = freedBytes
        report.keptBytes = keptBytes
        report.changedPacks = Int(clamping: changedPacks)
        if hasReads { report.retained.append(reads.model(.reads)) }
        if hasUploads { report.retained.append(uploads.model(.uploads)) }
        if hasPacks { report.retained.append(packs.model(.packs)) }
        if hasWriting { report.retained.append(writing.model(.writing)) }
        return report
    }
}

extension WireRetained {
    fileprivate init(_ retained: CollectionReport.Retained) {
        self.init()
        count = UInt64(clamping: retained.count)
        bytes = retained.bytes
        if let endsAt = retained.endsAt { self.endsAt = endsAt }
    }

    fileprivate func model(_ reason: CollectionReport.Retained.Reason) -> CollectionReport.Retained {
        CollectionReport.Retained(
            reason, count: Int(clamping: count), bytes: bytes, endsAt: hasEndsAt ? endsAt : nil)
    }
}

extension WireVerified {
    package init(_ report: VerifyReport) {
        self.init()
        checkedChunks = UInt64(report.checkedChunks)
        checkedBytes = report.checkedBytes
        damagedChunks = UInt64(report.damagedChunks)
        problems = report.problems
        damaged = report.damaged.map { damaged in
            var wire = WireDamagedVersion()
            wire.name = Data(damaged.name.bytes)
            wire.version = damaged.version
            return wire
        }
    }

    package var model: VerifyReport {
        get throws(WireViolation) {
            var report = VerifyReport()
            report.checkedChunks = Int(clamping: checkedChunks)
            report.checkedBytes = checkedBytes
            report.damagedChunks = Int(clamping: damagedChunks)
            report.problems = problems.map { printable($0) }
            for damaged in damaged {
                report.damaged.append(
                    VerifyReport.DamagedVersion(name: try Name(wire: damaged.name), version: damaged.version))
            }
            return report
        }
    }
}
