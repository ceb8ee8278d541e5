import Testing
import VaultModel

@testable import VaultServer

@Suite struct LoginThrottleTests {
    private let start = ContinuousClock.now
    private let here = AddressGroup(ipAddress: "10.0.0.1")
    private let there = AddressGroup(ipAddress: "10.0.0.2")
    private let anna: UserName
    private let bert: UserName

    init() throws {
        anna = try UserName("anna")
        bert = try UserName("bert")
    }

    @Test func theFirstTriesAreFreeAndEachFurtherFailureDoublesTheWait() {
        var throttle = LoginThrottle()
        for _ in 0..<3 { #expect(throttle.delay(user: anna, address: here, now: start) == nil) }
        var now = start
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            #expect(throttle.delay(user: anna, address: here, now: now) == .seconds(seconds))
            now += .seconds(seconds)
            #expect(throttle.delay(user: anna, address: here, now: now) == nil)
        }
        #expect(throttle.delay(user: bert, address: there, now: now) == nil)
    }

    @Test func manyTriesAtOnceGetNoFurtherThanOneAfterTheOther() {
        var throttle = LoginThrottle()
        let admitted = (0..<1000).count { _ in throttle.delay(user: anna, address: here, now: start) == nil }
        #expect(admitted == 3)
        let later = (0..<1000).count { _ in throttle.delay(user: anna, address: here, now: start + .seconds(1)) == nil }
        #expect(later == 1)
    }

    @Test func aRefusedTryChangesNothing() {
        var throttle = LoginThrottle()
        for _ in 0..<3 { _ = throttle.delay(user: anna, address: here, now: start) }
        for _ in 0..<50 { #expect(throttle.delay(user: anna, address: here, now: start) == .seconds(1)) }
        #expect(throttle.delay(user: anna, address: here, now: start + .milliseconds(400)) == .milliseconds(600))
    }

    @Test func aUserIsSlowedFromEveryAddress() {
        var throttle = LoginThrottle()
        for number in 0..<3 {
            #expect(throttle.delay(user: anna, address: AddressGroup(ipAddress: "10.1.0.\(number)"), now: start) == nil)
        }
        #expect(throttle.delay(user: anna, address: there, now: start) != nil)
        #expect(throttle.delay(user: bert, address: there, now: start) == nil)
    }

    @Test func anAddressIsSlowedThatTriesManyUsers() throws {
        var throttle = LoginThrottle()
        for number in 0..<20 {
            #expect(throttle.delay(user: try UserName("u\(number)"), address: here, now: start) == nil)
        }
        #expect(throttle.delay(user: anna, address: here, now: start) == .seconds(1))
        #expect(throttle.delay(user: anna, address: there, now: start) == nil)
    }

    @Test func failuresAreForgivenOneByOne() {
        var throttle = LoginThrottle()
        for _ in 0..<3 { _ = throttle.delay(user: anna, address: here, now: start) }
        let later = start + .seconds(600)
        #expect(throttle.delay(user: anna, address: here, now: later) == nil)
        #expect(throttle.delay(user: anna, address: here, now: later) == .seconds(1))
        let muchLater = start + .seconds(600 * 10)
        for _ in 0..<3 { #expect(throttle.delay(user: anna, address: here, now: muchLater) == nil) }
    }

    @Test func aSuccessTakesBackTheFailuresOfThatUserFromThatAddress() {
        var throttle = LoginThrottle()
        for _ in 0..<3 { _ = throttle.delay(user: anna, address: here, now: start) }
        throttle.succeeded(user: anna, address: here, now: start)
        for _ in 0..<3 { #expect(throttle.delay(user: anna, address: here, now: start) == nil) }
        #expect(throttle.delay(user: anna, address: here, now: start) != nil)
    }

    @Test func aSuccessElsewhereDoesNotFreeTheWayForGuesses() {
        var throttle = LoginThrottle()
        for _ in 0..<3 { _ = throttle.delay(user: anna, address: here, now: start) }
        let later = start + .seconds(1)
        #expect(throttle.delay(user: anna, address: there, now: later) == nil)
        throttle.succeeded(user: anna, address: there, now: later)
        #expect(throttle.delay(user: anna, address: here, now: later) != nil)
    }

    @Test func anOwnAccountDoesNotWipeOutGuessesAtOthers() throws {
        var throttle = LoginThrottle()
        for number in 0..<19 { _ = throttle.delay(user: try UserName("u\(number)"), address: here, now: start) }
        #expect(throttle.delay(user: bert, address: here, now: start) == nil)
        throttle.succeeded(user: bert, address: here, now: start)
        #expect(throttle.delay(user: anna, address: here, now: start) == nil)
        #expect(throttle.delay(user: anna, address: here, now: start) == .seconds(1))
    }

    @Test func namesThatNoUserCanHaveShareOneTally() {
        var throttle = LoginThrottle()
        for _ in 0..<3 { #expect(throttle.delay(user: nil, address: here, now: start) == nil) }
        #expect(throttle.delay(user: nil, address: there, now: start) != nil)
        #expect(throttle.delay(user: anna, address: there, now: start) == nil)
    }

    @Test func aFloodIsBoundedAndDoesNotMakeItForgetWhomManyGuessAt() throws {
        var throttle = LoginThrottle(capacity: 64)
        var now = start
        while throttle.delay(user: anna, address: here, now: now) == nil || now < start + .seconds(120) {
            now += .seconds(1)
        }
        for number in 0..<2000 {
            let address = AddressGroup(ipAddress: "10.1.\(number / 250).\(number % 250)")
            _ = throttle.delay(user: try UserName("u\(number)"), address: address, now: now)
            #expect(throttle.size <= 3 * 64)
        }
        #expect(throttle.delay(user: anna, address: there, now: now) != nil)
    }

    @Test func addressesOfOneNetworkAreOneParty() {
        func group(_ text: String) -> AddressGroup { AddressGroup(ipAddress: text) }
        #expect(group("2001:db8::1") == group("2001:db8:0:0:ffff::9"))
        #expect(group("2001:db8:1::1") != group("2001:db8:2::1"))
        #expect(group("fe80::1%eth0") == group("fe80::2"))
        #expect(group("10.0.0.1") != group("10.0.0.2"))
        #expect(group("::ffff:10.0.0.1") == group("10.0.0.1"))
        #expect(group("::ffff:10.0.0.1") != group("::ffff:10.0.0.2"))
        #expect(group("::10.0.0.1") != group("10.0.0.1"))
        #expect(group("a socket") == group("another"))
        #expect(group("a socket") != group("255.255.255.255"))
    }
}
