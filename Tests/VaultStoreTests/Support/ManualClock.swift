import Synchronization

/// A clock that stands until it is moved.
final class ManualClock: Sendable {
    private let time: Mutex<Int64>
    private let onChange: @Sendable (Int64) -> Void

    /// - Parameter onChange: is told the time, at the start and after each change.
    init(_ start: Int64 = 1_700_000_000, onChange: @escaping @Sendable (Int64) -> Void = { _ in }) {
        time = Mutex(start)
        self.onChange = onChange
        onChange(start)
    }

    var now: Int64 { time.withLock { $0 } }

    func advance(_ seconds: Int64) {
        onChange(
            time.withLock { time in
                time += seconds
                return time
            })
    }
}
