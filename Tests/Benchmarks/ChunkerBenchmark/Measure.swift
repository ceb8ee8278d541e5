import Glibc

/// What part of a new version has to be sent when the old one is there.
struct Saving {
    var total = 0
    var sent = 0
    var chunks = 0
    var forced = 0

    var sentShare: Double { Double(sent) / Double(max(total, 1)) }
}

func saving(_ candidate: Candidate, old: UnsafeRawBufferPointer, new: UnsafeRawBufferPointer) -> Saving {
    var known: Set<UInt64> = []
    forEachChunk(candidate, old) { known.insert(digest($0)) }
    var saving = Saving()
    forEachChunk(candidate, new) { chunk in
        saving.total += chunk.count
        saving.chunks += 1
        if chunk.count == 4 << 20 { saving.forced += 1 }
        if known.insert(digest(chunk)).inserted { saving.sent += chunk.count }
    }
    return saving
}

func saving(_ candidate: Candidate, old: [UInt8], new: [UInt8]) -> Saving {
    old.withUnsafeBytes { old in
        new.withUnsafeBytes { new in saving(candidate, old: old, new: new) }
    }
}

func forEachChunk(
    _ candidate: Candidate, _ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void
) {
    var start = 0
    for length in candidate.lengths(bytes) {
        body(UnsafeRawBufferPointer(rebasing: bytes[start..<(start + length)]))
        start += length
    }
}

/// Tells chunks apart well enough for counting; no protection against an attacker.
func digest(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var hash = UInt64(bytes.count) ^ 0x9E37_79B9_7F4A_7C15
    let whole = bytes.count & ~7
    for i in stride(from: 0, to: whole, by: 8) {
        let word = bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self)
        let product = (hash ^ word).multipliedFullWidth(by: 0xA076_1D64_78BD_642F)
        hash = product.high ^ product.low &+ word
    }
    for byte in bytes[whole...] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return hash
}

/// The processor time of this process, in seconds.
func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// The median speed of `runs` passes, in gigabytes (10^9) per second of processor time.
func speed(_ candidate: Candidate, _ bytes: UnsafeRawBufferPointer, runs: Int, repetitions: Int = 1) -> Double {
    let times = (0..<runs).map { _ in
        let start = processorSeconds()
        for _ in 0..<repetitions { _ = candidate.lengths(bytes) }
        return processorSeconds() - start
    }
    return Double(bytes.count * repetitions) / times.sorted()[runs / 2] / 1e9
}

/// One figure with two decimals, flush right.
func figure(_ value: Double, width: Int = 8, decimals: Int = 2) -> String {
    let scale = pow(10, Double(decimals))
    let rounded = Int((abs(value) * scale).rounded())
    var text = "\(rounded / Int(scale))"
    if decimals > 0 {
        let fraction = "\(rounded % Int(scale))"
        text += "." + String(repeating: "0", count: decimals - fraction.count) + fraction
    }
    return String(repeating: " ", count: max(0, width - text.count)) + text
}

func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}
