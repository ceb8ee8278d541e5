import CChunker
import Glibc
import Testing

@testable import VaultModel

/// The searches that must find the same cuts.
private var searches: [(name: String, search: Chunker.Search)] {
    cchunker_has_avx2() ? [("portable", .portable), ("AVX2", .avx2)] : [("portable", .portable)]
}

@Suite struct ChunkerTests {
    /// A change of these lengths is a change of the format: it needs a new ``Chunker/number``.
    @Test func cutsTheSampleAsTheFormatSays() {
        #expect(Chunker.number == 1)
        for (name, search) in searches {
            #expect(lengths(sample, by: search) == sampleLengths, "\(name)")
        }
        #expect(lengths(sample) == sampleLengths)
        var repeated = Array(sample[..<1000])
        while repeated.count < 4 << 20 { repeated += repeated }
        for (name, search) in searches {
            #expect(lengths(repeated, by: search).first == 3_145_814, "\(name)")
        }
    }

    @Test func derivesTheGearFromTheFirstOutputOfSplitMix64() {
        var random = SplitMix64(state: UInt64(Chunker.number))
        let output = random.next()
        let addend = UInt32(output & 0xFFFF)
        let factor = Int32(output >> 16 & 0x7FFF | 0x4001)
        for byte in UInt8.min...UInt8.max {
            let widened = 0xFF00 | UInt32(byte)
            let product = Int16(truncatingIfNeeded: widened &* (widened &+ addend))
            #expect(cchunker_gear(byte) == UInt32(bitPattern: Int32(product) &* factor))
        }
    }

    @Test func findsTheFirstPositionThatTheDefinitionFinds() {
        for bytes in [Array(sample[..<20_000]), Array(log(lines: 400))] {
            let hashes = (64..<bytes.count).map { hashByDefinition(bytes, at: $0) }
            for leading in [4, 8, 12] {
                let threshold = UInt32.max << (32 - UInt32(leading))
                for from in [64, 65, 90, 1000, 12_345] {
                    let expected = hashes[(from - 64)...].firstIndex { $0 >= threshold }.map { $0 + 64 }
                    for (name, search) in searches {
                        #expect(search.find(bytes, from, bytes.count, threshold) == expected ?? bytes.count, "\(name)")
                    }
                }
            }
        }
    }

    @Test func searchesAlikeOverRangesOfEveryLength() {
        let bytes = Array(sample[..<70_000])
        for length in Array(0...600) + [32_767, 32_768, 32_769, 65_000] {
            for threshold in [0xF800_0000, 0xFFFF_0000, UInt32.max] {
                let found = Set(searches.map { $0.search.find(bytes, 777, 777 + length, threshold) })
                #expect(found.count == 1)
                #expect(found.allSatisfy { (777...(777 + length)).contains($0) })
            }
            guard length > 0 else { continue }
            for (name, search) in searches {
                let greatest = search.greatest(bytes, 777, 777 + length)
                #expect(search.find(bytes, 777, 777 + length, greatest) < 777 + length, "\(name)")
                #expect(search.find(bytes, 777, 777 + length, greatest + 1) == 777 + length, "\(name)")
            }
        }
    }

