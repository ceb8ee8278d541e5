import SwiftProtobuf
import Testing
import VaultModel
import VaultWire

@Suite struct WireCollectedTests {
    @Test func whatACollectionKeptComesThrough() throws {
        var report = CollectionReport()
        (report.removedChunks, report.freedBytes, report.keptBytes, report.changedPacks) = (1, 2, 3, 4)
        report.retained = [
            CollectionReport.Retained(.reads, count: 1, bytes: 5, endsAt: 1_795_952_460),
            CollectionReport.Retained(.uploads, count: 2, bytes: 6, endsAt: -1),
            CollectionReport.Retained(.packs, count: 3, bytes: 7),
            CollectionReport.Retained(.writing, count: 4, bytes: .max),
        ]
        let sent = try WireCollected(report).serializedBytes() as [UInt8]
        let received = try WireCollected(serializedBytes: sent).model
        #expect(received.retained == report.retained)
        #expect(received.keptBytes == 3 && received.changedPacks == 4)
    }

    @Test func aServerThatTellsNothingOfItKeptNothing() {
        #expect(WireCollected(CollectionReport()).model.retained.isEmpty)
    }
}
