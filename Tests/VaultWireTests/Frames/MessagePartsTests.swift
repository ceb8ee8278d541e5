import SwiftProtobuf
import Testing

@testable import VaultWire

@Suite struct MessagePartsTests {
    @Test func countsWhatIsWithinTheBody() throws {
        var message = WireClientMessage()
        #expect(MessageParts.count(in: try message.serializedBytes()) == 0)
        message.saveSmall.files = [WireSmallFile](repeating: WireSmallFile(), count: 7)
        #expect(MessageParts.count(in: try message.serializedBytes()) == 7)
        message = .stat("a")
        message.stat.selector.version = 3
        #expect(MessageParts.count(in: try message.serializedBytes()) == 2)
        // One message in two pieces, which a decoder puts together.
        #expect(MessageParts.count(in: [0x7A, 2, 0x0A, 0, 0x7A, 4, 0x0A, 0, 0x0A, 0]) == 3)
    }

    @Test func passesOverEveryKindOfField() {
        let others: [UInt8] = [0x08, 0x80, 1, 0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x0D, 1, 2, 3, 4, 0x0B, 0x0C]
        #expect(MessageParts.count(in: others + [0x7A, UInt8(others.count + 2)] + others + [0x0A, 0]) == 1)
    }

    @Test func endsWhereAMessageIsNotWellFormed() {
        for bytes: [UInt8] in [
            [0x7A], [0x7A, 5, 0x0A], [0x7A, 0x80], [0x0F], [0x08], [0x09, 1], [0x0D, 1],
            [UInt8](repeating: 0xFF, count: 20),
            [0x7A] + [UInt8](repeating: 0xFF, count: 9) + [1, 0],
        ] { #expect(MessageParts.count(in: bytes) == 0, "\(bytes)") }
    }

    @Test func aMessageOfTooManyPartsIsRejected() throws {
        var request = WireClientMessage()
        request.saveSmall.files = .init(repeating: WireSmallFile(), count: WireLimits.clientMessagePartsMax)
        _ = try WireClientMessage(decoding: request.serializedBytes())
        request.saveSmall.files.append(WireSmallFile())
        #expect(throws: WireViolation.self) { try WireClientMessage(decoding: request.serializedBytes()) }
        var answer = WireServerMessage()
        answer.page.entries = .init(repeating: WireEntry(), count: WireLimits.serverMessagePartsMax + 1)
        #expect(throws: WireViolation.self) { try WireServerMessage(decoding: answer.serializedBytes()) }
    }
}
