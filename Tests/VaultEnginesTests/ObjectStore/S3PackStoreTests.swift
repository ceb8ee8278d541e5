import NIOHTTP1
import TestSupport
import Testing
import VaultModel

@testable import VaultEngines
@testable import VaultStore

/// Packs in a real object store, over a way that fails.
@Suite(.enabled(if: TestEngines.areThere, "scripts/test starts the engines")) struct S3PackStoreTests {
    private let places: TestEngines
    private let vault = UniqueID()

    init() throws {
        places = try #require(TestEngines.shared)
    }

    private func with(
        endpoint: String? = nil, packs: String? = nil, _ body: (S3Client, S3PackStore) async throws -> Void
    ) async throws {
        var environment = places.environment
        if let endpoint { environment["AWS_ENDPOINT_URL"] = endpoint }
        let client = try S3Client(
            try S3Location(packs ?? places.packs, environment: environment), clock: currentSeconds)
        do {
            // Building a pack blocks its thread, of which Swift has no more than the machine has cores.
            try await withTaskExecutorPreference(BlockingExecutor.shared) {
                try await body(client, S3PackStore(client, vault: vault))
            }
        } catch {
            await client.close()
            throw error
        }
        await client.close()
    }

    private func record(_ seed: UInt64, count: Int = 1000) -> PackRecord {
        let bytes = randomBytes(count, seed: seed)
        return PackRecord(kind: .chunk, digest: Digest(of: bytes), bytes: BufferSlice(copying: bytes))
    }

    private func read(_ location: PackLocation, _ store: S3PackStore) async throws -> [UInt8] {
        let buffer = Buffer(byteCount: Int(location.length))
        let count = try await store.read(
            location.pack, at: location.offset + UInt64(RecordHeader.byteCount), into: buffer.memory)
        return Array(buffer.memory[..<count])
    }

    @Test func recordsAreReadBackListedAndDeleted() async throws {
        try await with { client, store in
            let records = [record(1), record(2, count: 70_000)]
            let appended = try await store.append(records)
            for (record, location) in zip(records, appended.locations) {
                #expect(try await read(location, store) == record.bytes.bytes)
            }
            let pack = appended.locations[0].pack
            #expect(appended.locations[1].pack == pack)
            let listed = try await store.list()
            #expect(listed == [pack: PackStatus(length: appended.locations[1].end, isFresh: true)])
            #expect(try await store.delete([pack]) { _ in [] } == [])
            #expect(try await store.delete([pack]) { Set($0) } == [pack])
            #expect(try await store.list().isEmpty)
            let error = await #expect(throws: VaultError.self) { try await read(appended.locations[0], store) }
            #expect(error?.code == .notFound)
        }
    }

    @Test func whereRecordsGoIsToldBeforeTheyAreThere() async throws {
        try await with { client, store in
            var told: [[PackLocation]] = []
            let appended = try await store.append([record(1), record(2)]) { told.append($0) }
            #expect(told == [appended.locations])
            #expect(try await read(appended.locations[1], store) == record(2).bytes.bytes)
            _ = try await store.append([]) { told.append($0) }
            #expect(told.last == [])
        }
        try await with(packs: "s3://no-such-bucket/test") { _, store in
            var told: [PackLocation] = []
            await #expect(throws: VaultError.self) { try await store.append([record(1)]) { told = $0 } }
            #expect(told.count == 1)
        }
    }

    @Test func whatIsReadBehindTheEndIsNothing() async throws {
        try await with { client, store in
            let location = try await store.append([record(1)]).locations[0]
            let buffer = Buffer(byteCount: 100)
            #expect(try await store.read(location.pack, at: location.end, into: buffer.memory) == 0)
            #expect(try await store.read(location.pack, at: location.end - 10, into: buffer.memory) == 10)
        }
    }

    @Test func aLargeBatchGoesInParts() async throws {
        try await with { client, store in
            let records = (0..<5).map { record(UInt64($0), count: 8 << 20) }
            let appended = try await store.append(records)
            #expect(Set(appended.locations.map(\.pack)).count == 1)
            for (record, location) in zip(records, appended.locations) {
                #expect(try await read(location, store) == record.bytes.bytes)
            }
        }
    }

    @Test(arguments: [1, 30])
    func aPackIsBuiltInPartsAndSeenOnceItIsComplete(_ count: Int) async throws {
        try await with { client, store in
            let builder = store.builder()
            let records = (0..<count).map { record(UInt64($0), count: 1 << 20) }
            let locations = try records.map { (record) throws(VaultError) in try builder.append(record) }
            #expect(try await store.list().isEmpty)
            _ = try await builder.finish()
            #expect(Set(locations.map(\.pack)).count == 1)
            for (record, location) in zip(records, locations) {
                #expect(try await read(location, store) == record.bytes.bytes)
            }
            let listed = try await store.list()
            #expect(listed.mapValues(\.length) == [locations[0].pack: locations[count - 1].end])
            var scanner = PackScanner(
                locations[0].pack, length: locations[count - 1].end, vault: vault, packs: store)
            for expected in locations {
                guard case .record(_, let location) = try await scanner.next() else {
                    Issue.record("no record at \(expected.offset)")
                    return
                }
                #expect(location == expected)
            }
        }
    }

    @Test(arguments: [1, 30])
    func aPackThatIsDiscardedIsNeverSeen(_ count: Int) async throws {
        try await with { client, store in
            let builder = store.builder()
            for seed in 0..<count { _ = try builder.append(record(UInt64(seed), count: 1 << 20)) }
            await builder.discard()
            #expect(try await store.list().isEmpty)
        }
    }

    @Test func aStoreThatTakesNoPartIsTold() async throws {
        try await with(packs: "s3://no-such-bucket/test") { _, store in
            let builder = store.builder()
            #expect(throws: VaultError.self) {
                for seed in 0..<30 { _ = try builder.append(record(UInt64(seed), count: 1 << 20)) }
            }
            await builder.discard()
        }
    }

    @Test func appendsThatComeTogetherShareObjects() async throws {
        try await with { client, store in
            let locations = try await withThrowingTaskGroup(of: (UInt64, PackLocation).self) { group in
                for seed in 0..<100 as Range<UInt64> {
                    group.addTask { (seed, try await store.append([record(seed)]).locations[0]) }
                }
                return try await group.reduce(into: [UInt64: PackLocation]()) { $0[$1.0] = $1.1 }
            }
            #expect(Set(locations.values.map(\.pack)).count < 50)
            for (seed, location) in locations { #expect(try await read(location, store) == record(seed).bytes.bytes) }
        }
    }

    @Test(arguments: [FaultProxy.Harm.cut, .truncate], [FaultProxy.Direction.toServer, .toClient])
    func aPutThatIsCutOffIsMadeSureOf(_ harm: FaultProxy.Harm, _ direction: FaultProxy.Direction) async throws {
        let endpoint = try #require(places.environment["AWS_ENDPOINT_URL"])
        let port = try #require(endpoint.split(separator: ":").last.flatMap { Int($0) })
        let proxy = try FaultProxy(upstream: port, isTLS: false)
        defer { proxy.close() }
        try await with(endpoint: "http://127.0.0.1:\(proxy.port)") { client, store in
            proxy.arm(FaultProxy.Fault(harm, direction, record: direction == .toServer ? 5 : 0))
            let record = record(9, count: 3 << 20)
            let location = try await store.append([record]).locations[0]
            #expect(proxy.isDone)
            #expect(try await read(location, store) == record.bytes.bytes)
            #expect(try await store.list().count == 1)
        }
    }

    @Test func anAnswerThatIsCutOffIsAskedForAgain() async throws {
        let endpoint = try #require(places.environment["AWS_ENDPOINT_URL"])
        let port = try #require(endpoint.split(separator: ":").last.flatMap { Int($0) })
        let proxy = try FaultProxy(upstream: port, isTLS: false)
        defer { proxy.close() }
        try await with(endpoint: "http://127.0.0.1:\(proxy.port)") { client, store in
            let record = record(10, count: 3 << 20)
            let location = try await store.append([record]).locations[0]
            proxy.arm(FaultProxy.Fault(.cut, .toClient, record: 3))
            #expect(try await read(location, store) == record.bytes.bytes)
            #expect(proxy.isDone)
        }
    }

    @Test func somethingElseUnderTheKeyIsFoundOut() async throws {
        try await with { client, store in
            let location = try await store.append([record(1)]).locations[0]
            let key = try #require(try await client.objects(below: client.location.prefix + "\(vault)").first?.key)
            let other = S3Body(String(repeating: "x", count: Int(location.end)))
            let error = await #expect(throws: VaultError.self) {
                try await client.check(key, holds: other.count, other.digest)
            }
            #expect(error?.code == .integrity)
        }
    }

    @Test func wrongCredentialsAndMissingBucketsAreNamed() async throws {
        for (change, code) in [
            (["AWS_SECRET_ACCESS_KEY": "wrong"], VaultError.Code.denied), (["AWS_ACCESS_KEY_ID": "nobody"], .denied),
        ] {
            let environment = places.environment.merging(change) { $1 }
            let client = try S3Client(
                try S3Location(places.packs, environment: environment), clock: currentSeconds)
            let error = await #expect(throws: VaultError.self) {
                try await S3PackStore(client, vault: vault).append([record(1)])
            }
            #expect(error?.code == code)
            #expect(error?.description.contains(places.environment["AWS_SECRET_ACCESS_KEY"] ?? "-") == false)
            await client.close()
        }
        let client = try S3Client(
            try S3Location("s3://nothing-here", environment: places.environment), clock: currentSeconds)
        let error = await #expect(throws: VaultError.self) { try await S3PackStore(client, vault: vault).list() }
        #expect(error?.code == .unavailable)
        #expect(error?.cause?.contains("NoSuchBucket") == true)
        await client.close()
    }

    @Test(arguments: [-7200, 7200] as [Int64])
    func aClockThatIsWrongIsNoHindrance(_ skew: Int64) async throws {
        let client = try S3Client(
            try S3Location(places.packs, environment: places.environment), clock: { currentSeconds() + skew })
        let store = S3PackStore(client, vault: vault)
        let location = try await store.append([record(3)]).locations[0]
        #expect(try await read(location, store) == record(3).bytes.bytes)
        await client.close()
    }
}
