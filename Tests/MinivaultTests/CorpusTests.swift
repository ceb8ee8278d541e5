import FuzzSupport
import MinivaultFuzzing
import Testing

@Suite struct CorpusTests {
    @Test(arguments: MinivaultFuzzTarget.allCases) func everyCorpusFileIsHandled(by target: MinivaultFuzzTarget)
        async throws
    {
        let inputs = try Corpus().inputs(of: target)
        #expect(!inputs.isEmpty)
        for input in inputs {
            await #expect(throws: Never.self, "\(input.name)") { try await target.run(input.bytes) }
        }
    }
}
