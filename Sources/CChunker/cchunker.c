#include "cchunker.h"

#include <string.h>

// Both constants are derived in the article; changing either changes every cut.
enum { gear_addend = 0x5CC1, gear_factor = 0x4903 };

// A block is eight stretches, scanned side by side. A longer one wastes more past the cut, a shorter
// one more on filling the window: 4 KiB measured best.
enum { lanes = 8, step = 32, stretch_max = 4096 };

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "The first byte of a word is its lowest.");

typedef uint32_t words __attribute__((vector_size(32)));
typedef uint16_t halves __attribute__((vector_size(32)));
typedef int32_t signed_words __attribute__((vector_size(32)));

#define ALWAYS_INLINE static inline __attribute__((always_inline))

uint32_t cchunker_gear(uint8_t byte) {
    // Sixteen bits in, sixteen out, then a signed product of 32: what one lane of the vectors does.
    uint32_t widened = 0xFF00u | byte;
    uint16_t product = (uint16_t)(widened * (widened + gear_addend));
    return (uint32_t)((int32_t)(int16_t)product * gear_factor);
}

// The two sums of the position before `from`: of the 32 bytes up to it, and of the 32 before those.
typedef struct { uint32_t young, old; } sums_pair;

static inline sums_pair rolled(sums_pair sums, const uint8_t *at) {
    sums.young = sums.young + sums.young + cchunker_gear(at[0]);
    sums.old = sums.old + sums.old + cchunker_gear(at[-step]);
    return sums;
}

static sums_pair sums_before(const uint8_t *bytes, size_t from) {
    sums_pair sums = {0, 0};
    for (size_t i = from - step; i < from; i++) sums = rolled(sums, bytes + i);
    return sums;
}

// The search byte by byte: for what is left over, and for the place of a hit within its stretch.
static size_t find_bytewise(const uint8_t *bytes, size_t from, size_t to, uint32_t threshold) {
    if (from >= to) return to;
    sums_pair sums = sums_before(bytes, from);
    for (size_t cut = from; cut < to; cut++) {
        sums = rolled(sums, bytes + cut);
        if (sums.young + sums.old >= threshold) return cut;
    }
    return to;
}

static uint32_t greatest_bytewise(const uint8_t *bytes, size_t from, size_t to) {
    if (from >= to) return 0;
    sums_pair sums = sums_before(bytes, from);
    uint32_t greatest = 0;
    for (size_t cut = from; cut < to; cut++) {
        sums = rolled(sums, bytes + cut);
        if (sums.young + sums.old > greatest) greatest = sums.young + sums.old;
    }
    return greatest;
}

// Thirty-two bytes of each of eight stretches, turned so that lane k of word i is word i of stretch k.
ALWAYS_INLINE void load_turned(const uint8_t *bytes, size_t stretch, words turned[8]) {
    for (int half = 0; half < 2; half++) {
        words row[4];
        for (int k = 0; k < 4; k++) {
            memcpy((char *)&row[k], bytes + (size_t)k * stretch + 16 * half, 16);
            memcpy((char *)&row[k] + 16, bytes + (size_t)(k + 4) * stretch + 16 * half, 16);
        }
        words low01 = __builtin_shufflevector(row[0], row[1], 0, 8, 1, 9, 4, 12, 5, 13);
        words high01 = __builtin_shufflevector(row[0], row[1], 2, 10, 3, 11, 6, 14, 7, 15);
        words low23 = __builtin_shufflevector(row[2], row[3], 0, 8, 1, 9, 4, 12, 5, 13);
        words high23 = __builtin_shufflevector(row[2], row[3], 2, 10, 3, 11, 6, 14, 7, 15);
        turned[4 * half + 0] = __builtin_shufflevector(low01, low23, 0, 1, 8, 9, 4, 5, 12, 13);
        turned[4 * half + 1] = __builtin_shufflevector(low01, low23, 2, 3, 10, 11, 6, 7, 14, 15);
        turned[4 * half + 2] = __builtin_shufflevector(high01, high23, 0, 1, 8, 9, 4, 5, 12, 13);
        turned[4 * half + 3] = __builtin_shufflevector(high01, high23, 2, 3, 10, 11, 6, 7, 14, 15);
    }
}

// One position on: its sum of gears, and its hash, which is that sum and the one of 32 positions before.
#define ROLL(position, gear) \
    do { \
        sum = sum + sum + (words)(gear); \
        greatest = __builtin_elementwise_max(greatest, sum + sums[position]); \
        sums[position] = sum; \
    } while (0)

