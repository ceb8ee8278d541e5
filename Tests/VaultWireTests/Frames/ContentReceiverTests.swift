import Testing
import VaultModel

@testable import VaultWire

@Suite struct ContentReceiverTests {
    @Test func givesChunksAsTheyAreCompleteSplitAtEveryByte() async throws {
        let bytes = [UInt8](0..<60)
        for place in 0...60 {
            let receiver = ContentReceiver(lengths: [10, 1, 49])
            bytes[..<place].withUnsafeBytes { receiver.receive($0) }
            async let first = receiver.next()
            bytes[place...].withUnsafeBytes { receiver.receive($0) }
            #expect(try await first?.bytes == Array(bytes[..<10]))
            #expect(try await receiver.next()?.bytes == [10])
            #expect(try await receiver.next()?.bytes == Array(bytes[11...]))
            #expect(try await receiver.next() == nil)
        }
    }

    @Test func aFailureEndsTheWaitAndKeepsWhatIsComplete() async throws {
        let receiver = ContentReceiver(lengths: [1, 2])
        [UInt8](0..<2).withUnsafeBytes { receiver.receive($0) }
        receiver.fail(.cancelled)
        #expect(try await receiver.next()?.bytes == [0])
        await #expect(throws: VaultError.self) { try await receiver.next() }
    }

    @Test func noContentIsNoChunk() async throws {
        #expect(try await ContentReceiver(lengths: []).next() == nil)
    }
}
