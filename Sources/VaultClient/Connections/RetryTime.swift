/// The time for which a request is tried again whose connection is lost.
///
/// The time counts from the loss, however long the request was on its way before: a large one takes minutes on a slow line.
/// A connection that carries the request for a moment only, as where the server ends each time it reads it, gains no time.
struct RetryTime: Sendable {
    private(set) var deadline: ContinuousClock.Instant

    init(at now: ContinuousClock.Instant) {
        deadline = now + .seconds(ClientLimits.retrySecondsMax)
    }

    /// Takes note of a loss.
    ///
    /// - Parameter start: when the request was given to the connection.
    mutating func lost(at now: ContinuousClock.Instant, sentAt start: ContinuousClock.Instant) {
        guard now - start >= .seconds(ClientLimits.steadySeconds) else { return }
        deadline = now + .seconds(ClientLimits.retrySecondsMax)
    }
}
