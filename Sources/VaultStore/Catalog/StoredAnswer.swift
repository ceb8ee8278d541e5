package import VaultModel

/// What a call was answered, as the catalog keeps it for a repetition.
///
/// A batch of small saves is to be one short row, so that of each only numbers are kept: the names come
/// with the repetition. Encoded as the format (1 byte), the fingerprint of the call (8), the number of
/// results (varint), then for each its kind (1 byte) and its fields in the order of ``write(_:to:)``.
package struct StoredAnswer: Sendable {
    package enum Result: Sendable {
        case failed(VaultError)
        case small(isCreated: Bool, newBytes: UInt64, version: UInt64, sequence: UInt64)
        case uploaded(SaveOutcome)
        case collected
        case changed(ChangeOutcome)
    }

    private static let format: UInt8 = 1

    /// Tells whether a call is the same again.
    package var fingerprint: UInt64
    package var results: [Result]

    package init(_ results: [Swift.Result<CommitResult, VaultError>], to call: CommitCall) {
        fingerprint = call.fingerprint
        var reasonBytes = 0
        self.results = zip(call.requests, results).map { request, result in
            switch result {
            case .failure(let error):
                // Whoever has failed knows why as a rule: only of so many reasons a repetition is told the whole.
                reasonBytes += error.message.utf8.count + (error.name?.bytes.count ?? 0)
                return .failed(reasonBytes > StoreLimits.answerReasonsBytes ? error.withoutReason : error)
            case .success(.collected): return .collected
            case .success(.changed(let outcome)): return .changed(outcome)
            case .success(.saved(let outcome)):
                if case .save(let save) = request, save.upload == nil {
                    return .small(
                        isCreated: outcome.isCreated, newBytes: outcome.newBytes, version: outcome.entry.version,
                        sequence: outcome.entry.sequence)
                } else {
                    return .uploaded(outcome)
                }
            }
        }
    }

    package var encoded: [UInt8] {
        var bytes = ByteWriter(reserving: 16 + results.count * 12)
        bytes.write(StoredAnswer.format)
        bytes.write(fingerprint)
        bytes.writeVarint(UInt64(results.count))
        for result in results { StoredAnswer.write(result, to: &bytes) }
        return bytes.bytes
    }

    package init(decoding bytes: [UInt8]) throws {
        var reader = ByteReader(bytes)
        do {
            guard try reader.read(UInt8.self) == StoredAnswer.format else { throw ByteReader.Malformed() }
            fingerprint = try reader.read()
            let count = try reader.readVarint()
            guard count <= UInt64(reader.remaining) else { throw ByteReader.Malformed() }
            results = []
            for _ in 0..<count { results.append(try StoredAnswer.read(&reader)) }
        } catch {
            throw CatalogDamage(what: "an answer to a change")
        }
    }

    private enum Kind: UInt8 {
        case failed, small, uploaded, collected, changed
    }

    private static func write(_ result: Result, to bytes: inout ByteWriter) {
        switch result {
        case .failed(let error):
            bytes.write(Kind.failed.rawValue)
            bytes.writeString(error.code.rawValue.utf8)
            bytes.writeString(error.message.utf8)
            bytes.writeString(error.name?.bytes ?? [])
            bytes.write(UInt8(error.isRetryable ? 1 : 0))
        case .small(let isCreated, let newBytes, let version, let sequence):
            bytes.write(Kind.small.rawValue)
            bytes.write(UInt8(isCreated ? 1 : 0))
            bytes.writeVarint(newBytes)
            bytes.writeVarint(version)
            bytes.writeVarint(sequence)
        case .uploaded(let outcome):
            bytes.write(Kind.uploaded.rawValue)
            bytes.write(UInt8(outcome.isCreated ? 1 : 0))
            bytes.writeVarint(outcome.newBytes)
            write(outcome.entry, to: &bytes)
        case .collected:
            bytes.write(Kind.collected.rawValue)
        case .changed(let outcome):
            bytes.write(Kind.changed.rawValue)
            bytes.writeVarint(UInt64(outcome.count))
            bytes.write(UInt8(outcome.entry == nil ? 0 : 1))
            if let entry = outcome.entry { write(entry, to: &bytes) }
        }
    }

    private static func read(_ reader: inout ByteReader) throws -> Result {
        switch Kind(rawValue: try reader.read()) {
        case .failed:
            let code = String(decoding: try reader.readString(), as: UTF8.self)
            let message = String(decoding: try reader.readString(), as: UTF8.self)
            let name = try reader.readString()
            return .failed(
                VaultError(
                    VaultError.Code(rawValue: code) ?? .internal, message, name: name.isEmpty ? nil : try Name(name),
                    isRetryable: try reader.read(UInt8.self) != 0))
        case .small:
            return .small(
                isCreated: try reader.read(UInt8.self) != 0, newBytes: try reader.readVarint(),
                version: try reader.readVarint(), sequence: try reader.readVarint())
        case .uploaded:
            let isCreated = try reader.read(UInt8.self) != 0
            let newBytes = try reader.readVarint()
            return .uploaded(
                SaveOutcome(entry: try entry(&reader), isCreated: isCreated, newBytes: newBytes))
        case .collected:
            return .collected
        case .changed:
            guard let count = Int(exactly: try reader.readVarint()) else { throw ByteReader.Malformed() }
            let hasEntry = try reader.read(UInt8.self) != 0
            return .changed(ChangeOutcome(count: count, entry: hasEntry ? try entry(&reader) : nil))
        case nil:
            throw ByteReader.Malformed()
        }
    }

    /// An entry is kept as in the journal, with what its group would say about it.
    private static func write(_ entry: Entry, to bytes: inout ByteWriter) {
        let saved = SavedVersion(
            name: entry.name, kind: entry.kind, version: entry.version, content: entry.content,
            attributes: entry.attributes, savedBy: entry.savedBy, tags: entry.tags)
        JournalChange.save(saved).write(to: &bytes)
        bytes.writeVarint(entry.sequence)
        bytes.writeSigned(entry.savedAt)
    }

    private static func entry(_ reader: inout ByteReader) throws -> Entry {
        guard case .save(let saved) = try JournalChange(from: &reader) else { throw ByteReader.Malformed() }
        return Entry(
            name: saved.name, kind: saved.kind, content: saved.content, version: saved.version,
            sequence: try reader.readVarint(), attributes: saved.attributes, savedAt: try reader.readSigned(),
            savedBy: saved.savedBy, tags: saved.tags)
    }
}

