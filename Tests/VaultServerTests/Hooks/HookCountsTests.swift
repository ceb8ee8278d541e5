import Testing
import VaultModel

@testable import VaultServer

@Suite struct HookCountsTests {
    private func hook(_ number: Int, _ kind: HookKind = .save, line: Int) -> HookDeclaration {
        HookDeclaration(
            number: number, kind: kind, timeout: .seconds(2), acceptsErrors: false, place: "hooks.lua:\(line)")
    }

    private func run(_ hook: HookDeclaration) -> HookResult.Part {
        HookResult.Part(hook: hook.number, seconds: 1, hasRejected: false, hasFailed: false)
    }

    @Test func hooksOfOneLineAreToldApart() throws {
        let hooks = [hook(1, line: 2), hook(2, line: 2), hook(3, line: 2), hook(4, line: 5)]
        var counts = HookCounts()
        counts.keep(try HookTable(hooks))
        counts.add(run(hooks[1]), to: hooks[1], on: "v")
        #expect(counts.all().map(\.series) == ["hooks.lua:2", "hooks.lua:2#2", "hooks.lua:2#3", "hooks.lua:5"])
        #expect(counts.all().map(\.runs) == [0, 1, 0, 0])
    }

    @Test func eachGoesOnCountingInAnotherFile() throws {
        let hooks = [hook(1, line: 2), hook(2, line: 2)]
        var counts = HookCounts()
        counts.keep(try HookTable(hooks))
        counts.add(run(hooks[1]), to: hooks[1], on: "v")
        counts.keep(try HookTable([hook(1, line: 1), hook(2, line: 2), hook(3, line: 2)]))
        #expect(counts.all().map(\.runs) == [0, 0, 1])
        #expect(counts.all(on: "v").map(\.runs) == [0, 0, 1])
    }
}
