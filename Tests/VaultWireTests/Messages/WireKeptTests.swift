import SwiftProtobuf
import Testing
import VaultModel
import VaultWire

@Suite struct WireKeptTests {
    @Test func whichNamesKeptTheirVersionsComesThrough() throws {
        var report = KeepReport()
        (report.keptVersions, report.droppedVersions, report.forgottenNames) = (1, 2, 3)
        report.reject(VaultError(.rejected, "'a' was rejected: no.", name: try Name("a")))
        report.rejectedNames = 5
        let sent = try WireKept(report).serializedBytes() as [UInt8]
        let received = try WireKept(serializedBytes: sent).model
        #expect(received.keptVersions == 1 && received.droppedVersions == 2 && received.forgottenNames == 3)
        #expect(received.rejectedNames == 5)
        #expect(received.rejections.map(\.message) == ["'a' was rejected: no."])
        #expect(received.rejections.first?.name?.text == "a" && received.rejections.first?.code == .rejected)
    }

    @Test func aServerCannotTellWithoutABound() {
        var kept = WireKept()
        kept.rejections = Array(
            repeating: WireFailure(VaultError(.rejected, "No.")), count: KeepReport.rejectionsMax + 1)
        #expect(kept.model.rejections.count == KeepReport.rejectionsMax)
    }
}
