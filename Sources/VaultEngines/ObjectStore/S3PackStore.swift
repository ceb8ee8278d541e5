import NIOHTTP1
import Synchronization
package import VaultModel
package import VaultStore

/// Packs as objects of a store that speaks S3, each with the bytes that a pack in a directory has.
///
/// An object is stored whole and never changed: `PREFIX<vault>/packs/ab/<id>.pack`. Records that come while others are
/// on their way are gathered into one object.
package final class S3PackStore: PackStore {
    private let client: S3Client
    private let vault: UniqueID
    private let folder: String
    private let appends: AppendGatherer

    package init(_ client: S3Client, vault: UniqueID) {
        self.client = client
        self.vault = vault
        folder = "\(client.location.prefix)\(vault)/packs/"
        let folder = folder
        appends = AppendGatherer { (records) throws(VaultError) in
            let pack = Pack(records, of: vault)
            try await S3PackStore.store(pack.body, under: S3PackStore.key(of: pack.id, in: folder), client)
            return pack.locations
        }
    }

    package func append(_ records: [PackRecord]) async throws(VaultError) -> Appended {
        if records.isEmpty { return Appended(locations: [], hold: nil) }
        return Appended(locations: try await appends.append(records), hold: nil)
    }

    /// Stores records as an object of their own, at once: it is a commit, for which others wait.
    package func append(
        _ records: [PackRecord], placed: ([PackLocation]) -> Void
    ) async throws(VaultError) -> Appended {
        let pack = Pack(records, of: vault)
        if records.isEmpty {
            placed([])
        } else {
            let key = S3PackStore.key(of: pack.id, in: folder)
            async let storing: Void = S3PackStore.store(pack.body, under: key, client)
            placed(pack.locations)
            do { try await storing } catch { throw VaultError(error) }
        }
        return Appended(locations: pack.locations, hold: nil)
    }

    package func builder() -> any PackBuilder {
        let id = PackID()
        return S3PackBuilder(id, of: vault, client, key: S3PackStore.key(of: id, in: folder))
    }

    /// A pack before it is stored.
    private struct Pack: Sendable {
        let id = PackID()
        let body: S3Body
        /// Where the records are, in their order.
        let locations: [PackLocation]

        init(_ records: [PackRecord], of vault: UniqueID) {
            var parts = [BufferSlice(copying: PackHeader(vault: vault, pack: id).encoded)]
            var locations: [PackLocation] = []
            var offset = UInt64(PackHeader.byteCount)
            for record in records {
                let header = RecordHeader(
                    kind: record.kind, vault: vault, length: UInt32(record.bytes.count), digest: record.digest)
                parts.append(BufferSlice(copying: header.encoded))
                parts.append(record.bytes)
                let location = PackLocation(pack: id, offset: offset, length: UInt32(record.bytes.count))
                locations.append(location)
                offset = location.end
            }
            body = S3Body(parts)
            self.locations = locations
        }
    }

    static func store(_ body: S3Body, under key: String, _ client: S3Client) async throws(VaultError) {
        if body.count > EngineLimits.singlePutBytesMax {
            try await S3MultipartUpload(client, key: key).store(body)
        } else {
            let answer = try await client.perform(S3Client.Request(method: .PUT, key: key, body: body))
            if answer.unknownOutcomes > 0 { try await client.check(key, holds: body.count, body.digest) }
        }
    }

    package func read(
        _ pack: PackID, at offset: UInt64, into memory: UnsafeMutableRawBufferPointer
    ) async throws(VaultError) -> Int {
        if memory.isEmpty { return 0 }
        let range = "bytes=\(offset)-\(offset + UInt64(memory.count) - 1)"
        let request = S3Client.Request(
            method: .GET, key: S3PackStore.key(of: pack, in: folder), headers: [("range", range)])
        // 416: the range begins behind the end.
        let answer = try await client.perform(request, into: memory, accepting: [416])
        return answer.status == 416 ? 0 : answer.count
    }

    package func list() async throws(VaultError) -> [PackID: PackStatus] {
        var packs: [PackID: PackStatus] = [:]
        for object in try await client.objects(below: folder) {
            guard let name = object.key.split(separator: "/").last, name.hasSuffix(".pack"),
                let id = UniqueID(name.dropLast(5))
            else { continue }
            // Lengths are added up.
            guard object.length <= StoreLimits.packBytesMax else {
                throw VaultError(
                    .integrity,
                    "The object store lists '\(printable(object.key))' with \(object.length) bytes, which no pack has.")
            }
            packs[PackID(id)] = PackStatus(
                length: object.length, isFresh: object.age < StoreLimits.unrecordedSeconds)
        }
        return packs
    }

    /// An object is finished as soon as it is there.
    package func adopt(
        _ packs: [PackID], committedLength: (PackID) async throws(VaultError) -> UInt64?
    ) async throws(VaultError) {}

    package func delete(
        _ packs: [PackID], disowned: ([PackID]) async throws(VaultError) -> Set<PackID>
    ) async throws(VaultError) -> Set<PackID> {
        let unused = Array(try await disowned(packs))
        for start in stride(from: 0, to: unused.count, by: EngineLimits.deletesInFlight) {
            let part = unused[start..<min(start + EngineLimits.deletesInFlight, unused.count)]
            try await mappingErrors {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for pack in part {
                        let key = S3PackStore.key(of: pack, in: folder)
                        group.addTask { [client] in
                            _ = try await client.perform(
                                S3Client.Request(method: .DELETE, key: key), accepting: [404])
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }
        return Set(unused)
    }

    /// The client is that of all vaults.
    package func close() async {}

    private static func key(of pack: PackID, in folder: String) -> String {
        let text = pack.value.description
        return "\(folder)\(text.prefix(2))/\(text).pack"
    }
}
