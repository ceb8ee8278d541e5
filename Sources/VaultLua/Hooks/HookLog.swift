import Synchronization
import VaultModel

/// What hooks print and log, on its way to whoever reads it: as much as a person can read.
final class HookLog: Sendable {
    private struct State {
        var event: UInt64 = 0
        var hook = 0
        var second = ContinuousClock.now
        var lines = 0
        var dropped = 0
    }

    private let service: any HookService
    private let state = Mutex(State())

    private static let linesPerSecondMax = 200
    static let lineBytesMax = 8 << 10

    init(_ service: any HookService) {
        self.service = service
    }

    /// Notes what the lines to come are of; 0 for no event, and for no hook.
    func enter(event: UInt64, hook: Int) {
        state.withLock { ($0.event, $0.hook) = (event, hook) }
    }

    func write(_ level: ScriptSession.LogLevel, _ text: String) {
        let (dropped, isWritten, event, hook) = state.withLock { state in
            var dropped = 0
            let now = ContinuousClock.now
            if now - state.second >= .seconds(1) {
                dropped = state.dropped
                (state.second, state.lines, state.dropped) = (now, 0, 0)
            }
            state.lines += 1
            let isWritten = state.lines <= HookLog.linesPerSecondMax
            if !isWritten { state.dropped += 1 }
            return (dropped, isWritten, state.event, state.hook)
        }
        if dropped > 0 {
            service.log("warn", "\(dropped) lines were dropped: hooks write too much", hook: hook, event: event)
        }
        guard isWritten else { return }
        var line = text
        if line.utf8.count > HookLog.lineBytesMax {
            line = String(decoding: line.utf8.prefix(HookLog.lineBytesMax), as: UTF8.self) + "…"
        }
        service.log(level.rawValue, line, hook: hook, event: event)
    }
}
