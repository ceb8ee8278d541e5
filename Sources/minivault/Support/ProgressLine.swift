import Glibc
import Synchronization
import VaultModel

/// Draws how far a transfer is on a terminal, ten times a second, until it is stopped.
struct ProgressLine {
    let meter = TransferMeter()
    private let task: Task<Void, Never>?

    /// - Parameters:
    ///   - isQuiet: whether nothing is drawn.
    ///   - wire: what a network has moved, whose rate is shown too.
    ///   - isTree: whether how much there is becomes known on the way only.
    init(isQuiet: Bool, wire: WireWatch? = nil, isTree: Bool = false) {
        guard Output.showsProgress, !isQuiet else {
            task = nil
            return
        }
        let meter = meter
        task = Task {
            let clock = ContinuousClock()
            let start = clock.now
            var pace = ProgressPace()
            while !Task.isCancelled {
                do { try await Task.sleep(for: .milliseconds(100)) } catch { return }
                let reading = meter.reading
                pace.add(
                    seconds: (clock.now - start) / .seconds(1), done: reading.done, reused: reading.reused,
                    wire: wire?.bytes ?? 0)
                Output.draw(
                    progress: ProgressLine.text(
                        reading, pace, width: ProgressLine.width, showsWire: wire != nil, isTree: isTree))
            }
        }
    }

    /// Ends the drawing and takes the line away.
    func stop() async {
        task?.cancel()
        await task?.value
        Output.draw(progress: nil)
    }

    static var width: Int {
        var size = winsize()
        return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 20 ? Int(size.ws_col) : 80
    }

    static func text(
        _ reading: TransferMeter.Reading, _ pace: ProgressPace, width: Int, showsWire: Bool = false,
        isTree: Bool = false
    ) -> String {
        guard reading.done > 0 || reading.total > 0 else { return "" }
        var parts = [Format.bytes(reading.done)]
        if reading.total > reading.done, !isTree { parts[0] += " of \(Format.bytes(reading.total))" }
        parts.append(perSecond(pace.rate))
        if reading.total > reading.done, !isTree, let left = pace.secondsLeft(for: reading.total - reading.done) {
            parts.append(Format.duration(seconds: left) + " left")
        }
        if showsWire { parts.append("\(perSecond(pace.wireRate)) on the wire") }
        if reading.files > 0 { parts.append("\(reading.files) files") }
        if reading.reused > 0 { parts.append("\(Format.bytes(reading.reused)) reused") }
        if let name = reading.name { parts.append(name.description) }
        let text = parts.joined(separator: "  ")
        return text.count < width ? text : String(text.prefix(width - 2)) + "…"
    }

    /// A rate as people read it. What a vault says of sizes may come to more than there are numbers for.
    private static func perSecond(_ rate: Double) -> String {
        "\(Format.bytes(UInt64(exactly: rate.rounded(.down)) ?? .max))/s"
    }
}

/// Draws how far the transfers of a prompt are.
final class PromptProgress: Sendable {
    private struct Drawn {
        var meter: TransferMeter
        var start: ContinuousClock.Instant
        var last: ContinuousClock.Instant
        var pace = ProgressPace()
    }

    private let drawn = Mutex<Drawn?>(nil)

    /// Draws the line at most ten times a second, and not for what is over sooner; nil takes it away.
    func draw(_ meter: TransferMeter?) {
        let text: String?? = drawn.withLock { drawn in
            guard let meter else {
                drawn = nil
                return .some(nil)
            }
            let now = ContinuousClock.now
            var current = drawn.flatMap { $0.meter === meter ? $0 : nil } ?? Drawn(meter: meter, start: now, last: now)
            defer { drawn = current }
            guard now - current.last >= .milliseconds(100) else { return nil }
            current.last = now
            let reading = meter.reading
            current.pace.add(
                seconds: (now - current.start) / .seconds(1), done: reading.done, reused: reading.reused, wire: 0)
            return ProgressLine.text(reading, current.pace, width: ProgressLine.width)
        }
        if let text { Output.draw(progress: text) }
    }
}

/// How fast a transfer has been in the last seconds: what it was at first says nothing of its end.
struct ProgressPace {
    private struct Sample {
        var seconds: Double
        var done: UInt64
        var reused: UInt64
        var wire: UInt64
    }

    private static let windowSeconds = 5.0
    private var samples = [Sample(seconds: 0, done: 0, reused: 0, wire: 0)]

    mutating func add(seconds: Double, done: UInt64, reused: UInt64, wire: UInt64) {
        samples.append(Sample(seconds: seconds, done: done, reused: reused, wire: wire))
        while samples.count > 2, seconds - samples[1].seconds >= ProgressPace.windowSeconds { samples.removeFirst() }
    }

    /// Bytes a second, also of what did not have to be moved.
    var rate: Double { rate { $0.done } }
    var wireRate: Double { rate { $0.wire } }

    /// By what was moved where something was, since what is reused takes next to no time; nil where nothing moves.
    func secondsLeft(for bytes: UInt64) -> Int? {
        let moved = rate { $0.done - min($0.reused, $0.done) }
        let pace = moved > 0 ? moved : rate
        return pace >= 1 ? Int(min(Double(bytes) / pace, 1e9)) : nil
    }

    private func rate(_ value: (Sample) -> UInt64) -> Double {
        guard let first = samples.first, let last = samples.last, last.seconds > first.seconds else { return 0 }
        let (begin, end) = (value(first), value(last))
        return end > begin ? Double(end - begin) / (last.seconds - first.seconds) : 0
    }
}
