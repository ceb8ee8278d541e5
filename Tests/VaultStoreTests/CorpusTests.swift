import FuzzSupport
import Testing
import VaultStoreFuzzing

@Suite struct CorpusTests {
    @Test(arguments: StoreFuzzTarget.allCases) func everyCorpusFileIsHandled(by target: StoreFuzzTarget) async throws {
        let inputs = try Corpus().inputs(of: target)
        #expect(!inputs.isEmpty)
        for input in inputs {
            await #expect(throws: Never.self, "\(input.name)") { try await target.run(input.bytes) }
        }
    }
}
