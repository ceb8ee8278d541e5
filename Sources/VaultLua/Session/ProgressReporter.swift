import LuaEngine
import VaultModel

/// Tells a script's progress function how far a transfer has come, at most ten times a second.
final class ProgressReporter {
    let meter = TransferMeter()
    private let function: LuaReference
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    private var last: ContinuousClock.Instant?

    init(_ function: LuaReference) {
        self.function = function
        start = clock.now
    }

    /// Calls the function, on a coroutine of its own.
    ///
    /// - Throws: what it raises; `cancelled` when it returns false.
    func report(_ session: ScriptSession, isLast: Bool) throws {
        let now = clock.now
        if !isLast, let last, now - last < .milliseconds(100) { return }
        last = now
        if isLast { meter.finish() }
        let reading = meter.reading
        let seconds = (now - start) / .seconds(1)
        let table = LuaTable(fields: [
            "name": reading.name?.bytes,
            "done": Int(clamping: reading.done),
            "total": reading.total > 0 || isLast ? Int(clamping: reading.total) : nil,
            "rate": seconds > 0 ? Double(reading.done) / seconds : 0,
            "reused": Int(clamping: reading.reused),
        ])
        session.isReporting = true
        defer { session.isReporting = false }
        if try session.state.call(function, table, on: .own).first == .boolean(false) {
            throw VaultError(.cancelled, "The progress function cancelled the operation.")
        }
    }
}
