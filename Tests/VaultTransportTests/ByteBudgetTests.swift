import TestSupport
import Testing

@testable import VaultTransport

@Suite struct ByteBudgetTests {
    @Test func sharesAreGivenInTheOrderInWhichTheyWereAskedFor() {
        let budget = ByteBudget(100)
        var held: ByteBudget.Share? = budget.share(80)
        #expect(held != nil)
        let log = Shared<[Int]>([])
        budget.share(90) { share in
            log.change { $0.append(90) }
            withExtendedLifetime(share) {}
        }
        // It would fit, and must not pass the one that waits.
        #expect(budget.share(10) == nil)
        budget.share(5) { share in
            log.change { $0.append(5) }
            withExtendedLifetime(share) {}
        }
        #expect(log.value == [])
        held = nil
        #expect(log.value == [90, 5])
        #expect(budget.free == 100)
    }

    @Test func aShareLargerThanTheWholeIsTheWhole() {
        let budget = ByteBudget(10)
        var share = budget.share(1000)
        #expect(share != nil)
        #expect(budget.free == 0)
        share = nil
        #expect(budget.free == 10)
    }

    @Test func aWishThatIsWithdrawnLetsTheNextThrough() {
        let budget = ByteBudget(10)
        let held = budget.share(6)
        let log = Shared<[String]>([])
        let wish = budget.share(10) { _ in log.change { $0.append("large") } }
        budget.share(4) { _ in log.change { $0.append("small") } }
        #expect(log.value == [])
        budget.withdraw(wish)
        #expect(log.value == ["small"])
        withExtendedLifetime(held) {}
    }
}