extension VaultError {
    /// The failure without its name and its reason.
    fileprivate var withoutReason: VaultError {
        VaultError(code, "The request had failed already when it was first made.", isRetryable: isRetryable)
    }
}

extension CommitCall {
    /// The first 8 bytes of the SHA-256 of what the requests are about.
    fileprivate var fingerprint: UInt64 {
        var bytes = ByteWriter(reserving: requests.count * 96)
        for request in requests { request.write(to: &bytes) }
        return Digest(of: bytes.bytes).withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
    }
}

extension CommitRequest {
    fileprivate func write(to bytes: inout ByteWriter) {
        bytes.writeString(audited.action.rawValue.utf8)
        if case .save(let save) = self, let asked = save.asked {
            bytes.writeString(asked.name.bytes)
        } else {
            bytes.writeString(audited.name?.bytes ?? [])
        }
        switch self {
        case .save(let save): bytes.write(save.content.root)
        case .change(.remove), .change(.tag): break
        case .change(.rename(_, let to)): bytes.writeString(to.bytes)
        case .change(.copy(let from, _)): bytes.writeString(from.bytes)
        case .change(.revert(_, let version)): bytes.writeVarint(version)
        case .drop(let object, _, let versions, _):
            bytes.writeVarint(object)
            bytes.writeVarint(UInt64(versions.count))
        }
    }
}
