import FuzzSupport
import Testing
import VaultWireFuzzing

@Suite struct CorpusTests {
    private static let corpus = Corpus()

    @Test(arguments: WireFuzzTarget.allCases) func everyCorpusFileIsHandled(by target: WireFuzzTarget) throws {
        let inputs = try CorpusTests.corpus.inputs(of: target)
        #expect(!inputs.isEmpty)
        for input in inputs {
            #expect(throws: Never.self, "\(input.name)") { try target.run(input.bytes) }
        }
    }

    /// The same bytes to those for which they were not made: there, they are as good as any.
    @Test(arguments: WireFuzzTarget.allCases) func everyTargetTakesTheInputsOfTheOthers(
        _ target: WireFuzzTarget
    ) throws {
        for other in WireFuzzTarget.allCases {
            for input in try CorpusTests.corpus.inputs(of: other) {
                #expect(throws: Never.self, "\(input.name)") { try target.run(input.bytes) }
            }
        }
    }
}
