import Glibc
import TestSupport
import Testing

@testable import VaultModel

/// Content that a disk has damaged, and the push that brings it back.
@Suite struct HealingTests {
    /// Changes the bytes of a content where a pack has them.
    private func damage(_ bytes: [UInt8], below directory: LocalPath) throws {
        for name in try DirectoryListing(directory).names {
            let path = directory.appending(name)
            guard try FileStatus(of: path).kind == .file else {
                try damage(bytes, below: path)
                continue
            }
            let content = try LocalTree.read(path)
            guard let start = content.indices.first(where: { content[$0...].starts(with: bytes) }) else { continue }
            _ = path.withCString { chmod($0, 0o600) }
            let file = try OpenFile(path, flags: O_WRONLY)
            try BufferSlice(copying: [~bytes[0]]).withUnsafeBytes { (byte) throws(VaultError) in
                try file.write(byte, at: UInt64(start))
            }
        }
    }

    @Test func aPushReadsDamagedFilesAgainWhateverTheirTimesSay() async throws {
        let fixture = try await TreeFixture()
        let content = Array("a content that is found in the pack".utf8)
        let other = randomBytes(200_000, seed: 8)
        for (name, bytes) in [("f", content), ("other", other), ("whole", [9])] {
            try fixture.source.write(name, bytes)
        }
        try await fixture.push()
        for (name, bytes) in [("f", content), ("other", other), ("whole", [9])] {
            // As if they had not been touched for a while.
            let status = try FileStatus(of: fixture.source.root.appending(name))
            let intent = SaveIntent(name: try Name("p/" + name), attributes: status.attributes(now: .max))
            let slice = BufferSlice(copying: bytes)
            let save = SmallSave(intent: intent, chunk: Chunk(digest: Digest(of: bytes), bytes: slice))
            #expect(try await fixture.vault.save([save])[0].get().isCreated == false)
        }
        let recording = RecordingVault(fixture.vault)
        #expect(try await fixture.push(to: recording).skipped == 3)
        #expect(recording.putDigests.isEmpty)
        try damage(content, below: fixture.directory("vault/packs"))
        try damage(Array(other[..<64]), below: fixture.directory("vault/packs"))
        // A failure names the file, and what helps.
        let report = try await fixture.pull()
        #expect(Set(report.failed.map(\.error.name?.text)) == ["p/f", "p/other"])
        #expect(
            report.failed.allSatisfy { $0.error.code == .integrity && $0.error.message.contains("minivault verify") })
        #expect(
            report.failed.allSatisfy { failure in
                failure.error.message.contains("'\(failure.error.name?.text ?? "?")'")
            })
        #expect(try await fixture.vault.verify(VerifyRequest()).damaged.count == 2)
        let healing = try await fixture.push()
        #expect((healing.saved, healing.skipped) == (0, 3) && healing.newBytes > 0)
        #expect(try await fixture.vault.verify(VerifyRequest()).isClean)
        #expect(try await fixture.pull().failed.isEmpty)
        #expect(try fixture.target.read("f") == content && fixture.target.read("other") == other)
    }
}
