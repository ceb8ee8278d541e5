package import VaultModel

/// The changes of one commit, as they are written to a pack.
///
/// Payload: the group's format (1 byte), the SHA-256 of the group before (32; zeros for the first),
/// the commit's time (8, seconds since 1970 UTC), the sequence of the first change (8), 1 where the
/// commit goes on in the next group, else 0 (1), the number of changes (4), then the changes; each is
/// its kind (1 byte) and its fields in the order of ``JournalChange/write(to:)``. The changes'
/// sequences are consecutive.
package struct JournalGroup: Sendable {
    static let format: UInt8 = 1
    static let changesMax = 1 << 20

    package var previous: Digest?
    package var time: Int64
    package var firstSequence: UInt64
    /// Whether the commit has another group behind this one, without which it did not happen.
    package var isContinued: Bool
    package var changes: [JournalChange]

    package var lastSequence: UInt64 { firstSequence + UInt64(changes.count) - 1 }

    package init(
        previous: Digest?, time: Int64, firstSequence: UInt64, isContinued: Bool = false, changes: [JournalChange]
    ) {
        self.previous = previous
        self.time = time
        self.firstSequence = firstSequence
        self.isContinued = isContinued
        self.changes = changes
    }

    package var encoded: [UInt8] {
        var bytes = ByteWriter(reserving: JournalGroup.headerByteCount + changes.count * 160)
        JournalGroup.writeHeader(
            previous: previous, time: time, firstSequence: firstSequence, isContinued: isContinued,
            count: changes.count,
            to: &bytes)
        for change in changes { change.write(to: &bytes) }
        return bytes.bytes
    }

    /// Bytes of a group before its first change.
    static let headerByteCount = 54

    /// Writes what is before the changes of a group.
    ///
    /// - Parameter count: the number of changes.
    static func writeHeader(
        previous: Digest?, time: Int64, firstSequence: UInt64, isContinued: Bool, count: Int, to bytes: inout ByteWriter
    ) {
        bytes.write(JournalGroup.format)
        bytes.write(previous?.bytes ?? [UInt8](repeating: 0, count: Digest.byteCount))
        bytes.write(time)
        bytes.write(firstSequence)
        bytes.write(UInt8(isContinued ? 1 : 0))
        bytes.write(UInt32(count))
    }

    /// The group that `bytes` are; nil where they are none of a known format.
    package init?(decoding bytes: [UInt8]) {
        var reader = ByteReader(bytes)
        do {
            guard try reader.read(UInt8.self) == JournalGroup.format else { return nil }
            let before = try reader.readBytes(Digest.byteCount)
            previous = before.allSatisfy { $0 == 0 } ? nil : Digest(before)
            time = try reader.read()
            firstSequence = try reader.read()
            isContinued = try reader.read(UInt8.self) != 0
            let count: UInt32 = try reader.read()
            guard (1...JournalGroup.changesMax).contains(Int(count)), firstSequence > 0,
                firstSequence < StoreLimits.numberMax - UInt64(count)
            else { return nil }
            changes = []
            for _ in 0..<count { changes.append(try JournalChange(from: &reader)) }
            guard reader.remaining == 0 else { return nil }
        } catch {
            return nil
        }
    }
}

/// One change of a vault, checked and complete: applying it needs no decision.
package enum JournalChange: Sendable, Equatable {
    /// A name holds a new version; of a new object where the name had none.
    case save(SavedVersion)
    /// An object (and all below it, for a prefix) has another name. A removed object that had the new
    /// name loses it.
    case rename(from: Name, to: Name, isPrefix: Bool)
    /// Versions of an object are forgotten; the object itself when its current version is among them.
    case drop(object: UInt64, versions: [UInt64])
    /// The current version of a name, whose file changed while it was read, has been found to be the whole file: it is no
    /// longer marked, and has this modification time (nanoseconds since 1970 UTC).
    case settle(Name, modified: Int64)
}

/// A version as the journal keeps it; its sequence and time are those of its group.
package struct SavedVersion: Sendable, Equatable {
    package var name: Name
    package var kind: Entry.Kind
    package var version: UInt64
    package var content: Content
    package var attributes: Attributes
    package var savedBy: String
    package var tags: [TagText: TagText]

    package init(
        name: Name, kind: Entry.Kind, version: UInt64, content: Content, attributes: Attributes, savedBy: String,
        tags: [TagText: TagText]
    ) {
        self.name = name
        self.kind = kind
        self.version = version
        self.content = content
        self.attributes = attributes
        self.savedBy = savedBy
        self.tags = tags
    }
}

