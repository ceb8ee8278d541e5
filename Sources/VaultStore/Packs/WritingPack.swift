import Glibc
import Synchronization
import VaultModel

/// A pack that this process appends to, from several tasks at once.
///
/// Each append has a range of its own and writes it when it likes; ranges become durable in the order
/// of the file, many by one sync. After a failure nothing behind what was durable counts, and the pack
/// takes no more.
final class WritingPack: Sendable {
    fileprivate struct State {
        /// The end of the ranges given away.
        var reserved: UInt64
        /// All before this offset has been written.
        var written: UInt64
        /// All before this offset is durable.
        var synced: UInt64
        /// Ranges that are written but have an unwritten one before them: ends by starts.
        var completed: [UInt64: UInt64] = [:]
        var isSyncing = false
        var failure: VaultError?
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    let id: PackID
    let file: OpenFile
    private let files: any StoreFiles
    private let state: Mutex<State>
    /// Lets one task write at a time: the kernel would let the others spin for the file's own lock.
    private let writing = Mutex<Void>(())

    /// - Parameters:
    ///   - file: opened for writing, with its lock held as long as it is open.
    ///   - length: what is durable already, in bytes.
    init(id: PackID, file: OpenFile, length: UInt64, files: any StoreFiles) {
        self.id = id
        self.file = file
        self.files = files
        state = Mutex(State(reserved: length, written: length, synced: length))
    }

    deinit {
        // Said outright, since a child that has been forked and not yet started shares the lock.
        flock(file.descriptor, LOCK_UN)
    }

    /// The end of the ranges given away.
    var end: UInt64 { state.withLock { $0.reserved } }

    /// Gives away the next `count` bytes; nil where the pack takes no more.
    ///
    /// - Parameter length: the length from which on it is full.
    func reserve(_ count: UInt64, upTo length: UInt64 = StoreLimits.packSealBytes) -> UInt64? {
        state.withLock { state in
            guard state.failure == nil, state.reserved < length else { return nil }
            defer { state.reserved += count }
            return state.reserved
        }
    }

    /// Writes `parts` into the range reserved at `offset`, which ``makeDurable(_:)`` makes durable.
    func write(_ parts: [UnsafeRawBufferPointer], at offset: UInt64, end: UInt64) throws(VaultError) {
        do {
            try writing.withLock { (_) throws(VaultError) in
                try files.write(parts, to: file, at: offset)
            }
        } catch {
            fail(error)
            throw error
        }
        let released = state.withLock { state in
            state.completed[offset] = end
            while let next = state.completed.removeValue(forKey: state.written) { state.written = next }
            return state.takeWaiting()
        }
        for continuation in released { continuation.resume() }
    }

    /// Returns when all before `end` is durable.
    func makeDurable(_ end: UInt64) async throws(VaultError) {
        while true {
            switch next(for: end) {
            case .done: return
            case .failed(let failure): throw failure
            case .wait: await waitForChange(end)
            case .sync(let target): try sync(target)
            }
        }
    }

    private enum Step {
        case done
        case failed(VaultError)
        case wait
        case sync(UInt64)
    }

    private func next(for end: UInt64) -> Step {
        state.withLock { state in
            if state.synced >= end { return .done }
            if let failure = state.failure { return .failed(failure) }
            if state.isSyncing || state.written < end { return .wait }
            state.isSyncing = true
            return .sync(state.written)
        }
    }

    private func waitForChange(_ end: UInt64) async {
        await withCheckedContinuation { continuation in
            let mustWait = state.withLock { state in
                let isSettled = state.synced >= end || state.failure != nil
                if isSettled || (!state.isSyncing && state.written >= end) { return false }
                state.waiting.append(continuation)
                return true
            }
            if !mustWait { continuation.resume() }
        }
    }

    private func sync(_ target: UInt64) throws(VaultError) {
        do {
            try files.sync(file)
        } catch {
            fail(error)
            throw error
        }
        let released = state.withLock { state in
            state.synced = target
            state.isSyncing = false
            return state.takeWaiting()
        }
        for continuation in released { continuation.resume() }
    }

    private func fail(_ failure: VaultError) {
        let released = state.withLock { state in
            state.failure = state.failure ?? failure
            state.isSyncing = false
            return state.takeWaiting()
        }
        // A sealed file is not adopted; that it could not be sealed changes nothing for this process.
        try? files.seal(file)
        for continuation in released { continuation.resume() }
    }
}

extension WritingPack.State {
    fileprivate mutating func takeWaiting() -> [CheckedContinuation<Void, Never>] {
        defer { waiting = [] }
        return waiting
    }
}
