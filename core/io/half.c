/* Floats of two bytes, from and to f32. */
#include "core/io/elements.h"

#include <string.h>

static uint32_t f16_bits(uint32_t h) {
    const uint32_t sign = (h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3ff;
    if (exponent == 31) return sign | 0x7f800000 | fraction << 13;
    if (exponent > 0) return sign | (exponent + 112) << 23 | fraction << 13;
    const float subnormal = (float)fraction * 0x1p-24f;
    uint32_t bits;
    memcpy(&bits, &subnormal, 4);
    return sign | bits;
}

static uint32_t bf16_bits(uint32_t h) { return h << 16; }

/* Result i ends no later than element i + 1 begins. */
static void widen(void *elements, int64_t n, uint32_t (*bits_of)(uint32_t)) {
    unsigned char *p = elements;
    for (int64_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, p + 2 * (n + i), 2);
        const uint32_t bits = bits_of(h);
        memcpy(p + 4 * i, &bits, 4);
    }
}

void tg_elements_from_f16(void *elements, int64_t n) { widen(elements, n, f16_bits); }
void tg_elements_from_bf16(void *elements, int64_t n) { widen(elements, n, bf16_bits); }

/* v without its lowest `shift` bits, 1 to 31, rounded to nearest, ties to even. */
static uint32_t rounded(uint32_t v, int shift) {
    const uint32_t low = v & ((UINT32_C(1) << shift) - 1), tie = UINT32_C(1) << (shift - 1), q = v >> shift;
    return q + (low > tie || (low == tie && q % 2 == 1));
}

/* A carry out of the fraction is right as it is: the next power of two, at last infinity. */
static uint16_t to_f16(uint32_t bits) {
    const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    const int exponent = (int)(magnitude >> 23) - 112;
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (exponent >= 31) return (uint16_t)(sign | 0x7c00);
    if (exponent > 0) return (uint16_t)(sign | rounded(magnitude - (UINT32_C(112) << 23), 13));
    if (exponent < -10) return (uint16_t)sign; /* under half of the least */
    return (uint16_t)(sign | rounded((magnitude & 0x7fffff) | 0x800000, 14 - exponent));
}

static uint16_t to_bf16(uint32_t bits) {
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40); /* a NaN stays one */
    return (uint16_t)rounded(bits, 16);
}

static void narrow(const float *from, int64_t n, uint16_t *to, uint16_t (*half_of)(uint32_t)) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, from + i, 4);
        to[i] = half_of(bits);
    }
}

void tg_elements_to_f16(const float *from, int64_t n, uint16_t *to) { narrow(from, n, to, to_f16); }
void tg_elements_to_bf16(const float *from, int64_t n, uint16_t *to) { narrow(from, n, to, to_bf16); }
