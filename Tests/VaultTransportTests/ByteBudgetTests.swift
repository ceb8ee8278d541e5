import TestSupport
import Testing
import VaultModel

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

    @Test func aWishOfACancelledTaskLetsTheNextThrough() async throws {
        let budget = ByteBudget(10)
        let held = budget.share(6)
        let large = Task { try await budget.share(waitingFor: 10) }
        #expect(try await soon { budget.isWaitedFor })
        let log = Shared<[String]>([])
        budget.share(4) { _ in log.change { $0.append("small") } }
        #expect(log.value == [])
        large.cancel()
        let error = await #expect(throws: VaultError.self) { try await large.value }
        #expect(error?.code == .cancelled)
        #expect(log.value == ["small"])
        withExtendedLifetime(held) {}
    }
}
