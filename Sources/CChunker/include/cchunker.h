// The search for content-defined cuts, eight stretches of a file at a time.
// The algorithm and its constants are in VaultModel's article "Chunker".
#ifndef CCHUNKER_H
#define CCHUNKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// How many bytes, the one after the cut included, decide whether a place is a candidate.
enum { cchunker_window = 64 };

// The first position `c` in [from, to) whose hash is at least `threshold`, or `to` if there is none.
// The hash of `c` covers bytes[c - 63] ... bytes[c]. Reads within bytes[from - 64 ..< to], so that
// `from` is at least 64, and nothing if from >= to. Takes the fastest way that this machine runs.
size_t cchunker_find(const uint8_t *bytes, size_t from, size_t to, uint32_t threshold);

// The greatest hash of the positions in [from, to), which may not be empty. Reads as cchunker_find does.
uint32_t cchunker_greatest(const uint8_t *bytes, size_t from, size_t to);

// The same, result for result, by the vectors that every target of this kind has.
size_t cchunker_find_portable(const uint8_t *bytes, size_t from, size_t to, uint32_t threshold);
uint32_t cchunker_greatest_portable(const uint8_t *bytes, size_t from, size_t to);

// The same, compiled for AVX2. Only for where cchunker_has_avx2() is true.
size_t cchunker_find_avx2(const uint8_t *bytes, size_t from, size_t to, uint32_t threshold);
uint32_t cchunker_greatest_avx2(const uint8_t *bytes, size_t from, size_t to);

// Whether this is an x86-64 whose processor and kernel run AVX2.
bool cchunker_has_avx2(void);

// What a byte adds to the hash: an entry of the gear table, computed.
uint32_t cchunker_gear(uint8_t byte);

#endif