extension JournalChange {
    private enum Kind: UInt8 {
        case save = 1
        case rename = 2
        case drop = 3
        case settle = 4
    }

    func write(to bytes: inout ByteWriter) {
        switch self {
        case .save(let saved):
            bytes.write(Kind.save.rawValue)
            saved.write(to: &bytes)
        case .rename(let from, let to, let isPrefix):
            bytes.write(Kind.rename.rawValue)
            bytes.writeString(from.bytes)
            bytes.writeString(to.bytes)
            bytes.write(UInt8(isPrefix ? 1 : 0))
        case .drop(let object, let versions):
            bytes.write(Kind.drop.rawValue)
            bytes.writeVarint(object)
            bytes.writeVarint(UInt64(versions.count))
            for version in versions { bytes.writeVarint(version) }
        case .settle(let name, let modified):
            bytes.write(Kind.settle.rawValue)
            bytes.writeString(name.bytes)
            bytes.writeSigned(modified)
        }
    }

    init(from reader: inout ByteReader) throws {
        switch Kind(rawValue: try reader.read()) {
        case .save:
            self = .save(try SavedVersion(from: &reader))
        case .rename:
            let from = try Name(try reader.readString())
            let to = try Name(try reader.readString())
            self = .rename(from: from, to: to, isPrefix: try reader.read(UInt8.self) != 0)
        case .drop:
            let object = try reader.readVarint(upTo: StoreLimits.numberMax)
            let count = try reader.readVarint()
            guard count <= UInt64(reader.remaining) else { throw ByteReader.Malformed() }
            var versions: [UInt64] = []
            for _ in 0..<count { versions.append(try reader.readVarint(upTo: StoreLimits.numberMax)) }
            self = .drop(object: object, versions: versions)
        case .settle:
            let name = try Name(try reader.readString())
            self = .settle(name, modified: try reader.readSigned())
        case nil:
            throw ByteReader.Malformed()
        }
    }
}

extension SavedVersion {
    fileprivate func write(to bytes: inout ByteWriter) {
        bytes.writeString(name.bytes)
        bytes.write(kind.rawValue)
        bytes.writeVarint(version)
        bytes.writeVarint(UInt64(content.chunker))
        bytes.writeVarint(content.size)
        bytes.write(content.depth)
        bytes.write(content.root)
        bytes.writeVarint(UInt64(attributes.mode))
        bytes.writeSigned(attributes.modified)
        bytes.write(UInt8(attributes.origin == nil ? 0 : 1))
        if let origin = attributes.origin {
            bytes.writeSigned(origin.changed)
            bytes.writeVarint(origin.inode)
        }
        bytes.writeString(savedBy.utf8)
        bytes.writeVarint(UInt64(tags.count))
        for (key, value) in tags.sorted(by: { $0.key < $1.key }) {
            bytes.writeString(key.utf8)
            bytes.writeString(value.utf8)
        }
    }

    fileprivate init(from reader: inout ByteReader) throws {
        name = try Name(try reader.readString())
        guard let kind = Entry.Kind(rawValue: try reader.read()) else { throw ByteReader.Malformed() }
        self.kind = kind
        version = try reader.readVarint(upTo: StoreLimits.numberMax)
        let chunker = try reader.readVarint(upTo: UInt32.max)
        let size = try reader.readVarint(upTo: StoreLimits.numberMax)
        let depth: UInt8 = try reader.read()
        guard depth <= ListNode.levelMax else { throw ByteReader.Malformed() }
        content = Content(chunker: chunker, size: size, depth: depth, root: try reader.readDigest())
        attributes = Attributes(
            mode: try reader.readVarint(upTo: Attributes.modeMax), modified: try reader.readSigned())
        if try reader.read(UInt8.self) != 0 {
            attributes.origin = Attributes.Origin(
                changed: try reader.readSigned(), inode: try reader.readVarint())
        }
        savedBy = String(decoding: try reader.readString(), as: UTF8.self)
        tags = [:]
        let count = try reader.readVarint()
        guard count <= UInt64(reader.remaining) else { throw ByteReader.Malformed() }
        for _ in 0..<count {
            let key = TagText(String(decoding: try reader.readString(), as: UTF8.self))
            tags[key] = TagText(String(decoding: try reader.readString(), as: UTF8.self))
        }
    }
}
