import Testing

@testable import VaultClient

@Suite struct RetryTimeTests {
    private let start = ContinuousClock.now

    @Test func theTimeCountsFromTheLossOfAConnectionThatLasted() {
        var time = RetryTime(at: start)
        #expect(time.deadline == start + .seconds(120))
        time.lost(at: start + .seconds(300), sentAt: start)
        #expect(time.deadline == start + .seconds(420))
        time.lost(at: start + .seconds(500), sentAt: start + .seconds(301))
        #expect(time.deadline == start + .seconds(620))
    }

    @Test func connectionsThatAreLostAtOnceGainNoTime() {
        var time = RetryTime(at: start)
        for second in 1..<200 { time.lost(at: start + .seconds(second), sentAt: start + .seconds(second - 1)) }
        #expect(time.deadline == start + .seconds(120))
    }
}
