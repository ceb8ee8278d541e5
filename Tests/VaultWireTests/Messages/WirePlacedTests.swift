import Testing
import VaultModel
import VaultWire

@Suite struct WirePlacedTests {
    @Test func placesChunksBehindEachOther() throws {
        let model = try placed(at: 7, lengths: [3, 2]).model
        #expect(model.map(\.position) == [7, 10])
        #expect(model.map(\.end) == [10, 12])
    }

    @Test func rejectsChunksBehindTheEndOfAnyFile() throws {
        #expect(try placed(at: .max - 5, lengths: [3, 2]).model.last?.end == .max)
        for lengths: [UInt64] in [[6], [3, 3], [1, 1, 8]] {
            #expect(throws: WireViolation.self) { try placed(at: .max - 5, lengths: lengths).model }
        }
    }

    private func placed(at position: UInt64, lengths: [UInt64]) -> WirePlaced {
        var placed = WirePlaced()
        placed.position = position
        placed.chunks = WireChunkList(lengths.map { ChunkReference(digest: Digest(of: []), span: $0) })
        return placed
    }
}
