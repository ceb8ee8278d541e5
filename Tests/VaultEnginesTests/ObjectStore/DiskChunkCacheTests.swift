import Glibc
import NIOHTTP1
import TestSupport
import Testing
import VaultModel
import VaultStore

@testable import VaultEngines

/// What is read again and again is near, and what is near is right.
@Suite struct DiskChunkCacheTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func chunk(_ seed: UInt64, count: Int = 1000) -> Chunk {
        let bytes = randomBytes(count, seed: seed)
        return Chunk(digest: Digest(of: bytes), bytes: BufferSlice(copying: bytes))
    }

    private func keep(_ chunk: Chunk, in cache: DiskChunkCache) async throws {
        for _ in 0..<2 { cache.fetched(chunk) }
        #expect(try await soon { cache.chunk(chunk.digest) != nil })
    }

    private var files: [LocalPath] {
        get throws {
            try DirectoryListing(directory.path).names.flatMap { group in
                try DirectoryListing(directory.path.appending(group)).names.map {
                    directory.path.appending(group).appending($0)
                }
            }
        }
    }

    @Test func onlyWhatIsFetchedTwiceIsKept() async throws {
        let cache = try DiskChunkCache(directory.path, bytesMax: 1 << 20)
        cache.fetched(chunk(1))
        try await keep(chunk(2), in: cache)
        #expect(cache.chunk(chunk(1).digest) == nil)
        #expect(cache.chunk(chunk(2).digest)?.bytes == chunk(2).bytes.bytes)
        #expect(try files.count == 1)
    }

    @Test func theNextProcessFindsWhatIsThere() async throws {
        try await keep(chunk(1), in: try DiskChunkCache(directory.path, bytesMax: 1 << 20))
        let half = directory.path.appending("ab")
        _ = half.withCString { mkdir($0, 0o700) }
        try SmallFile.write([1], to: half.appending("half-written"), mode: 0o600, .isReplaced)
        let next = try DiskChunkCache(directory.path, bytesMax: 1 << 20)
        #expect(next.chunk(chunk(1).digest)?.bytes == chunk(1).bytes.bytes)
        #expect(try files.count == 1)
    }

    @Test func damageIsFoundWhenItIsUsedAndDropped() async throws {
        let cache = try DiskChunkCache(directory.path, bytesMax: 1 << 20)
        try await keep(chunk(1), in: cache)
        let file = try #require(try files.first)
        try SmallFile.write(randomBytes(1000, seed: 9), to: file, mode: 0o600, .isReplaced)
        #expect(cache.chunk(chunk(1).digest) == nil)
        #expect(try files.isEmpty)
        try await keep(chunk(1), in: cache)
    }

    @Test func itStaysBelowItsBoundAndKeepsWhatIsUsed() async throws {
        let cache = try DiskChunkCache(directory.path, bytesMax: 10_500)
        try await keep(chunk(0), in: cache)
        for seed in 1..<30 as Range<UInt64> {
            try await keep(chunk(seed), in: cache)
            #expect(cache.chunk(chunk(0).digest) != nil)
        }
        #expect(try await soon { try files.count <= 10 })
        #expect(cache.chunk(chunk(1).digest) == nil)
    }

    @Test func bytesThatAreNotWhatTheirDigestSaysAreNotKept() async throws {
        let cache = try DiskChunkCache(directory.path, bytesMax: 1 << 20)
        let wrong = Chunk(digest: chunk(1).digest, bytes: chunk(2).bytes)
        for _ in 0..<3 { cache.fetched(wrong) }
        try await keep(chunk(3), in: cache)
        #expect(cache.chunk(wrong.digest) == nil)
    }

    @Test(.enabled(if: TestEngines.areThere, "scripts/test starts the engines"))
    func whatIsReadOftenIsReadWithoutTheObjectStore() async throws {
        let places = try #require(TestEngines.shared).alone()
        let cache = try DiskChunkCache(directory.path, bytesMax: 64 << 20)
        let engines = try await Engines.open(
            catalog: places.catalog, packs: places.packs, environment: places.environment, cache: cache)
        let vault = try await engines.makeVault(UniqueID())
        let bytes = randomBytes(5 << 20, seed: 3)
        let name = try Name("a")
        _ = try await ContentSave(to: vault).save(
            bytes, SaveIntent(name: name, attributes: Attributes(mode: 0o644, modified: 1)))
        for _ in 0..<3 { #expect(try await ContentRead(from: vault).read(name, .current) == bytes) }
        #expect(try await soon { try files.count > 4 })
        for object in try await engines.store.objects(below: engines.store.location.prefix) {
            _ = try await engines.store.perform(S3Client.Request(method: .DELETE, key: object.key))
        }
        #expect(try await ContentRead(from: vault).read(name, .current) == bytes)
        await engines.close()
    }
}
