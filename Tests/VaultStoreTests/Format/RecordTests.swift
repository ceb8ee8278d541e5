import Testing
import VaultModel

@testable import VaultStore

@Suite struct RecordTests {
    private static let vault = UniqueID(high: 0x0011_2233_4455_6677, low: 0x8899_AABB_CCDD_EEFF)

    /// A change of these bytes is a change of the format.
    @Test func aRecordHeaderIsEncodedAsTheFormatSays() {
        let header = RecordHeader(kind: .chunk, vault: Self.vault, length: 0x0102_03, digest: Digest(of: [1, 2, 3]))
        let text =
            "4d5652310100000000112233445566778899aabbccddeeff0302010003020100"
            + "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81"
        #expect(hex(header.encoded.dropLast(8)) == text)
        #expect(hex(header.encoded.suffix(8)) == hex(Digest(of: Array(header.encoded.dropLast(8))).bytes.prefix(8)))
    }

    @Test func aPackHeaderIsEncodedAsTheFormatSays() {
        let header = PackHeader(vault: Self.vault, pack: PackID(UniqueID(high: 1, low: 2)))
        let text =
            "4d56504b0100000000112233445566778899aabbccddeeff"
            + "0000000000000001000000000000000200000000000000000000000000000000"
        #expect(hex(header.encoded.dropLast(8)) == text)
        #expect(hex(header.encoded.suffix(8)) == hex(Digest(of: Array(header.encoded.dropLast(8))).bytes.prefix(8)))
    }

    @Test func headersDecodeToWhatWasEncoded() {
        for kind in [RecordHeader.Kind.chunk, .listNode, .journalGroup] {
            let header = RecordHeader(kind: kind, vault: Self.vault, length: 77, digest: Digest(of: [7]))
            #expect(RecordHeader(decoding: header.encoded) == header)
            #expect(RecordHeader(decoding: header.encoded + [1, 2, 3]) == header)
        }
        let header = PackHeader(vault: Self.vault, pack: PackID())
        #expect(PackHeader(decoding: header.encoded) == header)
    }

    @Test func aFlippedOrMissingByteIsNoHeader() {
        let record = RecordHeader(kind: .chunk, vault: Self.vault, length: 77, digest: Digest(of: [7])).encoded
        for index in record.indices {
            var damaged = record
            damaged[index] ^= 0x10
            #expect(RecordHeader(decoding: damaged) == nil)
            #expect(RecordHeader(decoding: Array(record[..<index])) == nil)
        }
        let pack = PackHeader(vault: Self.vault, pack: PackID()).encoded
        for index in pack.indices {
            var damaged = pack
            damaged[index] ^= 0x10
            #expect(PackHeader(decoding: damaged) == nil)
            #expect(PackHeader(decoding: Array(pack[..<index])) == nil)
        }
    }

    @Test func aHeaderOfUnknownKindEncodingOrLengthIsRefused() {
        let good = RecordHeader(kind: .chunk, vault: Self.vault, length: 77, digest: Digest(of: [7])).encoded
        for (index, value) in [(4, 9), (5, 1), (5, 2), (6, 1), (24, 78), (27, 0x7F), (28, 78)] as [(Int, UInt8)] {
            var bytes = Array(good[..<64])
            bytes[index] = value
            #expect(RecordHeader(decoding: bytes + Digest(of: bytes).bytes[..<8]) == nil)
        }
        var newer = Array(PackHeader(vault: Self.vault, pack: PackID()).encoded[..<56])
        newer[4] = 2
        #expect(PackHeader(decoding: newer + Digest(of: newer).bytes[..<8]) == nil)
    }
}

func hex(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
