import ArgumentParser
import VaultModel

/// A number of bytes as people type it: `1500`, `10M`, `2.5G`; the letters are powers of 1,024.
struct ByteSize: ExpressibleByArgument {
    let bytes: UInt64

    init?(argument text: String) {
        var number = Substring(text)
        var unit: Double = 1
        if number.last == "B" || number.last == "b" { number.removeLast() }
        if number.last == "i" { number.removeLast() }
        if let letter = number.last?.uppercased(), let power = ["K", "M", "G", "T"].firstIndex(of: letter) {
            number.removeLast()
            for _ in 0...power { unit *= 1024 }
        }
        guard let first = number.first, first.isASCII, first.isNumber, let value = Double(number), value.isFinite,
            value * unit < 9e18
        else { return nil }
        bytes = UInt64(value * unit)
    }
}
