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

    /// Replaces what was expected of a file by what it turned out to be, in bytes.
    package func correct(_ expected: UInt64, to actual: UInt64) {
        totalBytes.wrappingAdd(actual &- expected, ordering: .relaxed)
    }

    /// Ends the transfer: what has not been dealt with by now is not expected any more.
    package func finish() {
        totalBytes.store(doneBytes.load(ordering: .relaxed), ordering: .relaxed)
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
        let done = doneBytes.load(ordering: .relaxed)
        let total = totalBytes.load(ordering: .relaxed)
        return Reading(
            name: current.withLock { $0 },
            done: done,
            // A file that has grown is dealt with before its size is corrected. Without a total none is made up.
            total: total == 0 ? 0 : max(total, done),
            reused: reusedBytes.load(ordering: .relaxed),
            files: doneFiles.load(ordering: .relaxed)
        )
    }
}
