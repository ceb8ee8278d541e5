#include "candidates.h"

#include <string.h>

static size_t find_bytewise(
    const uint8_t *bytes, size_t from, size_t to, uint32_t threshold, const uint32_t *table) {
    uint32_t hash = 0;
    for (size_t i = from - 31; i < from; i++) hash = hash + hash + table[bytes[i]];
    for (size_t cut = from; cut < to; cut++) {
        hash = hash + hash + table[bytes[cut]];
        if (hash >= threshold) return cut;
    }
    return to;
}

#if defined(__x86_64__)
#include <immintrin.h>

enum { lanes = 8, stretch = 4096 };

__attribute__((target("avx2")))
static void scan_block(const uint8_t *bytes, uint32_t result[lanes], const uint32_t *table) {
    __m256i hash = _mm256_setzero_si256(), greatest = hash;
    const __m256i starts = _mm256_setr_epi32(
        0, stretch, 2 * stretch, 3 * stretch, 4 * stretch, 5 * stretch, 6 * stretch, 7 * stretch);
    for (long i = -32; i < stretch; i += 4) {
        if (i == 0) greatest = _mm256_setzero_si256();
        if (i % 32 == 0)
            for (int k = 0; k < 4; k++) __builtin_prefetch(bytes + lanes * (stretch + 32 + i) + 64 * k);
        __m256i word = _mm256_i32gather_epi32((const int *)(bytes + i), starts, 1);
        for (int k = 0; k < 4; k++) {
            __m256i byte = _mm256_and_si256(_mm256_srli_epi32(word, 8 * k), _mm256_set1_epi32(255));
            __m256i gear = _mm256_i32gather_epi32((const int *)table, byte, 4);
            hash = _mm256_add_epi32(_mm256_add_epi32(hash, hash), gear);
            greatest = _mm256_max_epu32(greatest, hash);
        }
    }
    memcpy(result, &greatest, sizeof greatest);
}

size_t candidates_find_by_gather(
    const uint8_t *bytes, size_t from, size_t to, uint32_t threshold, const uint32_t *table) {
    for (; to - from >= lanes * stretch; from += lanes * stretch) {
        uint32_t greatest[lanes];
        scan_block(bytes + from, greatest, table);
        for (int k = 0; k < lanes; k++) {
            if (greatest[k] < threshold) continue;
            return find_bytewise(bytes, from + k * stretch, from + (k + 1) * stretch, threshold, table);
        }
    }
    return find_bytewise(bytes, from, to, threshold, table);
}
#else
size_t candidates_find_by_gather(
    const uint8_t *bytes, size_t from, size_t to, uint32_t threshold, const uint32_t *table) {
    return find_bytewise(bytes, from, to, threshold, table);
}
#endif
