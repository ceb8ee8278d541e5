import Glibc

/// Vigna's SplitMix64: the source of every random choice here, so that a run can be repeated.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

func randomBytes(_ count: Int, seed: UInt64) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        var random = SplitMix64(seed: seed)
        let words = UnsafeMutableRawBufferPointer(buffer).bindMemory(to: UInt64.self)
        for i in words.indices { words.initializeElement(at: i, to: random.next()) }
        for i in (words.count * 8)..<count { buffer.initializeElement(at: i, to: 0) }
        initialized = count
    }
}

enum Edit: CaseIterable { case insert, remove, overwrite }

/// Edits `places` random places of `bytes`, `size` bytes each.
func edited(_ bytes: [UInt8], _ edit: Edit, places: Int, size: Int, seed: UInt64) -> [UInt8] {
    var random = SplitMix64(seed: seed)
    let positions = (0..<places).map { _ in Int.random(in: 0..<(bytes.count - size), using: &random) }.sorted()
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + places * size)
    var done = 0
    for position in positions where position >= done {
        result += bytes[done..<position]
        if edit != .remove { for _ in 0..<size { result.append(UInt8.random(in: 0...255, using: &random)) } }
        done = edit == .insert ? position : position + size
    }
    return result + bytes[done...]
}

func repeated(_ period: Int, count: Int, seed: UInt64) -> [UInt8] {
    let pattern = randomBytes((period + 7) / 8 * 8, seed: seed)[..<period]
    var result: [UInt8] = []
    result.reserveCapacity(count + period)
    while result.count < count { result += pattern }
    return Array(result[..<count])
}

/// Lines of a table of measurements: a counter, a place out of eight, three figures.
func csvLines(_ count: Int, seed: UInt64) -> [[UInt8]] {
    var random = SplitMix64(seed: seed)
    let places = ["north", "south", "east", "west", "hall", "roof", "cellar", "yard"]
    return (0..<count).map { i in
        let place = places.randomElement(using: &random)!
        let figures = (0..<3).map { _ in String(Int.random(in: 0..<1000, using: &random)) }
        return Array("\(1_700_000_000 + 60 * i),\(place),\(figures.joined(separator: ",")),ok\n".utf8)
    }
}

/// Lines of a web server's log: few addresses, few paths, few answers.
func logLines(_ count: Int, seed: UInt64) -> [[UInt8]] {
    var random = SplitMix64(seed: seed)
    let paths = ["/", "/index.html", "/style.css", "/login", "/images/logo.png", "/api/v1/items"]
    return (0..<count).map { i in
        let host = Int.random(in: 1..<40, using: &random)
        let time = "\(i / 36_000 % 24):\(i / 600 % 60):\(i / 10 % 60)"
        let path = paths.randomElement(using: &random)!
        let size = Int.random(in: 0..<50, using: &random) * 100
        return Array("192.168.1.\(host) - - [01/Mar/2025:\(time) +0000] \"GET \(path) HTTP/1.1\" 200 \(size)\n".utf8)
    }
}

func mapped(_ path: String) -> UnsafeRawBufferPointer {
    let file = open(path, O_RDONLY)
    precondition(file >= 0, "cannot open \(path)")
    defer { close(file) }
    let size = Int(lseek(file, 0, SEEK_END))
    return UnsafeRawBufferPointer(start: mmap(nil, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0), count: size)
}
