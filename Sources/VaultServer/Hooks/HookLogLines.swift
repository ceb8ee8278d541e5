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

    /// Takes a line: its level as hooks name it, its text, and the place of its hook.
    typealias Sink = @Sendable (_ level: String, _ text: String, _ place: String?, HookEvent?) -> Void

    private let sink: Sink
    private let state = Mutex(State())

    init(_ sink: @escaping Sink) {
        self.sink = sink
    }

    convenience init(_ logger: Logger) {
        self.init { level, text, place, event in
            let level = Logger.Level(rawValue: level == "warn" ? "warning" : level) ?? .info
            var metadata = event?.metadata ?? [:]
            if let place { metadata["hook"] = "\(printable(place))" }
            logger.log(level: level, "\(printable(text))", metadata: metadata)
        }
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
        if dropped > 0 { sink("warn", "hooks write too much: \(dropped) lines were dropped", nil, nil) }
        if isWritten { sink(level, text, place, event) }
    }
}
