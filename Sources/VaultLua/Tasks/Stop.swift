import VaultModel

/// Why a task is stopped. Its next wait raises the error, once; what it does then to clean up may wait for a while.
final class Stop {
    static let graceSeconds = 5.0

    let error: VaultError
    /// When cleaning up must be over; nil before the error has been raised.
    private(set) var graceEnd: Moment?
    /// Looks after that.
    var timer: TimerQueue.Timer?

    init(_ error: VaultError) {
        self.error = error
    }

    func deliver() {
        graceEnd = .now + Stop.graceSeconds
    }

    func isOverdue(_ now: Moment) -> Bool {
        graceEnd.map { $0 <= now } ?? false
    }
}
