import FoundationEssentials
import TestSupport
import Testing

@testable import VaultServer

@Suite struct ChangeOrderTests {
    @Test func changesOfOneNameWaitForEachOtherAndOthersDoNot() async {
        let order = ChangeOrder()
        let first = order.enter(.names([Data("a".utf8)]))
        let second = order.enter(.names([Data("a".utf8), Data("b".utf8)]))
        let other = order.enter(.names([Data("c".utf8)]))
        await first.wait()
        await other.wait()
        let log = Shared<[String]>([])
        let task = Task {
            await second.wait()
            log.change { $0.append("second") }
        }
        log.change { $0.append("first") }
        first.end()
        await task.value
        #expect(log.value == ["first", "second"])
        second.end()
        other.end()
    }

    @Test func aChangeOfEverythingWaitsForAllAndHoldsUpAll() async {
        let order = ChangeOrder()
        let before = order.enter(.names([Data("a".utf8)]))
        let everything = order.enter(.everything)
        let after = order.enter(.names([Data("b".utf8)]))
        let log = Shared<[String]>([])
        async let last: Void = {
            await after.wait()
            log.change { $0.append("after") }
            after.end()
        }()
        async let middle: Void = {
            await everything.wait()
            log.change { $0.append("everything") }
            everything.end()
        }()
        log.change { $0.append("before") }
        before.end()
        _ = await (last, middle)
        #expect(log.value == ["before", "everything", "after"])
    }

    @Test func aPlaceThatIsDroppedHoldsUpNobody() async {
        let order = ChangeOrder()
        var dropped: ChangeOrder.Turn? = order.enter(.everything)
        let next = order.enter(.names([Data("a".utf8)]))
        #expect(dropped != nil)
        dropped = nil
        await next.wait()
        next.end()
    }
}
