import FoundationEssentials
package import VaultModel

extension WireIntent {
    package init(_ intent: SaveIntent) {
        self.init()
        name = Data(intent.name.bytes)
        kind = WireKind(intent.kind)
        attributes = WireAttributes(intent.attributes)
        tags = [WireTagPair](intent.tags)
        if let version = intent.ifVersion { ifVersion = version }
        changedWhileRead = intent.changedWhileRead
    }

    /// - Throws: `invalid` for a name that is none.
    package var model: SaveIntent {
        get throws {
            var intent = SaveIntent(
                name: try Name(name), kind: try kind.model, attributes: try attributes.model, tags: tags.model,
                ifVersion: hasIfVersion ? ifVersion : nil)
            intent.changedWhileRead = changedWhileRead
            return intent
        }
    }
}

extension WireOutcome {
    package init(_ outcome: SaveOutcome) {
        self.init()
        entry = WireEntry(outcome.entry)
        created = outcome.isCreated
        newBytes = outcome.newBytes
    }

    package var model: SaveOutcome {
        get throws(WireViolation) {
            let entry = try entry.model
            // As far as the sender knows, all is new.
            guard entry.version > 0 else { return SaveOutcome(entry: entry, isCreated: true, newBytes: entry.size) }
            return SaveOutcome(entry: entry, isCreated: created, newBytes: newBytes)
        }
    }
}

extension WireSmallSaved {
    package init(_ outcomes: [Result<SaveOutcome, VaultError>]) {
        self.init()
        results = outcomes.map { outcome in
            var result = WireSmallResult()
            switch outcome {
            case .success(let outcome): result.outcome = WireOutcome(outcome)
            case .failure(let error): result.failure = WireFailure(error)
            }
            return result
        }
    }

    package var model: [Result<SaveOutcome, VaultError>] {
        get throws(WireViolation) {
            var model: [Result<SaveOutcome, VaultError>] = []
            for result in results {
                switch result.result {
                case .outcome(let outcome): model.append(.success(try outcome.model))
                case .failure(let failure): model.append(.failure(failure.model))
                case nil: throw WireViolation("an empty result of a save")
                }
            }
            return model
        }
    }
}

extension WireNeed {
    package init(_ isNeeded: [Bool]) {
        self.init()
        var bytes = [UInt8](repeating: 0, count: (isNeeded.count + 7) / 8)
        for (index, isNeeded) in isNeeded.enumerated() where isNeeded { bytes[index / 8] |= 1 << UInt8(index % 8) }
        bits = Data(bytes)
    }

    /// - Parameter count: the number of chunks that were offered.
    package func model(count: Int) throws(WireViolation) -> [Bool] {
        let bytes = Array(bits)
        guard bytes.count == (count + 7) / 8 else { throw WireViolation("an answer to other chunks than were offered") }
        return (0..<count).map { bytes[$0 / 8] & 1 << UInt8($0 % 8) != 0 }
    }
}
