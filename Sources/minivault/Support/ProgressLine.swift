import Glibc
import VaultModel

/// Draws how far a transfer is on a terminal, ten times a second, until it is stopped.
struct ProgressLine {
    let meter = TransferMeter()
    private let task: Task<Void, Never>?

    /// - Parameters:
    ///   - isQuiet: whether nothing is drawn.
    ///   - wire: what a network has moved, whose rate is shown too.
    init(isQuiet: Bool, wire: WireWatch? = nil) {
        guard Output.showsProgress, !isQuiet else {
            task = nil
            return
        }
        let meter = meter
        task = Task {
            let clock = ContinuousClock()
            let start = clock.now
            while !Task.isCancelled {
                do { try await Task.sleep(for: .milliseconds(100)) } catch { return }
                let seconds = (clock.now - start) / .seconds(1)
                Output.draw(
                    progress: ProgressLine.text(
                        meter.reading, seconds: seconds, width: ProgressLine.width, wireBytes: wire?.bytes))
            }
        }
    }

    /// Ends the drawing and takes the line away.
    func stop() async {
        task?.cancel()
        await task?.value
        Output.draw(progress: nil)
    }

    private static var width: Int {
        var size = winsize()
        return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 20 ? Int(size.ws_col) : 80
    }

    static func text(
        _ reading: TransferMeter.Reading, seconds: Double, width: Int, wireBytes: UInt64? = nil
    ) -> String {
        guard reading.done > 0 || reading.total > 0 else { return "" }
        let rate = seconds > 0 ? Double(reading.done) / seconds : 0
        var parts = [Format.bytes(reading.done)]
        if reading.total > reading.done {
            parts[0] += " of \(Format.bytes(reading.total))"
            if rate > 0 {
                parts.append(Format.duration(seconds: Int(Double(reading.total - reading.done) / rate)) + " left")
            }
        }
        parts.insert("\(Format.bytes(UInt64(rate)))/s", at: 1)
        if let wireBytes, seconds > 0 {
            parts.append("\(Format.bytes(UInt64(Double(wireBytes) / seconds)))/s on the wire")
        }
        if reading.files > 0 { parts.append("\(reading.files) files") }
        if reading.reused > 0 { parts.append("\(Format.bytes(reading.reused)) reused") }
        if let name = reading.name { parts.append(name.description) }
        let text = parts.joined(separator: "  ")
        return text.count < width ? text : String(text.prefix(width - 2)) + "…"
    }
}
