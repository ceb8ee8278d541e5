import Testing
import VaultModel

@testable import minivault

/// What is said of a transfer while it runs.
@Suite struct ProgressTests {
    /// A server that lists directories of impossible sizes has a client count them.
    @Test func noPaceEndsTheProgram() {
        let meter = TransferMeter()
        meter.expect(.max)
        meter.advance(.max - 1)
        var pace = ProgressPace()
        pace.add(seconds: 1e-9, done: .max, reused: 0, wire: .max)
        let text = ProgressLine.text(meter.reading, pace, width: 200, showsWire: true)
        #expect(text.contains("16 EiB/s") && text.contains("on the wire"))
    }
}
