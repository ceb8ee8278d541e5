import Logging
import Synchronization
import VaultModel

/// What hooks write to the server's log: as much as a person can read.
final class HookLogLines: Sendable {
    private struct State {
        var second = ContinuousClock.now
        var lines = 0
        var dropped = 0
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(_ logger: Logger) {
        self.logger = logger
    }

    /// - Parameters:
    ///   - place: of the hook; nil for the file itself.
    ///   - event: what the hook runs on; nil for none.
    func write(_ level: String, _ text: String, place: String?, _ event: HookEvent?) {
        let (isWritten, dropped) = state.withLock { state in
            let now = ContinuousClock.now
            var dropped = 0
            if now - state.second >= .seconds(1) {
                dropped = state.dropped
                state = State(second: now)
            }
            state.lines += 1
            let isWritten = state.lines <= HookLimits.logLinesPerSecondMax
            if !isWritten { state.dropped += 1 }
            return (isWritten, dropped)
        }
        if dropped > 0 { logger.warning("hooks write too much", metadata: ["dropped": "\(dropped)"]) }
        guard isWritten else { return }
        let level = Logger.Level(rawValue: level == "warn" ? "warning" : level) ?? .info
        var metadata = event?.metadata ?? [:]
        if let place { metadata["hook"] = "\(printable(place))" }
        logger.log(level: level, "\(printable(text))", metadata: metadata)
    }
}
