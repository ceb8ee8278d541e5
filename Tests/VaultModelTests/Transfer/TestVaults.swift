import TestSupport

@testable import VaultModel

/// Tells of the content bytes in puts and fetches that are under way.
final class CountingVault: ForwardingVault {
    let other: any Vault
    private let count: @Sendable (Int) -> Void

    init(_ other: any Vault, count: @escaping @Sendable (Int) -> Void) {
        self.other = other
        self.count = count
    }

    func put(_ chunks: [Chunk], to upload: UploadID) async throws(VaultError) {
        let bytes = chunks.reduce(0) { $0 + $1.bytes.count }
        count(bytes)
        defer { count(-bytes) }
        try await other.put(chunks, to: upload)
    }

    func fetch(_ chunks: [PlacedChunk], of read: ReadID) async throws(VaultError) -> [Chunk] {
        let bytes = chunks.reduce(0) { $0 + $1.length }
        count(bytes)
        defer { count(-bytes) }
        return try await other.fetch(chunks, of: read)
    }
}

/// Lists what it is told to, and holds nothing.
final class ListingVault: ForwardingVault {
    private let pages: [[Entry]]
    let directory: LocalPath? = nil

    init(entries: [[Entry]]) {
        pages = entries
    }

    /// - Parameter pages: names, each at a sequence number that is greater than the last one's.
    convenience init(_ pages: [[String]]) throws {
        var sequence: UInt64 = 0
        let entries = try pages.map { page in
            try page.map { name in
                sequence += 1
                return Entry(
                    name: try Name(name), kind: .file, content: Content(size: .max, depth: 0, root: Digest(of: [])),
                    version: 1, sequence: sequence, attributes: Attributes(mode: 0o644, modified: 0), savedAt: 0,
                    savedBy: "", tags: [:])
            }
        }
        self.init(entries: entries)
    }

    var other: any Vault { self }
    var transferBytes: Int { Limits.fetchBytesMax }

    /// Nothing is small here.
    func read(_ reads: [SmallRead]) async throws(VaultError) -> [Result<SmallContent, VaultError>] {
        reads.map { .failure(.grown($0.name)) }
    }

    func openRead(_ name: Name, _ selector: Selector) async throws(VaultError) -> OpenRead {
        guard let entry = pages.joined().first(where: { $0.name == name }) else {
            throw VaultError(.notFound, "It is on no page.", name: name)
        }
        return OpenRead(id: ReadID(UniqueID()), entry: entry)
    }

    func layout(_ read: ReadID, from position: UInt64, count: Int) async throws(VaultError) -> [PlacedChunk] { [] }

    func closeRead(_ read: ReadID) async {}

    /// The number of the page is the sequence of the snapshot.
    func list(_ query: ListQuery) async throws(VaultError) -> ListPage {
        var number = 0
        if case .sequence(let sequence) = query.selector, query.limit > 1 { number = Int(sequence) }
        var next = query
        next.selector = .sequence(UInt64(number + 1))
        return ListPage(entries: pages[number], next: number + 1 < pages.count && query.limit > 1 ? next : nil)
    }
}

/// Answers reads wrongly.
final class LyingVault: ForwardingVault {
    enum Lie: CaseIterable, Sendable {
        case endsEarly, leavesAHole, overlaps, goesOnTooFar, hasNoEnd, hasAnEmptyChunk, startsTooLate
        case namesOtherChunks, givesFewerChunks, givesOtherBytes
    }

    let other: any Vault
    private let lie: Lie

    init(_ other: any Vault, _ lie: Lie) {
        self.other = other
        self.lie = lie
    }

    func layout(_ read: ReadID, from position: UInt64, count: Int) async throws(VaultError) -> [PlacedChunk] {
        var chunks = try await other.layout(read, from: position, count: count)
        switch lie {
        case .endsEarly: chunks = []
        case .leavesAHole: chunks.remove(at: 1)
        case .overlaps: chunks[1].position -= 1
        case .goesOnTooFar: chunks[chunks.count - 1].reference.span += 1
        case .hasNoEnd: chunks[0].reference.span = .max
        case .hasAnEmptyChunk: chunks[0].reference.span = 0
        case .startsTooLate: chunks.removeFirst()
        case .namesOtherChunks: chunks[0].reference.digest = chunks[1].reference.digest
        case .givesFewerChunks, .givesOtherBytes: break
        }
        return chunks
    }

    func fetch(_ chunks: [PlacedChunk], of read: ReadID) async throws(VaultError) -> [Chunk] {
        if lie == .namesOtherChunks {
            return chunks.map {
                Chunk(digest: $0.reference.digest, bytes: BufferSlice(Buffer(byteCount: $0.length), 0..<$0.length))
            }
        }
        var fetched = try await other.fetch(chunks, of: read)
        if lie == .givesFewerChunks { fetched.removeLast() }
        if lie == .givesOtherBytes { fetched[0] = Chunk(digest: fetched[0].digest, bytes: BufferSlice(copying: [1])) }
        return fetched
    }
}
