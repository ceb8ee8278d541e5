import CChunker
import CChunkerCandidates
import VaultModel

/// A way of cutting: the length of the first chunk of bytes that reach to the end of the file.
struct Candidate: Sendable {
    let name: String
    let cut: @Sendable (UnsafeRawBufferPointer) -> Int

    func lengths(_ bytes: UnsafeRawBufferPointer) -> [Int] {
        var rest = bytes
        var lengths: [Int] = []
        while !rest.isEmpty {
            let length = cut(rest)
            lengths.append(length)
            rest = UnsafeRawBufferPointer(rebasing: rest[length...])
        }
        return lengths
    }
}

private let minimum = 256 << 10
private let maximum = 4 << 20

extension Candidate {
    static let chosen = Candidate(name: "Chunker") { Chunker.cut($0, isEnd: true)! }

    /// The chosen hash under another rule: one place in 2^sparse before `normal` KiB, in 2^dense after.
    static func rule(sparse: Int, dense: Int, normal: Int) -> Candidate {
        gear("rule \(sparse)/\(dense) at \(normal) KiB", sparse: sparse, dense: dense, normal: normal << 10) {
            cchunker_find($0, $1, $2, $3)
        }
    }

    static let portable = gear("Chunker, portable, no fallback") { cchunker_find_portable($0, $1, $2, $3) }

    /// A random table of 32-bit words, gathered by AVX2, eight stretches at once.
    static let gathered = gear("gear table, AVX2 gather") {
        candidates_find_by_gather($0, $1, $2, $3, table32)
    }

    /// A random table of 32-bit words, eight stretches at once, in plain Swift.
    static let interleaved = gear("gear table, 8 stretches, scalar", find: findInterleaved)

    private static func gear(
        _ name: String, sparse: Int = 22, dense: Int = 18, normal: Int = 832 << 10,
        find: @escaping @Sendable (UnsafePointer<UInt8>, Int, Int, UInt32) -> Int
    ) -> Candidate {
        Candidate(name: name) { bytes in
            let start = bytes.baseAddress!.assumingMemoryBound(to: UInt8.self)
            let end = min(bytes.count, maximum)
            let middle = min(end, normal)
            guard end > minimum else { return end }
            if minimum < middle {
                let cut = find(start, minimum, middle, UInt32.max - (1 << (32 - sparse) - 1))
                if cut < middle { return cut }
            }
            guard middle < end else { return end }
            return find(start, max(minimum, middle), end, UInt32.max - (1 << (32 - dense) - 1))
        }
    }

    static let fastCDC = fastCDC(seed: 64)

    /// FastCDC as in the TPDS 2020 paper: 64-bit gear, skipped minimum, normalization level 2, two bytes a turn.
    static func fastCDC(seed: UInt64) -> Candidate {
        nonisolated(unsafe) let odd = table(seed: seed) { $0 }
        nonisolated(unsafe) let even = table(seed: seed) { $0 << 1 }
        return Candidate(name: "FastCDC 2020, seed \(seed)") { bytes in
            let p = bytes.baseAddress!.assumingMemoryBound(to: UInt8.self)
            let end = min(bytes.count, maximum)
            guard end > minimum else { return end }
            var hash: UInt64 = 0
            var i = minimum
            for (limit, mask) in [(832 << 10, spread22), (maximum, spread18)] {
                let shifted = mask << 1
                let last = min(limit, end) & ~1
                while i < last {
                    hash = (hash << 2) &+ even[Int(p[i])]
                    if hash & shifted == 0 { return i }
                    hash = hash &+ odd[Int(p[i + 1])]
                    if hash & mask == 0 { return i + 1 }
                    i += 2
                }
            }
            return end
        }
    }

    /// SeqCDC (Udayashankar and others, Middleware 2024): cuts after a rising run, skips where bytes fall.
    static func seqCDC(run: Int, trigger: Int = 50, skip: Int = 512) -> Candidate {
        Candidate(name: "SeqCDC, runs of \(run)") { bytes in
            let p = bytes.baseAddress!.assumingMemoryBound(to: UInt8.self)
            let end = min(bytes.count, maximum)
            guard end > minimum else { return end }
            var i = minimum
            var rising = 1
            var falling = 0
            while i < end {
                if p[i] > p[i - 1] {
                    rising += 1
                    if rising == run { return i + 1 }
                } else {
                    rising = 1
                    if p[i] < p[i - 1] {
                        falling += 1
                        if falling == trigger {
                            falling = 0
                            i += skip
                        }
                    }
                }
                i += 1
            }
            return end
        }
    }

    /// RAM (Widodo and others, FGCS 2017), in vectors as VectorCDC (FAST 2025) does: the first byte no less
    /// than every byte of the window before it.
    static let ram = Candidate(name: "RAM, vectors") { bytes in
        let window = (1 << 20) - 256
        let end = min(bytes.count, maximum)
        guard end > window else { return end }
        let p = bytes.baseAddress!.assumingMemoryBound(to: UInt8.self)
        var value: UInt8 = 0
        for i in 0..<window { value = max(value, p[i]) }
        for i in window..<end where p[i] >= value { return i + 1 }
        return end
    }

