// Measures the chunker and the ones that were not chosen.
//
//   ChunkerBenchmark speed                     gigabytes a second, on random bytes
//   ChunkerBenchmark sizes                     the distribution of chunk sizes on random bytes
//   ChunkerBenchmark edits                     what is sent again after random edits
//   ChunkerBenchmark repetitive                zeros, patterns, tables, logs
//   ChunkerBenchmark versions OLD NEW ...      what is sent of each NEW file when its OLD is there
//   ChunkerBenchmark seeds OLD NEW ...         the same, over twelve seeds of the constants and tables
//   ChunkerBenchmark locality [COUNT]          how far the effect of one inserted byte reaches
//
// With RULES=1 in the environment, compares thresholds and sizes instead of algorithms.

import Glibc

let arguments = CommandLine.arguments.dropFirst()
let candidates: [Candidate] =
    getenv("RULES") == nil
    ? [
        .chosen, .rule(sparse: 22, dense: 18, normal: 832), .portable, .gathered, .interleaved, .fastCDC,
        .seqCDC(run: 8), .seqCDC(run: 9), .ram, .ae, .fixed,
    ]
    : [
        .rule(sparse: 20, dense: 20, normal: 832), .rule(sparse: 21, dense: 19, normal: 640),
        .rule(sparse: 21, dense: 18, normal: 640), .rule(sparse: 20, dense: 18, normal: 640),
        .rule(sparse: 21, dense: 19, normal: 832),
        .rule(sparse: 22, dense: 18, normal: 832), .rule(sparse: 22, dense: 18, normal: 960),
        .rule(sparse: 23, dense: 17, normal: 896), .rule(sparse: 24, dense: 16, normal: 960), .fastCDC, .fixed,
    ]

switch arguments.first {
case "speed": measureSpeed()
case "sizes": measureSizes()
case "edits": measureEdits()
case "repetitive": measureRepetitive()
case "versions": measureVersions(Array(arguments.dropFirst()))
case "seeds": measureSeeds(Array(arguments.dropFirst()))
case "locality": measureLocality(trials: arguments.dropFirst().first.flatMap { Int($0) } ?? 20_000)
default:
    print(
        "usage: ChunkerBenchmark speed | sizes | edits | repetitive | versions OLD NEW ... | seeds OLD NEW ... | locality [COUNT]"
    )
    exit(2)
}

func measureSpeed() {
    print("\(padded("GB/s", 34))    1 GiB   8 MiB again")
    let large = randomBytes(1 << 30, seed: 2)
    large.withUnsafeBytes { large in
        let small = UnsafeRawBufferPointer(rebasing: large[..<(8 << 20)])
        for candidate in candidates {
            let first = speed(candidate, large, runs: 5)
            let second = speed(candidate, small, runs: 5, repetitions: 32)
            print(padded(candidate.name, 34), figure(first), figure(second))
        }
    }
}

func measureSizes() {
    print("\(padded("KiB", 34))     mean      1 %     50 %     99 %   share forced")
    let bytes = randomBytes(4 << 30, seed: 3)
    for candidate in candidates {
        let lengths = bytes.withUnsafeBytes { candidate.lengths($0) }.sorted()
        let mean = Double(bytes.count) / Double(lengths.count) / 1024
        let ranks = [0.01, 0.5, 0.99].map { Double(lengths[Int(Double(lengths.count) * $0)]) / 1024 }
        let forced = Double(lengths.count { $0 == 4 << 20 }) / Double(lengths.count)
        let figures = ([mean] + ranks).map { figure($0, decimals: 0) }.joined(separator: " ")
        print(padded(candidate.name, 34), figures, figure(forced, decimals: 6))
    }
}

func measureEdits() {
    let shapes = [(10, 1), (100, 1), (1000, 1), (10, 1000), (100, 1000), (10, 300_000), (50, 300_000)]
    print("MiB sent of 256 MiB after edits: places x bytes, the mean of insert, remove, overwrite")
    print(padded("", 34), shapes.map { "  \(padded("\($0.0)x\($0.1)", 9))" }.joined())
    let old = randomBytes(256 << 20, seed: 4)
    var sent = [[Double]](repeating: [], count: candidates.count)
    for (places, size) in shapes {
        var sums = [Double](repeating: 0, count: candidates.count)
        for edit in Edit.allCases {
            let new = edited(old, edit, places: places, size: size, seed: UInt64(places + size))
            for (i, candidate) in candidates.enumerated() {
                sums[i] += Double(saving(candidate, old: old, new: new).sent) / Double(1 << 20) / 3
            }
        }
        for i in candidates.indices { sent[i].append(sums[i]) }
    }
    for (i, candidate) in candidates.enumerated() {
        print(padded(candidate.name, 34), sent[i].map { figure($0, width: 10, decimals: 1) }.joined(separator: " "))
    }
}

