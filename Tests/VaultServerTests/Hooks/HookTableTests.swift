import Testing
import VaultModel

@testable import VaultServer

@Suite struct HookTableTests {
    private func hook(
        _ number: Int, _ kind: HookKind = .beforeSave, match: String? = nil, priority: Double = 0, hears: Bool = false
    ) -> HookDeclaration {
        HookDeclaration(
            number: number, kind: kind, pattern: match.map { Array($0.utf8) }, priority: priority, timeout: .seconds(2),
            acceptsErrors: false, hearsHooks: hears, place: "hooks.lua:\(number)")
    }

    private func numbers(_ table: HookTable, _ kind: HookKind = .beforeSave, _ name: String = "a/b.csv", depth: Int = 0)
        throws -> [Int]
    {
        table.hooks(for: kind, try Name(name), depth: depth).map(\.number)
    }

    @Test func hooksRunByPriorityAndThenInTheOrderOfTheFile() throws {
        let table = try HookTable([hook(1), hook(2, priority: 5), hook(3), hook(4, priority: -1), hook(5, priority: 5)])
        #expect(try numbers(table) == [2, 5, 1, 3, 4])
    }

    @Test func namesAreMatchedAsGitignoreMatchesThem() throws {
        let table = try HookTable([
            hook(1, match: "*.csv"), hook(2, match: "a/*"), hook(3, match: "b.csv/**"), hook(4, match: "/b*"),
        ])
        #expect(try numbers(table) == [1, 2])
        #expect(try numbers(table, .beforeSave, "b.csv/x") == [3])
        #expect(try numbers(table, .beforeSave, "bc") == [4])
        #expect(try numbers(table, .save).isEmpty)
    }

    @Test func whatHooksDoIsHeardByThoseThatAskForItAtMostThreeDeep() throws {
        let table = try HookTable([hook(1), hook(2, hears: true)])
        #expect(try numbers(table, depth: 0) == [1, 2])
        for depth in 1...3 { #expect(try numbers(table, depth: depth) == [2]) }
        #expect(try numbers(table, depth: 4).isEmpty)
    }
}

@Suite struct HookScheduleTests {
    @Test func intervalsCountFromNow() {
        #expect(HookDeclaration.Schedule.interval(90).next(after: 1_000_000) == 1_000_090)
    }

    @Test func timesOfDayAreThoseOfUTC() {
        let midnight: Int64 = 1_780_272_000 - 1_780_272_000 % 86_400
        let three = HookDeclaration.Schedule.daily(3 * 3600)
        #expect(three.next(after: midnight) == midnight + 3 * 3600)
        #expect(three.next(after: midnight + 3 * 3600 - 1) == midnight + 3 * 3600)
        #expect(three.next(after: midnight + 3 * 3600) == midnight + 27 * 3600)
        #expect(three.next(after: midnight + 86_399) == midnight + 27 * 3600)
        #expect(HookDeclaration.Schedule.daily(0).next(after: midnight - 1) == midnight)
    }
}
