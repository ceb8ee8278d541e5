import Testing
import VaultModel

@Suite struct FairQueueTests {
    private func order(_ queue: inout FairQueue<String, Int>) -> [Int] {
        var order: [Int] = []
        while let next = queue.first {
            order.append(next)
            queue.removeFirst()
        }
        #expect(queue.isEmpty)
        return order
    }

    @Test func whoBringsMuchDelaysOthersByOneTurn() {
        var queue = FairQueue<String, Int>()
        for number in 0..<5 { queue.append(number, of: "a") }
        for number in 10..<12 { queue.append(number, of: "b") }
        queue.append(20, of: "c")
        #expect(order(&queue) == [0, 10, 20, 1, 11, 2, 3, 4])
    }

    @Test func whoComesLaterHasTheNextTurn() {
        var queue = FairQueue<String, Int>()
        for number in 0..<3 { queue.append(number, of: "a") }
        queue.removeFirst()
        queue.append(10, of: "b")
        #expect(order(&queue) == [1, 10, 2])
    }

    @Test func whatIsPutAheadGoesFirstInItsOrder() {
        var queue = FairQueue<String, Int>()
        queue.append(1, of: "a")
        queue.putAhead([5, 6])
        queue.putAhead([4])
        #expect(order(&queue) == [4, 5, 6, 1])
    }

    @Test func whatIsPutBackIsTheNextOfItsOwnAndNotOfOthers() {
        var queue = FairQueue<String, Int>()
        for number in 0..<4 { queue.append(number, of: "a") }
        for _ in 0..<3 { queue.removeFirst() }
        queue.append(10, of: "b")
        for number in [2, 1] { queue.putBack(number, of: "a") }
        #expect(order(&queue) == [1, 10, 2, 3])
        for number in 0..<2 { queue.append(number, of: "b") }
        queue.putBack(20, of: "c")
        #expect(order(&queue) == [20, 0, 1])
    }

    @Test func everythingIsTaken() {
        var queue = FairQueue<String, Int>()
        for number in 0..<100 { queue.append(number, of: "\(number % 7)") }
        for _ in 0..<30 { queue.removeFirst() }
        queue.putAhead([200])
        let rest = queue.removeAll()
        #expect(rest.count == 71)
        #expect(queue.isEmpty && queue.first == nil)
    }

    @Test func manyElementsLeaveInTheirOrder() {
        var queue = FairQueue<String, Int>()
        for number in 0..<10_000 { queue.append(number, of: "a") }
        #expect(order(&queue) == Array(0..<10_000))
    }
}