    /// AE (Zhang and others, INFOCOM 2015): the window after the last extreme byte.
    static let ae = Candidate(name: "AE") { bytes in
        let window = (1 << 20) - 256
        let end = min(bytes.count, maximum)
        var greatest: UInt8 = 0
        var place = 0
        for i in 0..<end {
            if bytes[i] > greatest {
                greatest = bytes[i]
                place = i
            } else if i == place + window {
                return i + 1
            }
        }
        return end
    }

    /// The chosen algorithm, byte by byte, with constants from another seed.
    static func chosen(seed: UInt64) -> Candidate {
        var random = SplitMix64(seed: seed)
        let output = random.next()
        let addend = UInt32(output & 0xFFFF)
        let factor = Int32(output >> 16 & 0x7FFF | 0x4001)
        let table = UnsafeMutablePointer<UInt32>.allocate(capacity: 256)
        for byte in 0..<256 {
            let widened = 0xFF00 | UInt32(byte)
            let product = Int16(truncatingIfNeeded: widened &* (widened &+ addend))
            table[byte] = UInt32(bitPattern: Int32(product) &* factor)
        }
        nonisolated(unsafe) let gear = UnsafePointer(table)
        return Self.gear("Chunker, seed \(seed)") { bytes, from, to, threshold in
            var young: UInt32 = 0
            var old: UInt32 = 0
            for i in (from - 31)..<from {
                young = young &+ young &+ gear[Int(bytes[i])]
                old = old &+ old &+ gear[Int(bytes[i - 32])]
            }
            for cut in from..<to {
                young = young &+ young &+ gear[Int(bytes[cut])]
                old = old &+ old &+ gear[Int(bytes[cut - 32])]
                if young &+ old >= threshold { return cut }
            }
            return to
        }
    }

    static let fixed = Candidate(name: "fixed size") { min($0.count, 1 << 20) }
}

/// Masks spread as the paper advises, over the upper 48 bits.
private func spread(_ bits: Int) -> UInt64 {
    (0..<bits).reduce(0) { $0 | 1 << UInt64(62 - ($1 * 46) / bits) }
}

private let spread22 = spread(22)
private let spread18 = spread(18)
nonisolated(unsafe) private let table32 = table(seed: 64) { UInt32(truncatingIfNeeded: $0) }

private func table<Word>(seed: UInt64, _ transform: (UInt64) -> Word) -> UnsafePointer<Word> {
    var random = SplitMix64(seed: seed)
    let table = UnsafeMutablePointer<Word>.allocate(capacity: 256)
    for i in 0..<256 { (table + i).initialize(to: transform(random.next())) }
    return UnsafePointer(table)
}

private func findInterleaved(
    _ bytes: UnsafePointer<UInt8>, _ from: Int, _ to: Int, _ threshold: UInt32
) -> Int {
    let stretch = 4096
    let table = table32
    var from = from
    while to - from >= 8 * stretch {
        var (h0, h1, h2, h3) = (UInt32(0), UInt32(0), UInt32(0), UInt32(0))
        var (h4, h5, h6, h7) = (UInt32(0), UInt32(0), UInt32(0), UInt32(0))
        var m: UInt32 = 0
        for i in (from - 31)..<(from + stretch) {
            if i == from { m = 0 }
            h0 = h0 &+ h0 &+ table[Int(bytes[i])]
            h1 = h1 &+ h1 &+ table[Int(bytes[i + stretch])]
            h2 = h2 &+ h2 &+ table[Int(bytes[i + 2 * stretch])]
            h3 = h3 &+ h3 &+ table[Int(bytes[i + 3 * stretch])]
            h4 = h4 &+ h4 &+ table[Int(bytes[i + 4 * stretch])]
            h5 = h5 &+ h5 &+ table[Int(bytes[i + 5 * stretch])]
            h6 = h6 &+ h6 &+ table[Int(bytes[i + 6 * stretch])]
            h7 = h7 &+ h7 &+ table[Int(bytes[i + 7 * stretch])]
            m = max(max(max(m, h0), max(h1, h2)), max(max(h3, h4), max(max(h5, h6), h7)))
        }
        if m >= threshold { return findBytewise(bytes, from, from + 8 * stretch, threshold) }
        from += 8 * stretch
    }
    return findBytewise(bytes, from, to, threshold)
}

private func findBytewise(
    _ bytes: UnsafePointer<UInt8>, _ from: Int, _ to: Int, _ threshold: UInt32
) -> Int {
    var hash: UInt32 = 0
    for i in (from - 31)..<from { hash = hash &+ hash &+ table32[Int(bytes[i])] }
    for cut in from..<to {
        hash = hash &+ hash &+ table32[Int(bytes[cut])]
        if hash >= threshold { return cut }
    }
    return to
}
