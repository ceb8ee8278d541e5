import CChunker

/// Cuts a file into chunks by its content, so that an edit changes only the chunks around it.
///
/// A place is a candidate for a cut when a hash of the 64 bytes around it is high enough, wherever the
/// search began; the first candidate past ``minimumSize`` ends the chunk. This is FastCDC (Xia and
/// others, "FastCDC: a Fast and Efficient Content-Defined Chunking Approach for Data Deduplication",
/// USENIX ATC 2016) with its skipped minimum and normalized sizes. The hash needs no table in memory and
/// is searched in eight stretches side by side, which is possible because candidates depend on nearby
/// bytes alone (Ni, Lin and Jiang, "SS-CDC: A Two-stage Parallel Content-Defined Chunking for
/// Deduplicating Backup Storage", SYSTOR 2019). Where repetitive bytes have no candidate, the best place
/// of the last mebibyte is taken, which the content defines too (after the backup cuts of Eshghi and
/// Tang, "A Framework for Analyzing and Improving Content-Based Chunking Algorithms", HPL-2005-30).
///
/// The static ``cut(_:isEnd:)`` remembers nothing. A value of this type remembers how far the current
/// chunk was searched, for bytes that arrive in pieces much smaller than a chunk.
///
/// The sizes, the hash and the rule are a part of the format, with ``number`` as their name: any change
/// to where a cut falls needs a new number. <doc:Chunker> has all that another program needs to cut alike.
package struct Chunker: Sendable {
    /// The number by which the format names this way of cutting.
    package static let number: UInt32 = 1

    /// No chunk but the last of a file is shorter, in bytes: 256 KiB.
    package static let minimumSize = 256 << 10

    /// What sizes average on data without repetition, in bytes: about 820 KiB.
    package static let averageSize = 820 << 10

    /// No chunk is longer, in bytes: 4 MiB.
    package static let maximumSize = 4 << 20

    /// Up to this size, in bytes, only one place in 2^21 is a candidate; from here on, one in 2^18.
    static let normalSize = 640 << 10

    /// The least hash of a candidate before ``normalSize``.
    static let sparseThreshold = UInt32.max - (1 << 11 - 1)

    /// The least hash of a candidate from ``normalSize`` on.
    static let denseThreshold = UInt32.max - (1 << 14 - 1)

    /// Where there is no candidate, the place of the greatest hash from this size on, in bytes, is the cut.
    static let fallbackSize = 3 << 20

    private var searched = 0

    package init() {}

    /// Returns the length of the first chunk of `bytes`, or nil if that takes more bytes to decide.
    ///
    /// Runs on the caller's thread, at several gigabytes a second, and keeps no reference to the bytes.
    ///
    /// - Parameters:
    ///   - bytes: What is known of the file from the start of a chunk on. Bytes past ``maximumSize`` are
    ///     never looked at.
    ///   - isEnd: Whether the file ends where `bytes` end.
    /// - Returns: A length from 1 to ``maximumSize``; nil if `bytes` are empty, or if there are fewer than
    ///   ``maximumSize``, none of them ends the chunk, and `isEnd` is false.
    package static func cut(_ bytes: UnsafeRawBufferPointer, isEnd: Bool) -> Int? {
        var searched = 0
        return cut(bytes, isEnd: isEnd, searched: &searched, by: .fastest)
    }

    /// Does what the static ``cut(_:isEnd:)`` does, without searching again what an earlier call searched.
    ///
    /// After nil, call it with the same bytes and more behind them. After a length, the next call starts
    /// on the next chunk.
    ///
    /// - Precondition: `bytes` are no fewer than in the call before, if that returned nil.
    package mutating func cut(_ bytes: UnsafeRawBufferPointer, isEnd: Bool) -> Int? {
        precondition(bytes.count >= searched, "A chunk lost bytes between two calls of the chunker.")
        let length = Self.cut(bytes, isEnd: isEnd, searched: &searched, by: .fastest)
        if length != nil { searched = 0 }
        return length
    }

    /// The two searches that a cut is made of, over bytes, a start and an end.
    struct Search {
        /// The first position whose hash is at least the last argument, or else the end.
        var find: (UnsafePointer<UInt8>, Int, Int, UInt32) -> Int
        /// The greatest hash of all.
        var greatest: (UnsafePointer<UInt8>, Int, Int) -> UInt32

        static var fastest: Self { Self(find: cchunker_find, greatest: cchunker_greatest) }
        static var portable: Self { Self(find: cchunker_find_portable, greatest: cchunker_greatest_portable) }
        static var avx2: Self { Self(find: cchunker_find_avx2, greatest: cchunker_greatest_avx2) }
    }

    static func cut(
        _ bytes: UnsafeRawBufferPointer, isEnd: Bool, searched: inout Int, by search: Search
    ) -> Int? {
        guard let base = bytes.baseAddress, !bytes.isEmpty else { return nil }
        let start = base.assumingMemoryBound(to: UInt8.self)
        let end = min(bytes.count, maximumSize)
        var position = max(searched, minimumSize)
        for (limit, threshold) in [(normalSize, sparseThreshold), (maximumSize, denseThreshold)] {
            let limit = min(limit, end)
            guard position < limit else { continue }
            position = search.find(start, position, limit, threshold)
            if position < limit { return position }
        }
        searched = end
        if end == maximumSize {
            return search.find(start, fallbackSize, end, search.greatest(start, fallbackSize, end))
        }
        return isEnd ? end : nil
    }
}
