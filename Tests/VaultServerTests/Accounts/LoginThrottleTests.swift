import Testing

@testable import VaultServer

@Suite struct LoginThrottleTests {
    private let start = ContinuousClock.now

    @Test func theFirstFailuresCostNothingAndLaterOnesDouble() {
        var throttle = LoginThrottle()
        var waits: [Duration] = []
        for _ in 0..<6 {
            waits.append(throttle.delay(user: "anna", address: "10.0.0.1", now: start))
            throttle.failed(user: "anna", address: "10.0.0.1", now: start)
        }
        #expect(
            waits == [.zero, .zero, .zero, .milliseconds(250), .milliseconds(500), .milliseconds(1000)])
        #expect(throttle.delay(user: "bert", address: "10.0.0.2", now: start) == .zero)
    }

    @Test func aWaitHasABoundAndPasses() {
        var throttle = LoginThrottle()
        for _ in 0..<1000 { throttle.failed(user: "anna", address: "10.0.0.1", now: start) }
        let wait = throttle.delay(user: "anna", address: "10.0.0.9", now: start)
        #expect(wait == .milliseconds(250) * 4096)
        #expect(throttle.delay(user: "anna", address: "10.0.0.9", now: start + wait) == .zero)
    }

    @Test func failuresAreForgivenAsTimePassesAndByASuccess() {
        var throttle = LoginThrottle()
        for _ in 0..<5 { throttle.failed(user: "anna", address: "10.0.0.1", now: start) }
        let later = start + .seconds(300 * 5)
        #expect(throttle.delay(user: "anna", address: "10.0.0.1", now: later) == .zero)
        throttle.failed(user: "anna", address: "10.0.0.1", now: later)
        #expect(throttle.delay(user: "anna", address: "10.0.0.1", now: later) == .zero)
        for _ in 0..<5 { throttle.failed(user: "anna", address: "10.0.0.1", now: later) }
        throttle.succeeded(user: "anna", address: "10.0.0.1")
        #expect(throttle.delay(user: "anna", address: "10.0.0.1", now: later) == .zero)
    }

    @Test func anAddressIsSlowedThatTriesManyUsers() {
        var throttle = LoginThrottle()
        for number in 0..<20 { throttle.failed(user: "user\(number)", address: "10.0.0.1", now: start) }
        #expect(throttle.delay(user: "anna", address: "10.0.0.1", now: start) > .seconds(1))
        #expect(throttle.delay(user: "anna", address: "10.0.0.2", now: start) == .zero)
    }

    @Test func addressesOfOneNetworkAreOneParty() {
        #expect(LoginThrottle.network(of: "2001:db8::1") == LoginThrottle.network(of: "2001:db8:0:0:ffff::9"))
        #expect(LoginThrottle.network(of: "2001:db8:1::1") != LoginThrottle.network(of: "2001:db8:2::1"))
        #expect(LoginThrottle.network(of: "fe80::1%eth0") == LoginThrottle.network(of: "fe80::2"))
        #expect(LoginThrottle.network(of: "10.0.0.1") != LoginThrottle.network(of: "10.0.0.2"))
        #expect(LoginThrottle.network(of: "::ffff:10.0.0.1") != LoginThrottle.network(of: "::ffff:10.0.0.2"))
    }

    @Test func whatIsRememberedStaysBoundedUnderAFlood() {
        var throttle = LoginThrottle()
        for _ in 0..<8 { throttle.failed(user: "anna", address: "10.0.0.1", now: start) }
        for number in 0..<40_000 {
            throttle.failed(user: "\(number)", address: "a\(number)", now: start + .milliseconds(number))
        }
        // The one who was quiet for longest is forgotten first.
        #expect(throttle.delay(user: "anna", address: "10.0.0.1", now: start) == .zero)
        #expect(
            Mirror(reflecting: throttle).descendant("users").map { ($0 as? any Collection)?.count ?? 0 } ?? 0 < 20_000)
    }
}
