import TestSupport
import Testing

@testable import VaultModel

@Suite struct OrderedGateTests {
    @Test func letsThroughInOrderOneAtATime() async {
        let gate = OrderedGate()
        let passed = Shared<[Int]>([])
        let inside = Shared(0)
        await withTaskGroup(of: Void.self) { group in
            for turn in (0..<200).shuffled() {
                group.addTask {
                    try? await gate.pass(turn) {
                        #expect(
                            inside.change { count in
                                count += 1
                                return count
                            } == 1)
                        await Task.yield()
                        passed.change { $0.append(turn) }
                        inside.change { $0 -= 1 }
                    }
                }
            }
        }
        #expect(passed.value == Array(0..<200))
    }

    @Test func failsAllBehindAFailure() async {
        let gate = OrderedGate()
        let outcomes = Shared<[Int: VaultError.Code]>([:])
        let passed = Shared<Set<Int>>([])
        await withTaskGroup(of: Void.self) { group in
            for turn in (0..<50).shuffled() {
                group.addTask {
                    do throws(VaultError) {
                        try await gate.pass(turn) { () throws(VaultError) in
                            _ = passed.change { $0.insert(turn).inserted }
                            if turn == 20 { throw VaultError(.quota, "Full.") }
                        }
                    } catch {
                        outcomes.change { $0[turn] = error.code }
                    }
                }
            }
        }
        #expect(passed.value == Set(0...20))
        #expect(outcomes.value == Dictionary(uniqueKeysWithValues: (20..<50).map { ($0, .quota) }))
        // Also whoever comes later.
        let late = await eventualCode { try await gate.pass(60) {} }
        #expect(late == .quota)
    }

    @Test func keepsItsOrderWhenTasksAreCancelled() async {
        let passed = await cancelling { cancel in
            let gate = OrderedGate()
            cancel()
            let passed = Shared<[Int]>([])
            await withTaskGroup(of: Void.self) { group in
                for turn in (0..<10).reversed() {
                    group.addTask { try? await gate.pass(turn) { passed.change { $0.append(turn) } } }
                }
            }
            return passed.value
        }
        #expect(passed == Array(0..<10))
    }
}
