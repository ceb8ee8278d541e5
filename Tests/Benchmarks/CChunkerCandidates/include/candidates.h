// Chunkers that were measured and not chosen, where they need vectors that Swift does not reach.
#ifndef CANDIDATES_H
#define CANDIDATES_H

#include <stddef.h>
#include <stdint.h>

// As cchunker_find, but the gear table is any table of 256 words, read by AVX2 gathers.
size_t candidates_find_by_gather(
    const uint8_t *bytes, size_t from, size_t to, uint32_t threshold, const uint32_t *table);

#endif
