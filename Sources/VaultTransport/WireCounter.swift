import Synchronization

/// Counts what goes over connections, in bytes before encryption.
package final class WireCounter: Sendable {
    private let receivedBytes = Atomic<UInt64>(0)
    private let sentBytes = Atomic<UInt64>(0)

    package init() {}

    package var received: UInt64 { receivedBytes.load(ordering: .relaxed) }
    package var sent: UInt64 { sentBytes.load(ordering: .relaxed) }

    func addReceived(_ count: Int) {
        receivedBytes.wrappingAdd(UInt64(count), ordering: .relaxed)
    }

    func addSent(_ count: Int) {
        sentBytes.wrappingAdd(UInt64(count), ordering: .relaxed)
    }
}
