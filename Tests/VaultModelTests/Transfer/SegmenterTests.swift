import TestSupport
import Testing

@testable import VaultModel

@Suite struct SegmenterTests {
    private static let bytes = randomBytes((20 << 20) + 12_345, seed: 4)

    /// The lengths of chunks when the stream arrives in reads of `step` bytes at most.
    private func lengths(_ bytes: [UInt8], step: (Int) -> Int) -> (chunks: [Int], content: [UInt8], largest: Int) {
        var segmenter = Segmenter()
        var (chunks, content, largest): ([Int], [UInt8], Int) = ([], [], 0)
        func take(_ segment: Segment) {
            var position = 0
            for range in segment.chunks {
                #expect(range.lowerBound == position)
                position = range.upperBound
                chunks.append(range.count)
                content += segment.buffer.memory[range]
            }
            largest = max(largest, segment.buffer.capacity)
            #expect(!segment.chunks.isEmpty)
        }
        var offset = 0
        while offset < bytes.count {
            let space = segmenter.space
            #expect(!space.isEmpty)
            let count = min(max(1, step(offset)), space.count, bytes.count - offset)
            bytes.withUnsafeBytes {
                space.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count]))
            }
            if let segment = segmenter.fill(count) { take(segment) }
            offset += count
        }
        if let segment = segmenter.finish() { take(segment) }
        #expect(segmenter.finish() == nil || bytes.isEmpty)
        return (chunks, content, largest)
    }

    private func inOnePass(_ bytes: [UInt8]) -> [Int] {
        bytes.withUnsafeBytes { bytes in
            var lengths: [Int] = []
            var rest = bytes
            while let length = Chunker.cut(rest, isEnd: true) {
                lengths.append(length)
                rest = UnsafeRawBufferPointer(rebasing: rest[length...])
            }
            return lengths
        }
    }

    @Test(arguments: [70_001, 1 << 20, 3_333_333, Limits.bufferBytes - 1, Limits.bufferBytes, .max])
    func cutsAsInOnePassHoweverTheBytesArrive(step: Int) {
        let result = lengths(SegmenterTests.bytes) { _ in step }
        #expect(result.chunks == inOnePass(SegmenterTests.bytes))
        #expect(result.content == SegmenterTests.bytes)
        #expect(result.largest == Limits.bufferBytes)
    }

    @Test func cutsAsInOnePassForReadsOfAnySize() {
        var random = SplitMix64(seed: 9)
        let result = lengths(SegmenterTests.bytes) { _ in Int.random(in: 1...2_000_000, using: &random) }
        #expect(result.chunks == inOnePass(SegmenterTests.bytes))
    }

    @Test(arguments: [0, 1, Chunker.minimumSize, Chunker.minimumSize + 1, Limits.bufferBytes, Limits.bufferBytes + 1])
    func cutsStreamsOfZeros(count: Int) {
        let zeros = [UInt8](repeating: 0, count: count)
        let result = lengths(zeros) { _ in 1 << 20 }
        #expect(result.chunks == inOnePass(zeros))
        #expect(result.content.count == count)
    }
}
