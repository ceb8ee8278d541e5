package import FoundationEssentials
package import VaultModel

extension Digest {
    init(wire bytes: Data) throws(WireViolation) {
        guard let digest = Digest(Array(bytes)) else { throw WireViolation("a digest of \(bytes.count) bytes") }
        self = digest
    }
}

extension UniqueID {
    package init(wire bytes: Data) throws(WireViolation) {
        guard let id = UniqueID(Array(bytes)) else { throw WireViolation("an id of \(bytes.count) bytes") }
        self = id
    }

    package var wire: Data { Data(bytes) }
}

extension WireContent {
    package init(_ content: Content) {
        self.init()
        chunker = content.chunker
        size = content.size
        depth = UInt32(content.depth)
        root = Data(content.root.bytes)
    }

    package var model: Content {
        get throws(WireViolation) {
            guard depth <= UInt32(ListNode.levelMax) else { throw WireViolation("a content of \(depth) levels") }
            guard size <= Content.sizeMax else { throw WireViolation("a content of \(size) bytes") }
            return Content(chunker: chunker, size: size, depth: UInt8(depth), root: try Digest(wire: root))
        }
    }
}

extension WireAttributes {
    package init(_ attributes: Attributes) {
        self.init()
        mode = attributes.mode
        modified = attributes.modified
        guard let origin = attributes.origin else { return }
        hasOrigin_p = true
        originChanged = origin.changed
        originInode = origin.inode
    }

    package var model: Attributes {
        get throws(WireViolation) {
            guard mode <= Attributes.modeMax else { throw WireViolation("a mode that is none") }
            return Attributes(
                mode: mode, modified: modified,
                origin: hasOrigin_p ? Attributes.Origin(changed: originChanged, inode: originInode) : nil)
        }
    }
}

extension WireKind {
    package init(_ kind: Entry.Kind) {
        switch kind {
        case .file: self = .file
        case .link: self = .link
        case .directory: self = .directory
        case .removed: self = .removed
        }
    }

    package var model: Entry.Kind {
        get throws(WireViolation) {
            switch self {
            case .file: return .file
            case .link: return .link
            case .directory: return .directory
            case .removed: return .removed
            case .unspecified, .UNRECOGNIZED: throw WireViolation("an entry of no known kind")
            }
        }
    }
}

extension WireEntry {
    package init(_ entry: Entry) {
        self.init()
        name = Data(entry.name.bytes)
        kind = WireKind(entry.kind)
        content = WireContent(entry.content)
        version = entry.version
        sequence = entry.sequence
        attributes = WireAttributes(entry.attributes)
        savedAt = entry.savedAt
        savedBy = entry.savedBy
        tags = [WireTagPair](entry.tags)
    }

    /// - Throws: also for a name that is none: what comes over the wire names local files.
    package var model: Entry {
        get throws(WireViolation) {
            Entry(
                name: try Name(wire: name), kind: try kind.model, content: try content.model, version: version,
                sequence: sequence, attributes: try attributes.model, savedAt: savedAt, savedBy: savedBy,
                tags: tags.model)
        }
    }
}

extension Name {
    /// The name in a message of a server, which must be one.
    init(wire bytes: Data) throws(WireViolation) {
        do {
            try self.init(bytes)
        } catch {
            throw WireViolation("a name that is none")
        }
    }
}

extension WireChunkList {
    /// Bytes of one chunk in the list: digest and length.
    private static let chunkBytes = Digest.byteCount + 4

    package init(_ chunks: some Collection<ChunkReference>) {
        self.init()
        var bytes = ByteWriter(reserving: chunks.count * WireChunkList.chunkBytes)
        for chunk in chunks {
            bytes.write(chunk.digest)
            bytes.write(UInt32(truncatingIfNeeded: chunk.span))
        }
        packed = Data(bytes.bytes)
    }

    /// - Throws: for more chunks than allowed, and for a chunk of no bytes or of too many.
    package var model: [ChunkReference] {
        get throws(WireViolation) {
            let (count, rest) = packed.count.quotientAndRemainder(dividingBy: WireChunkList.chunkBytes)
            guard rest == 0, count <= WireLimits.chunksMax else { throw WireViolation("a list of \(count) chunks") }
            var reader = ByteReader(Array(packed))
            var chunks: [ChunkReference] = []
            chunks.reserveCapacity(count)
            for _ in 0..<count {
                guard let digest = try? reader.readDigest(), let length: UInt32 = try? reader.read(),
                    (1...UInt32(Chunker.maximumSize)).contains(length)
                else { throw WireViolation("a chunk of no bytes, or of too many") }
                chunks.append(ChunkReference(digest: digest, span: UInt64(length)))
            }
            return chunks
        }
    }
}
