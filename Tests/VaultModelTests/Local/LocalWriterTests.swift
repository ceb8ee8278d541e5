import Glibc
import TestSupport
import Testing

@testable import VaultModel

@Suite struct LocalWriterTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func write(linkTo target: [UInt8]) throws {
        let chunk = target.isEmpty ? nil : Chunk(digest: Digest(of: target), bytes: BufferSlice(copying: target))
        let entry = Entry(
            name: try Name("link"), kind: .link, content: chunk.map { Content($0.reference) } ?? .empty, version: 1,
            sequence: 1, attributes: Attributes(mode: 0o777, modified: 0), savedAt: 0, savedBy: "", tags: [:])
        let opened = try OpenFile(directory.path, flags: O_RDONLY | O_DIRECTORY)
        _ = try LocalWriter(directory: opened, overwrites: true)
            .write(SmallContent(entry: entry, chunk: chunk), as: Array("link".utf8), path: directory("link"))
    }

    /// A vault that comes from elsewhere may hold what can no longer be saved.
    @Test(arguments: [[], Array("a\0b".utf8), [UInt8](repeating: UInt8(ascii: "x"), count: 4096)] as [[UInt8]])
    func aLinkThatWouldPointElsewhereIsNotMade(_ target: [UInt8]) throws {
        let error = #expect(throws: VaultError.self) { try write(linkTo: target) }
        #expect(error?.code == .invalid)
        #expect(try DirectoryListing(directory.path).names.isEmpty)
    }

    @Test func theLongestLinkIsMade() throws {
        let target = [UInt8](repeating: UInt8(ascii: "x"), count: 4095)
        try write(linkTo: target)
        let status = try FileStatus(of: directory("link"))
        #expect(status.kind == .link && status.size == 4095)
    }
}
