import Testing

@testable import VaultServer

@Suite struct HookSuspensionsTests {
    private let start = ContinuousClock.now

    private func party(_ hook: Int, user: String = "anna", vault: String = "anna") -> HookParty {
        HookParty(hook: hook, user: user, vault: vault)
    }

    @Test func aHookThatFailsAgainAndAgainRestsAndIsThenTriedByOneEvent() {
        var suspensions = HookSuspensions()
        func admits(_ hook: Int, _ now: ContinuousClock.Instant) -> Bool { suspensions.admits(party(hook), at: now) }
        func note(_ isFailure: Bool, _ now: ContinuousClock.Instant) -> HookSuspensions.Change? {
            suspensions.note(party(1), failed: isFailure, at: now)
        }
        for count in 1..<HookLimits.failuresMax {
            #expect(note(true, start) == nil, "after \(count)")
            #expect(admits(1, start))
        }
        #expect(note(true, start) == .suspended)
        #expect(!admits(1, start) && suspensions.isSuspended(1))
        // Others go on.
        #expect(admits(2, start))
        let later = start + .seconds(HookLimits.suspensionSeconds)
        #expect(admits(1, later))
        #expect(!admits(1, later))
        // It fails again, which is nothing new.
        #expect(note(true, later) == nil)
        #expect(!admits(1, later))
        let muchLater = later + .seconds(HookLimits.suspensionSeconds)
        #expect(admits(1, muchLater))
        #expect(note(false, muchLater) == .resumed)
        #expect(admits(1, muchLater) && !suspensions.isSuspended(1))
    }

    @Test func aSuccessForgivesTheFailuresBefore() {
        var suspensions = HookSuspensions()
        func admits(_ hook: Int, _ now: ContinuousClock.Instant) -> Bool { suspensions.admits(party(hook), at: now) }
        func note(_ isFailure: Bool, _ now: ContinuousClock.Instant) -> HookSuspensions.Change? {
            suspensions.note(party(1), failed: isFailure, at: now)
        }
        for _ in 0..<3 {
            for _ in 1..<HookLimits.failuresMax { _ = note(true, start) }
            #expect(note(false, start) == nil)
        }
        #expect(admits(1, start))
    }

    @Test func whatOneUserBringsAboutConcernsNoOther() {
        var suspensions = HookSuspensions()
        func admits(_ party: HookParty) -> Bool { suspensions.admits(party, at: start) }
        for _ in 0..<HookLimits.failuresMax { _ = suspensions.note(party(1, user: "mallory"), failed: true, at: start) }
        #expect(!admits(party(1, user: "mallory")))
        #expect(admits(party(1)))
        #expect(admits(party(1, user: "mallory", vault: "anna2")))
        #expect(suspensions.isSuspended(1) && !suspensions.isSuspended(2))
    }

    @Test func manyUsersWhoseHooksFailFillNoMemory() {
        var suspensions = HookSuspensions()
        func admits(_ party: HookParty) -> Bool { suspensions.admits(party, at: start) }
        for _ in 0..<HookLimits.failuresMax { _ = suspensions.note(party(1), failed: true, at: start) }
        for number in 0..<2 * HookSuspensions.partiesMax {
            _ = suspensions.note(party(1, user: "\(number)"), failed: true, at: start)
        }
        // Those that rest stay at rest.
        #expect(!admits(party(1)))
    }
}
