import FoundationEssentials
import Glibc
import TestSupport
import Testing
import VaultClient
import VaultModel

/// What single requests take of a server's memory.
@Suite struct ServerMemoryTests {
    /// A line of `/proc/PID/status`, in bytes.
    private func memory(_ line: String, of process: pid_t) throws -> Int {
        let bytes = try SmallFile.read(LocalPath("/proc/\(process)/status"), bytesMax: 1 << 16)
        let found = try #require(
            String(decoding: bytes, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix(line) })
        return try #require(found.split { $0 == " " || $0 == "\t" }.dropFirst().first.flatMap { Int($0) }) << 10
    }

    /// Bytes by which the memory of a process is larger at its peak during `body` than before.
    private func growth(of process: pid_t, _ body: () async throws -> Void) async throws -> Int {
        let file = try OpenFile(LocalPath("/proc/\(process)/clear_refs"), flags: O_WRONLY)
        // 5 sets the peak back (proc(5)).
        #expect(Glibc.write(file.descriptor, "5", 1) == 1)
        let before = try memory("VmRSS:", of: process)
        try await body()
        return try memory("VmHWM:", of: process) - before
    }

    @Test func aChangeOfManyNamesTakesLittleMemoryHoweverLongTheyAre() async throws {
        let service = try await Service()
        defer { service.end() }
        let vault = try await service.connect()
        let count = 12_000
        let parts = [String](repeating: String(repeating: "p", count: 250), count: 4).joined(separator: "/")
        for start in stride(from: 0, to: count, by: 200) {
            let saves = try (start..<start + 200).map { number in
                SmallSave(
                    intent: SaveIntent(
                        name: try Name("a/\(parts)/\(number)"), attributes: Attributes(mode: 0o644, modified: 1),
                        tags: ["t": TagText(String(repeating: "x", count: 1000))]), chunk: nil)
            }
            for result in try await vault.save(saves) { _ = try result.get() }
        }
        let (a, b, c) = (try Name("a"), try Name("b"), try Name("c"))
        for change in [Change.copy(from: a, to: b), .rename(from: b, to: c), .remove(NamePrefix(c))] {
            let bytes = try await growth(of: service.server.id) {
                let outcome = try await vault.change([change])[0].get()
                #expect(outcome.count == count)
            }
            // 300 bytes a name, and what one of any size takes.
            #expect(bytes < 300 * count + 16 << 20, "\(change)")
        }
        await vault.close()
    }
}
