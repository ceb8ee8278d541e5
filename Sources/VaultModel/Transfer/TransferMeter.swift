import Synchronization

/// Counts the bytes of a transfer, for whoever shows its progress from time to time.
package final class TransferMeter: Sendable {
    private let doneBytes = Atomic<UInt64>(0)
    private let totalBytes = Atomic<UInt64>(0)
    private let reusedBytes = Atomic<UInt64>(0)
    private let doneFiles = Atomic<UInt64>(0)
    private let current = Mutex<Name?>(nil)

    package init() {}

    package func expect(_ bytes: UInt64) {
        totalBytes.wrappingAdd(bytes, ordering: .relaxed)
    }

    /// Counts bytes that are dealt with, and how many of them did not have to be moved.
    package func advance(_ bytes: UInt64, reused: UInt64 = 0) {
        doneBytes.wrappingAdd(bytes, ordering: .relaxed)
        reusedBytes.wrappingAdd(reused, ordering: .relaxed)
    }

    package func begin(_ name: Name) {
        current.withLock { $0 = name }
    }

    package func finishFile() {
        doneFiles.wrappingAdd(1, ordering: .relaxed)
    }

    package struct Reading: Sendable, Equatable {
        package var name: Name?
        package var done: UInt64
        /// 0 while the total is not known.
        package var total: UInt64
        package var reused: UInt64
        package var files: UInt64
    }

    package var reading: Reading {
        Reading(
            name: current.withLock { $0 },
            done: doneBytes.load(ordering: .relaxed),
            total: totalBytes.load(ordering: .relaxed),
            reused: reusedBytes.load(ordering: .relaxed),
            files: doneFiles.load(ordering: .relaxed)
        )
    }
}