// The greatest hash in each of the eight stretches that follow one another from `bytes`. Candidates
// are so rare that it is enough to learn that a stretch has one.
ALWAYS_INLINE void scan_block(const uint8_t *bytes, size_t stretch, uint32_t result[lanes]) {
    const words widen = (words){} + 0xFF00FF00u;
    const halves addend = (halves)((words){} + ((uint32_t)gear_addend << 16 | gear_addend));
    words sums[step] = {}, sum = {}, greatest = {};
    for (size_t i = 0; i < stretch + cchunker_window; i += step) {
        // Up to here it was the window before each stretch: those positions belong to another.
        if (i == cchunker_window) greatest = (words){};
        words turned[8];
        load_turned(bytes + i - cchunker_window, stretch, turned);
        for (int k = 0; k < 4; k++) __builtin_prefetch(bytes + lanes * (stretch + i) + 64 * k);
        for (int k = 0; k < 8; k++) {
            halves even = (halves)(turned[k] | widen);
            halves odd = (halves)(turned[k] >> 8 | widen);
            even *= even + addend;
            odd *= odd + addend;
            ROLL(4 * k + 0, ((signed_words)((words)even << 16) >> 16) * gear_factor);
            ROLL(4 * k + 1, ((signed_words)((words)odd << 16) >> 16) * gear_factor);
            ROLL(4 * k + 2, ((signed_words)even >> 16) * gear_factor);
            ROLL(4 * k + 3, ((signed_words)odd >> 16) * gear_factor);
        }
    }
    memcpy(result, &greatest, sizeof greatest);
}

// How long the eight stretches of the next block are, or zero if what is left is not worth one.
static inline size_t stretch_for(size_t from, size_t to) {
    if (from >= to) return 0;
    size_t stretch = (to - from) / (lanes * step) * step;
    return stretch > stretch_max ? stretch_max : stretch;
}

ALWAYS_INLINE size_t find(const uint8_t *bytes, size_t from, size_t to, uint32_t threshold) {
    for (size_t stretch; (stretch = stretch_for(from, to)) > 0; from += lanes * stretch) {
        uint32_t greatest[lanes];
        scan_block(bytes + from, stretch, greatest);
        for (size_t k = 0; k < lanes; k++) {
            if (greatest[k] < threshold) continue;
            return find_bytewise(bytes, from + k * stretch, from + (k + 1) * stretch, threshold);
        }
    }
    return find_bytewise(bytes, from, to, threshold);
}

ALWAYS_INLINE uint32_t greatest(const uint8_t *bytes, size_t from, size_t to) {
    uint32_t result = 0;
    for (size_t stretch; (stretch = stretch_for(from, to)) > 0; from += lanes * stretch) {
        uint32_t greatest[lanes];
        scan_block(bytes + from, stretch, greatest);
        for (size_t k = 0; k < lanes; k++) result = greatest[k] > result ? greatest[k] : result;
    }
    uint32_t rest = greatest_bytewise(bytes, from, to);
    return rest > result ? rest : result;
}

size_t cchunker_find_portable(const uint8_t *bytes, size_t from, size_t to, uint32_t threshold) {
    return find(bytes, from, to, threshold);
}

uint32_t cchunker_greatest_portable(const uint8_t *bytes, size_t from, size_t to) {
    return greatest(bytes, from, to);
}

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2")))
bool cchunker_has_avx2(void) { return __builtin_cpu_supports("avx2"); }
#else
#define AVX2
bool cchunker_has_avx2(void) { return false; }
#endif

AVX2 size_t cchunker_find_avx2(const uint8_t *bytes, size_t from, size_t to, uint32_t threshold) {
    return find(bytes, from, to, threshold);
}

AVX2 uint32_t cchunker_greatest_avx2(const uint8_t *bytes, size_t from, size_t to) {
    return greatest(bytes, from, to);
}

size_t cchunker_find(const uint8_t *bytes, size_t from, size_t to, uint32_t threshold) {
    return cchunker_has_avx2() ? cchunker_find_avx2(bytes, from, to, threshold)
                               : cchunker_find_portable(bytes, from, to, threshold);
}

uint32_t cchunker_greatest(const uint8_t *bytes, size_t from, size_t to) {
    return cchunker_has_avx2() ? cchunker_greatest_avx2(bytes, from, to)
                               : cchunker_greatest_portable(bytes, from, to);
}
