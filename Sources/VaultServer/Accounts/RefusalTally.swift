import Synchronization
import VaultModel

/// Gathers what one user is refused of one kind, at one vault, within a minute: one line of the audit trail, with a count.
///
/// The first refusal is written down at once, so that none is lost where the server ends; the others are added to its line
/// a moment later, together.
final class RefusalTally: Sendable {
    struct Key: Hashable, Sendable {
        var kind: AuditEvent.Kind
        var user: String
        var vault: String
    }

    private struct Line {
        var since: ContinuousClock.Instant
        /// Nil while it is being written.
        var id: Int64?
        /// Refusals that have not been added to the line yet.
        var more = 0
    }

    static let seconds: Int64 = 60
    /// Lines that are remembered; beyond that, refusals of others have a line each.
    static let linesMax = 4096

    private let lines = Mutex<[Key: Line]>([:])

    /// Whether the refusal begins a line, which is then to be written and named by ``begin(_:_:)``; otherwise it is counted.
    func begins(_ key: Key, at now: ContinuousClock.Instant = .now) -> Bool {
        lines.withLock { lines in
            if let line = lines[key], now - line.since < .seconds(RefusalTally.seconds) {
                lines[key]?.more += 1
                return false
            }
            if lines[key] == nil, lines.count >= RefusalTally.linesMax { return true }
            // The new line has what was not yet added to the one before.
            lines[key] = Line(since: now, more: lines[key]?.more ?? 0)
            return true
        }
    }

    /// Tells which line was written; nil for one that could not be.
    func begin(_ key: Key, _ id: Int64?) {
        lines.withLock { lines in
            if let id { lines[key]?.id = id } else { lines[key] = nil }
        }
    }

    /// The refusals to add to lines that were written. Lines that are over are forgotten.
    func take(at now: ContinuousClock.Instant = .now) -> [(id: Int64, more: Int)] {
        lines.withLock { lines in
            var added: [(id: Int64, more: Int)] = []
            for (key, line) in lines {
                guard let id = line.id else { continue }
                if line.more > 0 { added.append((id, line.more)) }
                if now - line.since < .seconds(RefusalTally.seconds) {
                    lines[key]?.more = 0
                } else {
                    lines[key] = nil
                }
            }
            return added
        }
    }
}
