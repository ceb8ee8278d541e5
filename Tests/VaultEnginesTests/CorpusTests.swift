import FuzzSupport
import Testing
import VaultEnginesFuzzing

@Suite struct CorpusTests {
    @Test(arguments: EnginesFuzzTarget.allCases) func everyCorpusFileIsHandled(by target: EnginesFuzzTarget)
        async throws
    {
        let inputs = try Corpus().inputs(of: target)
        #expect(!inputs.isEmpty)
        for input in inputs {
            await #expect(throws: Never.self, "\(input.name)") { try await target.run(input.bytes) }
        }
    }
}
