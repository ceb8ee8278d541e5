import Foundation

/// The inputs that are kept for the targets of one library: those that a fuzzer starts from, and those that once broke
/// something.
package struct Corpus: Sendable {
    private let directory: URL

    /// - Parameter test: the source file of the tests beside which the inputs are, in `Corpus/<target>/`.
    package init(beside test: String = #filePath) {
        directory = URL(filePath: test).deletingLastPathComponent().appending(path: "Corpus")
    }

    /// The inputs of a target by their files' names.
    package func inputs(of target: some FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
        let files = try FileManager.default.contentsOfDirectory(
            at: directory.appending(path: target.rawValue), includingPropertiesForKeys: nil)
        return try files.sorted { $0.path < $1.path }.map { file in
            (file.lastPathComponent, [UInt8](try Data(contentsOf: file)))
        }
    }
}