    @Test func readsNothingOutsideItsBytes() {
        let page = Int(getpagesize())
        let size = 16 * page
        let region = mmap(nil, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
        defer { munmap(region, size + 2 * page) }
        let inside = region + page
        #expect(mprotect(inside, size, PROT_READ | PROT_WRITE) == 0)
        for (_, search) in searches {
            let start = UnsafePointer(inside.assumingMemoryBound(to: UInt8.self))
            #expect(search.find(start, 64, size, .max) == size)
            #expect(search.find(start, size - 300, size, .max) == size)
            #expect(search.greatest(start, 64, size) < .max)
        }
    }

    @Test(arguments: [300_001, 1 << 20, 3_000_000, 8 << 20])
    func cutsAlikeHoweverTheBytesArrive(step: Int) {
        for bytes in [sample, zeros] {
            var resumed: [Int] = []
            var restarted: [Int] = []
            var chunker = Chunker()
            bytes.withUnsafeBytes { bytes in
                var start = 0
                var end = 0
                while start < bytes.count {
                    let known = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                    let length = chunker.cut(known, isEnd: end == bytes.count)
                    #expect(Chunker.cut(known, isEnd: end == bytes.count) == length)
                    if let length {
                        resumed.append(length)
                        start += length
                    } else {
                        #expect(known.count < Chunker.maximumSize && end < bytes.count)
                        end = min(end + step, bytes.count)
                    }
                }
                restarted = lengths(bytes)
            }
            #expect(resumed == restarted)
        }
    }

    @Test func searchesNoPositionTwiceWhenResumed() {
        var searched = 0
        var position = Chunker.minimumSize
        var length: Int?
        for count in stride(from: 0, to: Chunker.maximumSize + 50_000, by: 50_000) where length == nil {
            length = zeros.withUnsafeBytes { zeros in
                let known = UnsafeRawBufferPointer(rebasing: zeros[..<count])
                var search = Chunker.Search.portable
                search.find = { start, from, to, threshold in
                    if to < Chunker.maximumSize { #expect(from == position) }
                    position = to
                    return to
                }
                return Chunker.cut(known, isEnd: false, searched: &searched, by: search)
            }
        }
        #expect(length == Chunker.maximumSize)
        #expect(position == Chunker.maximumSize)
    }

    @Test func keepsToItsSizes() {
        for bytes in [sample, zeros, log(lines: 100_000)] {
            let lengths = lengths(bytes)
            #expect(lengths.reduce(0, +) == bytes.count)
            #expect(lengths.dropLast().allSatisfy { $0 >= Chunker.minimumSize })
            #expect(lengths.allSatisfy { $0 <= Chunker.maximumSize })
        }
        let mean = sample.count / sampleLengths.count
        #expect((Chunker.averageSize * 4 / 5...Chunker.averageSize * 13 / 10).contains(mean))
    }

    @Test func decidesAsSoonAsItCanAndNoSooner() {
        zeros.withUnsafeBytes { zeros in
            func cut(_ count: Int, isEnd: Bool) -> Int? {
                Chunker.cut(UnsafeRawBufferPointer(rebasing: zeros[..<count]), isEnd: isEnd)
            }
            #expect(Chunker.cut(UnsafeRawBufferPointer(start: nil, count: 0), isEnd: true) == nil)
            #expect(cut(0, isEnd: true) == nil)
            #expect(cut(0, isEnd: false) == nil)
            for count in [1, 63, 64, Chunker.minimumSize, Chunker.minimumSize + 1, Chunker.maximumSize - 1] {
                #expect(cut(count, isEnd: true) == count)
                #expect(cut(count, isEnd: false) == nil)
            }
            for count in [Chunker.maximumSize, Chunker.maximumSize + 1] {
                #expect(cut(count, isEnd: false) == Chunker.fallbackSize)
                #expect(cut(count, isEnd: true) == Chunker.fallbackSize)
            }
        }
        sample.withUnsafeBytes { sample in
            // A cut is known with the byte after it, and not before.
            let first = sampleLengths[0]
            #expect(Chunker.cut(UnsafeRawBufferPointer(rebasing: sample[..<first]), isEnd: false) == nil)
            #expect(Chunker.cut(UnsafeRawBufferPointer(rebasing: sample[...first]), isEnd: false) == first)
        }
    }

    @Test(arguments: [1, 7, 1000, 70_001])
    func repeatsItsCutsWhereTheBytesRepeat(period: Int) {
        var repeated = Array(sample[..<period])
        while repeated.count < 14 << 20 { repeated += repeated }
        let first = lengths(repeated)
        let shifted = lengths(Array(sample[(1 << 20)..<(1 << 20 + 12_345)]) + repeated)
        // Whole periods, so that the chunks are equal, and the same ones behind other bytes.
        #expect(Set(first[1..<(first.count - 1)]).count == 1)
        #expect(first[1] % period == 0)
        #expect(Set(shifted[2..<(shifted.count - 1)]) == [first[1]])
    }

    @Test func changesAtMostTwoChunksWhenAByteIsInserted() {
        var random = SplitMix64(state: 2)
        var ends: [Int] = []
        for length in sampleLengths { ends.append((ends.last ?? 0) + length) }
        let known = Set(ends)
        // One byte of room in front: what precedes the insertion in its chunk moves into it.
        var bytes = [0] + sample
        bytes.withUnsafeMutableBytes { bytes in
            for _ in 0..<300 {
                let place = Int.random(in: 0..<(16 << 20), using: &random)
                let start = ends.last { $0 <= place } ?? 0
                let base = bytes.baseAddress!
                let lost = bytes[start]
                memmove(base + start, base + start + 1, place - start)
                bytes[place] = .random(in: 0...255, using: &random)
                var position = start
                var changed = 0
                repeat {
                    position += Chunker.cut(UnsafeRawBufferPointer(rebasing: bytes[position...]), isEnd: true)!
                    changed += 1
                } while !known.contains(position - 1)
                #expect(changed <= 2)
                #expect(position - place <= 16 << 20)
                memmove(base + start + 1, base + start, place - start)
                bytes[start] = lost
            }
        }
    }
}

private let sample = bytes(count: 32 << 20, seed: 1)
private let zeros = [UInt8](repeating: 0, count: 10 << 20)

private let sampleLengths = [
    991_334, 1_210_066, 658_979, 922_428, 828_441, 1_178_078, 349_617, 688_878, 846_707, 968_667, 893_328,
    685_154, 752_430, 695_717, 1_311_105, 1_452_635, 629_923, 1_061_132, 345_572, 758_132, 657_638, 986_883,
    420_310, 1_221_553, 1_343_116, 808_097, 802_536, 851_639, 613_771, 811_096, 673_614, 839_749, 924_139,
    825_565, 1_040_234, 1_039_759, 962_445, 693_821, 655_511, 154_633,
]

/// Cuts all of the bytes.
private func lengths(_ bytes: [UInt8], by search: Chunker.Search = .fastest) -> [Int] {
    bytes.withUnsafeBytes { lengths($0, by: search) }
}

private func lengths(_ bytes: UnsafeRawBufferPointer, by search: Chunker.Search = .fastest) -> [Int] {
    func cut(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var searched = 0
        return Chunker.cut(bytes, isEnd: true, searched: &searched, by: search)
    }
    var rest = bytes
    var lengths: [Int] = []
    while let length = cut(rest) {
        lengths.append(length)
        rest = UnsafeRawBufferPointer(rebasing: rest[length...])
    }
    return lengths
}

/// The hash of a position, written down as the article defines it.
private func hashByDefinition(_ bytes: [UInt8], at position: Int) -> UInt32 {
    (0..<32).reduce(0) { hash, age in
        hash &+ cchunker_gear(bytes[position - age]) << UInt32(age)
            &+ cchunker_gear(bytes[position - age - 32]) << UInt32(age)
    }
}

private func log(lines: Int) -> [UInt8] {
    var random = SplitMix64(state: 3)
    return (0..<lines).flatMap { i in
        "2025-03-01T12:\(i / 60 % 60):\(i % 60) saved \(random.next() % 50) chunks of documents/report.odt\n".utf8
    }
}

/// The outputs of SplitMix64, little-endian, one after another.
private func bytes(count: Int, seed: UInt64) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        var random = SplitMix64(state: seed)
        let bytes = UnsafeMutableRawBufferPointer(buffer)
        for offset in stride(from: 0, to: count, by: 8) {
            bytes.storeBytes(of: random.next().littleEndian, toByteOffset: offset, as: UInt64.self)
        }
        initialized = count
    }
}

/// Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
private struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
