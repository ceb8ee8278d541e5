/// What is to happen at some time, the next first: a binary heap.
struct TimerQueue {
    /// One entry; cancelling it leaves it where it is, without effect.
    final class Timer {
        let deadline: Moment
        fileprivate let number: UInt64
        private(set) var action: (() -> Void)?

        fileprivate init(_ deadline: Moment, _ number: UInt64, _ action: @escaping () -> Void) {
            self.deadline = deadline
            self.number = number
            self.action = action
        }

        func cancel() {
            action = nil
        }

        fileprivate func isBefore(_ other: Timer) -> Bool {
            (deadline, number) < (other.deadline, other.number)
        }
    }

    private var heap: [Timer] = []
    private var count: UInt64 = 0
    /// How many there were when those that had been cancelled were last taken out.
    private var liveCount = 0

    /// The time of the next entry that has not been cancelled.
    mutating func next() -> Moment? {
        while let first = heap.first, first.action == nil { _ = removeFirst() }
        return heap.first?.deadline
    }

    mutating func add(_ deadline: Moment, _ action: @escaping () -> Void) -> Timer {
        if heap.count > 2 * liveCount + 64 {
            // Most have been cancelled.
            heap = heap.filter { $0.action != nil }.sorted { $0.isBefore($1) }
            liveCount = heap.count
        }
        count += 1
        let timer = Timer(deadline, count, action)
        heap.append(timer)
        var index = heap.count - 1
        while index > 0, heap[index].isBefore(heap[(index - 1) / 2]) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
        return timer
    }

    /// What is due, in the order of time.
    mutating func takeDue(_ now: Moment) -> [() -> Void] {
        var due: [() -> Void] = []
        while let deadline = next(), deadline <= now {
            if let action = removeFirst().action { due.append(action) }
        }
        return due
    }

    private mutating func removeFirst() -> Timer {
        let first = heap[0]
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first }
        heap[0] = last
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count && heap[child].isBefore(heap[least]) {
                least = child
            }
            if least == index { return first }
            heap.swapAt(index, least)
            index = least
        }
    }
}
