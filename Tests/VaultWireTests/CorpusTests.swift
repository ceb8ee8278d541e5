import Foundation
import Testing
import VaultWireFuzzing

@Suite struct CorpusTests {
    /// The inputs that a fuzzer starts from, and those that once broke something.
    private static let directory = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpus")

    @Test(arguments: FuzzTarget.allCases) func everyCorpusFileIsHandled(by target: FuzzTarget) throws {
        let files = try FileManager.default.contentsOfDirectory(
            at: CorpusTests.directory.appending(path: target.rawValue), includingPropertiesForKeys: nil)
        #expect(!files.isEmpty)
        for file in files {
            #expect(throws: Never.self, "\(file.lastPathComponent)") { try target.run([UInt8](Data(contentsOf: file))) }
        }
    }

    /// The same bytes to those for which they were not made: there, they are as good as any.
    @Test(arguments: FuzzTarget.allCases) func everyTargetTakesTheInputsOfTheOthers(_ target: FuzzTarget) throws {
        for other in FuzzTarget.allCases {
            let directory = CorpusTests.directory.appending(path: other.rawValue)
            let files = try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
            for file in files {
                let bytes = try [UInt8](Data(contentsOf: file))
                #expect(throws: Never.self, "\(file.lastPathComponent)") { try target.run(bytes) }
            }
        }
    }
}
