/* Private. The part of core/kernels/simd/kernel_set.c that reduces: folds of rows and columns. */
#ifndef TG_CORE_KERNELS_REDUCE_PAIRWISE_H
#define TG_CORE_KERNELS_REDUCE_PAIRWISE_H

#include "core/kernels/map/elementwise.h"

/* A run is folded into LANES accumulators, element i into lane i % LANES, and these by halving. Neither
 * depends on W, so sums agree to the bit between instruction sets. */
enum { LANES = 256 / (int)sizeof(S), ACCS = LANES / W, BLOCK = 1024, ROWS = 32, LEVELS = 56 };

/* a is the new element, b what has been folded: the check of a maximum for NaN then does not wait for the last one. */
typedef V fold(V a, V b);
INLINE V op_sum(V a, V b) { return a + b; }
INLINE V op_prod(V a, V b) { return a * b; }
INLINE V op_max(V a, V b) { return vmax(a, b); }
INLINE V op_min(V a, V b) { return vmin(a, b); }
INLINE S fold_two(S a, S b, fold *f) { return lane0(f(K(a), K(b))); }

/* m elements, and the neutral element in the lanes behind them. */
INLINE V load_padded(const S *x, int64_t s, int64_t m, S neutral) {
    if (m >= W && s == 1) return vload(x);
    return m >= W ? vload_part(x, s, W) : select(first(m), vload_part(x, s, m), K(neutral));
}

INLINE S fold_accs(V *acc, int used, fold *f) {
    for (int h = ACCS / 2; h > 0; h /= 2)
        for (int k = 0; k < h && k + h < used; k++) acc[k] = f(acc[k], acc[k + h]);
    return across(acc[0], f);
}

INLINE S fold_short(int64_t n, const S *x, int64_t s, fold *f, S neutral) {
    V acc[ACCS];
    int used = 0;
    for (int64_t i = 0; i < n; i += W) acc[used++] = f(K(neutral), load_padded(x + i * s, s, n - i, neutral));
    return used > 0 ? fold_accs(acc, used, f) : neutral;
}

INLINE S fold_block(int64_t n, const S *x, int64_t s, fold *f, S neutral) {
    V acc[ACCS];
    int64_t i = 0;
    if (n < LANES) return fold_short(n, x, s, f, neutral);
    UNROLL(8)
    for (int k = 0; k < ACCS; k++) acc[k] = K(neutral);
    if (s == 1)
        for (; i + LANES <= n; i += LANES)
            UNROLL(8)
            for (int k = 0; k < ACCS; k++) acc[k] = f(vload(x + i + k * W), acc[k]);
    for (; i < n; i += LANES)
        for (int k = 0; k < ACCS && i + k * W < n; k++)
            acc[k] = f(load_padded(x + (i + k * W) * s, s, n - i - k * W, neutral), acc[k]);
    return fold_accs(acc, ACCS, f);
}

/* Partial results of equally many blocks meet in a binary counter: level l holds 2^l blocks, so that an
 * element takes part in log2(blocks) additions. count is the number of blocks that came before. */
INLINE void carry(S part, int64_t count, S *level, fold *f) {
    int l = 0;
    for (; count & 1; count >>= 1) part = fold_two(level[l++], part, f);
    level[l] = part;
}
INLINE S carried(int64_t count, const S *level, fold *f, S neutral) {
    S total = neutral;
    for (int l = 0; count; count >>= 1, l++)
        if (count & 1) total = fold_two(level[l], total, f);
    return total;
}

INLINE void fold_row(int64_t n, const S *x, int64_t s, S *out, fold *f, S neutral) {
    if (n <= BLOCK) {
        *out = fold_block(n, x, s, f, neutral);
        return;
    }
    S level[LEVELS];
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += BLOCK, count++)
        carry(fold_block(n - i < BLOCK ? n - i : BLOCK, x + i * s, s, f, neutral), count, level, f);
    *out = carried(count, level, f, neutral);
}

typedef struct lanes {
    V acc[ACCS];
} lanes;

INLINE lanes fold_lanes(lanes a, lanes b, fold *f) {
    UNROLL(8)
    for (int k = 0; k < ACCS; k++) a.acc[k] = f(a.acc[k], b.acc[k]);
    return a;
}

INLINE lanes fold_rows(int64_t rows, int64_t row_stride, int64_t n, const S *x, int64_t s, fold *f,
                       S neutral) {
    lanes sum;
    UNROLL(8)
    for (int k = 0; k < ACCS; k++) sum.acc[k] = K(neutral);
    for (; rows > 0; rows--, x += row_stride) {
        if (n == LANES && s == 1)
            UNROLL(8)
            for (int k = 0; k < ACCS; k++) sum.acc[k] = f(vload(x + k * W), sum.acc[k]);
        else
            for (int k = 0; k < ACCS && k * W < n; k++)
                sum.acc[k] = f(load_padded(x + k * W * s, s, n - k * W, neutral), sum.acc[k]);
    }
    return sum;
}

INLINE void fold_col(int64_t rows, int64_t row_stride, int64_t n, const S *x, int64_t s, S *out, fold *f,
                     S neutral) {
    lanes level[LEVELS], total;
    int64_t count = 0;
    for (int64_t i = 0; i < rows || count == 0; i += ROWS, count++) {
        int64_t m = rows - i < ROWS ? rows - i : ROWS, c = count;
        int l = 0;
        total = fold_rows(m, row_stride, n, x + i * row_stride, s, f, neutral);
        for (; c & 1; c >>= 1) total = fold_lanes(level[l++], total, f);
        level[l] = total;
    }
    int l = __builtin_ctzll((unsigned long long)count);
    for (int64_t c = count >> (l + 1); c; c >>= 1)
        if (l++, c & 1) total = fold_lanes(level[l], total, f);
    for (int k = 0; k * W < n; k++) vstore_part(out + k * W, 1, lanes_left(n - k * W), total.acc[k]);
}

#define FOLD(NAME, NEUTRAL) \
    static void row_##NAME(int64_t n, const void *x, int64_t s, void *out) { \
        fold_row(n, x, s, out, op_##NAME, NEUTRAL); \
    } \
    static void col_##NAME(int64_t rows, int64_t row_stride, int64_t n, const void *x, int64_t s, \
                           void *out) { \
        fold_col(rows, row_stride, n, x, s, out, op_##NAME, NEUTRAL); \
    }
FOLD(sum, 0)
FOLD(prod, 1)
FOLD(max, -(S)INFINITY)
FOLD(min, (S)INFINITY)

#endif