func measureRepetitive() {
    let size = 64 << 20
    func lines(_ make: (Int, UInt64) -> [[UInt8]]) -> ([UInt8], [UInt8]) {
        let lines = make(900_000, 5)
        var changed = lines
        var random = SplitMix64(seed: 6)
        for _ in 0..<10 {
            changed.insert(make(1, random.next())[0], at: Int.random(in: 0..<changed.count, using: &random))
        }
        return (Array(lines.joined()), Array(changed.joined()))
    }
    func inserted(_ bytes: [UInt8]) -> ([UInt8], [UInt8]) {
        (bytes, edited(bytes, .insert, places: 5, size: 100, seed: 7))
    }
    var sets: [(String, ([UInt8], [UInt8]))] = [("zeros", inserted([UInt8](repeating: 0, count: size)))]
    for period in [3, 16, 61, 1000, 5000, 70_000] {
        sets.append(("period \(period)", inserted(repeated(period, count: size, seed: UInt64(period)))))
    }
    sets.append(("table", lines(csvLines)))
    sets.append(("log", lines(logLines)))
    for (name, (old, new)) in sets {
        print("\n\(padded(name, 34))     GB/s   mean KiB   forced %   MiB sent of \(new.count >> 20)")
        for candidate in candidates {
            let pace = old.withUnsafeBytes { speed(candidate, $0, runs: 3) }
            report(candidate, saving(candidate, old: old, new: new), pace)
        }
    }
}

func measureVersions(_ paths: [String]) {
    for i in stride(from: 0, to: paths.count - 1, by: 2) {
        let (old, new) = (mapped(paths[i]), mapped(paths[i + 1]))
        print("\n\(padded(paths[i + 1], 34))     GB/s   mean KiB   forced %   MiB sent of \(new.count >> 20)")
        for candidate in candidates {
            report(candidate, saving(candidate, old: old, new: new), speed(candidate, old, runs: 3))
        }
    }
}

func measureSeeds(_ paths: [String]) {
    for i in stride(from: 0, to: paths.count - 1, by: 2) {
        let (old, new) = (mapped(paths[i]), mapped(paths[i + 1]))
        print("\n\(padded(paths[i + 1], 34)) MiB sent of \(new.count >> 20)  deviation   forced %")
        let families: [(String, (UInt64) -> Candidate)] = [
            ("Chunker", Candidate.chosen(seed:)), ("FastCDC 2020", Candidate.fastCDC(seed:)),
        ]
        for (name, make) in families {
            let savings = (1...12).map { saving(make($0), old: old, new: new) }
            let sent = savings.map { Double($0.sent) / Double(1 << 20) }
            let mean = sent.reduce(0, +) / 12
            let deviation = (sent.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / 12).squareRoot()
            let forced = savings.map { Double($0.forced) / Double($0.chunks) * 100 }.reduce(0, +) / 12
            print(padded(name, 34), figure(mean, width: 14, decimals: 1), figure(deviation), figure(forced, width: 12))
        }
    }
}

func report(_ candidate: Candidate, _ saving: Saving, _ speed: Double) {
    print(
        padded(candidate.name, 34), figure(speed),
        figure(Double(saving.total) / Double(max(saving.chunks, 1)) / 1024, width: 10, decimals: 0),
        figure(Double(saving.forced) / Double(max(saving.chunks, 1)) * 100, width: 10, decimals: 1),
        figure(Double(saving.sent) / Double(1 << 20), width: 10, decimals: 1))
}

/// Inserts one byte at random places of random data, one at a time, and follows the cuts until they agree again.
func measureLocality(trials: Int) {
    let size = 128 << 20
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size + 1, alignment: 64)
    randomBytes(size, seed: 8).withUnsafeBytes {
        UnsafeMutableRawBufferPointer(rebasing: bytes[1...]).copyMemory(from: $0)
    }
    var random = SplitMix64(seed: 9)
    for candidate in [Candidate.chosen, .fastCDC] {
        let original = candidate.lengths(UnsafeRawBufferPointer(rebasing: bytes[1...]))
        var ends: [Int] = []
        for length in original { ends.append((ends.last ?? 0) + length) }
        let known = Set(ends)
        var changed: [Int: Int] = [:]
        var farthest = 0
        for _ in 0..<trials {
            let place = Int.random(in: 0..<(size - 64 << 20), using: &random)
            let chunk = ends.firstIndex { $0 > place }!
            let start = chunk == 0 ? 0 : ends[chunk - 1]
            // The bytes of the chunk before the place move one to the left, over a byte of the chunk before.
            let saved = bytes[start]
            memmove(bytes.baseAddress! + start, bytes.baseAddress! + start + 1, place - start)
            bytes[place] = UInt8.random(in: 0...255, using: &random)
            var position = start
            var count = 0
            repeat {
                position += candidate.cut(UnsafeRawBufferPointer(rebasing: bytes[position...]))
                count += 1
            } while !known.contains(position - 1)
            changed[count, default: 0] += 1
            farthest = max(farthest, position - place)
            memmove(bytes.baseAddress! + start + 1, bytes.baseAddress! + start, place - start)
            bytes[start] = saved
        }
        let counts = changed.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
        print("\(padded(candidate.name, 14)) changed chunks \(counts); cuts agree again within \(farthest >> 10) KiB")
    }
}
