import TestSupport
import Testing

@testable import VaultModel

@Suite struct ByteReaderTests {
    private static let numbers: [UInt64] = [0, 1, 127, 128, 16_383, 16_384, 1 << 32, 1 << 63, .max - 1, .max]
    private static let signed: [Int64] = [0, -1, 1, 63, -64, 64, -65, .max, .min]
    private static let strings: [[UInt8]] = [[], [0], Array("name".utf8), randomBytes(300, seed: 1)]

    private static var written: [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt8(0xFE))
        writer.write(UInt16(0xFEDC))
        writer.write(UInt32(0xFEDC_BA98))
        writer.write(UInt64.max)
        writer.write(Int64.min)
        writer.write(Digest(of: [1]))
        for value in numbers { writer.writeVarint(value) }
        for value in signed { writer.writeSigned(value) }
        for value in strings { writer.writeString(value) }
        return writer.bytes
    }

    private static func read(_ bytes: [UInt8]) throws -> ByteReader {
        var reader = ByteReader(bytes)
        #expect(try reader.read(UInt8.self) == 0xFE)
        #expect(try reader.read(UInt16.self) == 0xFEDC)
        #expect(try reader.read(UInt32.self) == 0xFEDC_BA98)
        #expect(try reader.read(UInt64.self) == .max)
        #expect(try reader.read(Int64.self) == .min)
        #expect(try reader.readDigest() == Digest(of: [1]))
        for number in numbers { #expect(try reader.readVarint() == number) }
        for number in signed { #expect(try reader.readSigned() == number) }
        for string in strings { #expect(try reader.readString() == string) }
        return reader
    }

    @Test func readsWhatWasWritten() throws {
        let bytes = ByteReaderTests.written
        #expect(try ByteReaderTests.read(bytes).remaining == 0)
        #expect(try ByteReaderTests.read(bytes + [1, 2]).remaining == 2)
    }

    @Test func isLittleEndian() {
        var writer = ByteWriter()
        writer.write(UInt32(0x0102_0304))
        writer.writeVarint(300)
        writer.writeSigned(-2)
        #expect(writer.bytes == [4, 3, 2, 1, 0xAC, 0x02, 3])
    }

    @Test func failsWhereverTheBytesEnd() {
        let bytes = ByteReaderTests.written
        for count in 0..<bytes.count {
            var reader = ByteReader(Array(bytes[..<count]))
            #expect(throws: ByteReader.Malformed.self) {
                _ = try reader.read(UInt8.self)
                _ = try reader.read(UInt16.self)
                _ = try reader.read(UInt32.self)
                _ = try reader.read(UInt64.self)
                _ = try reader.read(Int64.self)
                _ = try reader.readDigest()
                for _ in ByteReaderTests.numbers { _ = try reader.readVarint() }
                for _ in ByteReaderTests.signed { _ = try reader.readSigned() }
                for _ in ByteReaderTests.strings { _ = try reader.readString() }
            }
        }
    }

    @Test(arguments: [
        [UInt8](repeating: 0x80, count: 10) + [0], [UInt8](repeating: 0xFF, count: 10),
        [UInt8](repeating: 0xFF, count: 9) + [2], [UInt8](repeating: 0x80, count: 9) + [0x81, 0], [0x80], [],
        // A number has one spelling, the shortest.
        [0x80, 0], [0xFF, 0x80, 0], [UInt8](repeating: 0x80, count: 9) + [0],
    ])
    func refusesAVarintThatIsTooLong(bytes: [UInt8]) {
        var reader = ByteReader(bytes)
        #expect(throws: ByteReader.Malformed.self) { try reader.readVarint() }
    }

    @Test(arguments: [UInt64(1), 1 << 31, 1 << 63, .max])
    func refusesAStringLongerThanTheBytes(length: UInt64) {
        var writer = ByteWriter()
        writer.writeVarint(length)
        var reader = ByteReader(writer.bytes)
        #expect(throws: ByteReader.Malformed.self) { try reader.readString() }
        #expect(throws: ByteReader.Malformed.self) { try reader.readBytes(-1) }
        #expect(throws: ByteReader.Malformed.self) { try reader.readBytes(.max) }
    }

    @Test func neverTrapsOnGarbage() {
        var random = SplitMix64(seed: 3)
        for seed in 0..<5000 {
            var reader = ByteReader(randomBytes(Int.random(in: 0...40, using: &random), seed: UInt64(seed)))
            while reader.remaining > 0 {
                let offset = reader.offset
                switch Int.random(in: 0..<6, using: &random) {
                case 0: _ = try? reader.readVarint()
                case 1: _ = try? reader.readSigned()
                case 2: _ = try? reader.readString()
                case 3: _ = try? reader.readDigest()
                case 4: _ = try? reader.read(Int64.self)
                default: _ = try? reader.read(UInt8.self)
                }
                #expect(reader.offset >= offset && reader.remaining >= 0)
            }
        }
    }
}
