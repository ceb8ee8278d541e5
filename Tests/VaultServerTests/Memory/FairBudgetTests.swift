import TestSupport
import Testing
import VaultModel

@testable import VaultServer

@Suite struct FairBudgetTests {
    @Test func nobodyHoldsMoreThanHeLeavesFree() {
        let budget = FairBudget(100)
        let anna = budget.share(50, of: "anna")
        #expect(anna != nil)
        #expect(budget.share(1, of: "anna") == nil)
        let ben = [budget.share(20, of: "ben"), budget.share(5, of: "ben")]
        #expect(ben.allSatisfy { $0 != nil })
        #expect(budget.share(1, of: "ben") == nil)
        // There is some for the next one, who holds nothing.
        let clara = budget.share(25, of: "clara")
        #expect(clara != nil && budget.free == 0)
        withExtendedLifetime((anna, ben, clara)) {}
    }

    @Test func ofThoseWhoWaitTheOneWhoHoldsLeastComesFirst() {
        let budget = FairBudget(100)
        let anna = budget.share(40, of: "anna")
        var ben = budget.share(60, of: "ben")
        let log = Shared<[String]>([])
        func wish(_ bytes: Int, of user: String) {
            budget.share(bytes, of: user) { share in
                log.change { $0.append(user) }
                withExtendedLifetime(share) {}
            }
        }
        wish(5, of: "anna")
        wish(50, of: "clara")
        // It would be there for her, and is not taken past one who waits and holds nothing.
        #expect(budget.share(1, of: "anna") == nil)
        #expect(log.value == [])
        ben = nil
        #expect(log.value == ["clara", "anna"])
        withExtendedLifetime((anna, ben)) {}
    }

    @Test func smallWishesDoNotStarveALargeOneOfHimWhoHoldsNothing() {
        let budget = FairBudget(100)
        var held = (0..<8).map { budget.share(12, of: "user \($0)") }
        let log = Shared<[String]>([])
        budget.share(50, of: "large") { _ in log.change { $0.append("large") } }
        for user in 0..<4 {
            budget.share(1, of: "user \(user)") { _ in log.change { $0.append("small") } }
            held.removeLast()
        }
        #expect(log.value.first == "large")
        withExtendedLifetime(held) {}
    }

    @Test func aShareLargerThanTheWholeIsTheWhole() {
        let budget = FairBudget(10)
        var share = budget.share(1000, of: "anna")
        #expect(share?.bytes == 10 && budget.free == 0)
        share = nil
        #expect(budget.free == 10)
    }

    @Test func aShareGrowsOnlyWithinWhatIsFairAndShrinksForOthers() {
        let budget = FairBudget(100)
        let share = budget.share(10, of: "anna")
        #expect(share?.resize(to: 50) == true)
        #expect(share?.resize(to: 51) == false)
        #expect(share?.bytes == 50 && budget.free == 50)
        let log = Shared<[Int]>([])
        budget.share(60, of: "ben") { share in
            log.change { $0.append(60) }
            withExtendedLifetime(share) {}
        }
        #expect(log.value == [])
        #expect(share?.resize(to: 40) == true)
        #expect(log.value == [60])
        withExtendedLifetime(share) {}
    }

    @Test func aWishOfACancelledTaskLetsTheNextThrough() async throws {
        let budget = FairBudget(10)
        let held = budget.share(6, of: "anna")
        let large = Task { try await budget.share(waitingFor: 10, of: "ben") }
        let log = Shared<[String]>([])
        #expect(try await soon { budget.share(1, of: "clara") == nil })
        budget.share(4, of: "clara") { _ in log.change { $0.append("small") } }
        #expect(log.value == [])
        large.cancel()
        let error = await #expect(throws: VaultError.self) { _ = try await large.value }
        #expect(error?.code == .cancelled)
        #expect(log.value == ["small"])
        withExtendedLifetime(held) {}
    }

    @Test func theSlowestOfHimWhoHoldsMostGivesWayToOneWhoWaits() {
        let budget = FairBudget(100)
        let log = Shared<[String]>([])
        let anna = [budget.share(30, of: "anna"), budget.share(20, of: "anna")]
        let ben = budget.share(40, of: "ben")
        let loans = [("ben", "ben"), ("anna", "old"), ("anna", "new")].map { user, what in
            budget.lend(to: user) { log.change { $0.append(what) } }
        }
        let now = ContinuousClock.now
        // Nobody waits.
        budget.relieve(at: now + .seconds(60), patience: .seconds(1), grace: .seconds(5))
        #expect(log.value == [])
        budget.share(20, of: "clara") { withExtendedLifetime($0) {} }
        // Nobody has waited for long, or has had time enough.
        budget.relieve(at: now, patience: .seconds(1), grace: .seconds(5))
        budget.relieve(at: now + .seconds(2), patience: .seconds(1), grace: .seconds(5))
        #expect(log.value == [])
        budget.relieve(at: now + .seconds(6), patience: .seconds(1), grace: .seconds(5))
        #expect(log.value == ["old"])
        budget.relieve(at: now + .seconds(6), patience: .seconds(1), grace: .seconds(5))
        #expect(log.value == ["old", "new"])
        withExtendedLifetime((anna, ben, loans)) {}
    }

    @Test func nobodyGivesWayToHisOwnWishes() {
        let budget = FairBudget(100)
        let log = Shared<[String]>([])
        let anna = budget.share(50, of: "anna")
        let loan = budget.lend(to: "anna") { log.change { $0.append("anna") } }
        budget.share(20, of: "anna") { withExtendedLifetime($0) {} }
        budget.relieve(at: .now + .seconds(60), patience: .seconds(1), grace: .seconds(5))
        #expect(log.value == [])
        withExtendedLifetime((anna, loan)) {}
    }
}
