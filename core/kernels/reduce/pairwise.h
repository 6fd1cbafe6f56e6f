/* Private. The part of core/kernels/simd/kernel_set.c that reduces rows and columns. */
#ifndef TG_CORE_KERNELS_REDUCE_PAIRWISE_H
#define TG_CORE_KERNELS_REDUCE_PAIRWISE_H

#include "core/kernels/map/elementwise.h"

/* A run is folded into ACCUMULATORS accumulators, element i into number i % ACCUMULATORS, and these by halving. Neither
 * depends on W, so sums agree to the bit between instruction sets. */
enum {
    ACCUMULATORS = 256 / (int)sizeof(S),
    VECTORS = ACCUMULATORS / W,
    BLOCK = 1024,
    ROWS = 32,
    LEVELS = 56
};

/* a is the new element, b what has been folded: the check of a maximum for NaN then does not wait for the last one. */
typedef V combine(V a, V b);
INLINE V op_sum(V a, V b) { return a + b; }
INLINE V op_prod(V a, V b) { return a * b; }
INLINE V op_max(V a, V b) { return vmax(a, b); }
INLINE V op_min(V a, V b) { return vmin(a, b); }
INLINE S combine_two(S a, S b, combine *f) { return lane0(f(K(a), K(b))); }

/* m elements, and the neutral element in the lanes behind them. */
INLINE V load_padded(const S *x, int64_t s, int64_t m, S neutral) {
    if (m >= W && s == 1) return vload(x);
    return m >= W ? vload_part(x, s, W) : select(first(m), vload_part(x, s, m), K(neutral));
}

INLINE S reduce_vectors(V *acc, int used, combine *f) {
    for (int h = VECTORS / 2; h > 0; h /= 2)
        for (int k = 0; k < h && k + h < used; k++) acc[k] = f(acc[k], acc[k + h]);
    return across(acc[0], f);
}

INLINE S reduce_short(int64_t n, const S *x, int64_t s, combine *f, S neutral) {
    V acc[VECTORS];
    int used = 0;
    for (int64_t i = 0; i < n; i += W) acc[used++] = f(K(neutral), load_padded(x + i * s, s, n - i, neutral));
    return used > 0 ? reduce_vectors(acc, used, f) : neutral;
}

INLINE S reduce_block(int64_t n, const S *x, int64_t s, combine *f, S neutral) {
    V acc[VECTORS];
    int64_t i = 0;
    if (n < ACCUMULATORS) return reduce_short(n, x, s, f, neutral);
    UNROLL(8)
    for (int k = 0; k < VECTORS; k++) acc[k] = K(neutral);
    if (s == 1)
        for (; i + ACCUMULATORS <= n; i += ACCUMULATORS) {
            UNROLL(8)
            for (int k = 0; k < VECTORS; k++) acc[k] = f(vload(x + i + k * W), acc[k]);
        }
    for (; i < n; i += ACCUMULATORS)
        for (int k = 0; k < VECTORS && i + k * W < n; k++)
            acc[k] = f(load_padded(x + (i + k * W) * s, s, n - i - k * W, neutral), acc[k]);
    return reduce_vectors(acc, VECTORS, f);
}

/* Partial results of equally many blocks meet in a binary counter: level l holds 2^l blocks, so that an
 * element takes part in log2(blocks) additions. count is the number of blocks that came before. */
INLINE void carry(S part, int64_t count, S *level, combine *f) {
    int l = 0;
    for (; count & 1; count >>= 1) part = combine_two(level[l++], part, f);
    level[l] = part;
}
INLINE S carried(int64_t count, const S *level, combine *f, S neutral) {
    S total = neutral;
    for (int l = 0; count; count >>= 1, l++)
        if (count & 1) total = combine_two(level[l], total, f);
    return total;
}

INLINE void reduce_row(int64_t n, const S *x, int64_t s, S *out, combine *f, S neutral) {
    if (n <= BLOCK) {
        *out = reduce_block(n, x, s, f, neutral);
        return;
    }
    S level[LEVELS];
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += BLOCK, count++)
        carry(reduce_block(n - i < BLOCK ? n - i : BLOCK, x + i * s, s, f, neutral), count, level, f);
    *out = carried(count, level, f, neutral);
}

typedef struct columns {
    V acc[VECTORS];
} columns;

INLINE columns combine_columns(columns a, columns b, combine *f) {
    UNROLL(8)
    for (int k = 0; k < VECTORS; k++) a.acc[k] = f(a.acc[k], b.acc[k]);
    return a;
}

/* Of ACCUMULATORS columns side by side. In a loop of its own, where every index is known, the accumulators stay in registers. */
INLINE columns reduce_full_rows(int64_t rows, int64_t row_stride, const S *x, combine *f, S neutral) {
    V acc[VECTORS];
    columns sum;
    UNROLL(8)
    for (int k = 0; k < VECTORS; k++) acc[k] = K(neutral);
    for (; rows > 0; rows--, x += row_stride) {
        UNROLL(8)
        for (int k = 0; k < VECTORS; k++) acc[k] = f(vload(x + k * W), acc[k]);
    }
    UNROLL(8)
    for (int k = 0; k < VECTORS; k++) sum.acc[k] = acc[k];
    return sum;
}

INLINE columns reduce_rows(int64_t rows, int64_t row_stride, int64_t n, const S *x, int64_t s, combine *f,
                           S neutral) {
    columns sum;
    if (n == ACCUMULATORS && s == 1) return reduce_full_rows(rows, row_stride, x, f, neutral);
    UNROLL(8)
    for (int k = 0; k < VECTORS; k++) sum.acc[k] = K(neutral);
    for (; rows > 0; rows--, x += row_stride)
        for (int k = 0; k < VECTORS && k * W < n; k++)
            sum.acc[k] = f(load_padded(x + k * W * s, s, n - k * W, neutral), sum.acc[k]);
    return sum;
}

INLINE void reduce_columns(int64_t rows, int64_t row_stride, int64_t n, const S *x, int64_t s, S *out,
                           combine *f, S neutral) {
    columns level[LEVELS], total;
    int64_t count = 0;
    for (int64_t i = 0; i < rows || count == 0; i += ROWS, count++) {
        int64_t m = rows - i < ROWS ? rows - i : ROWS, c = count;
        int l = 0;
        total = reduce_rows(m, row_stride, n, x + i * row_stride, s, f, neutral);
        for (; c & 1; c >>= 1) total = combine_columns(level[l++], total, f);
        level[l] = total;
    }
    int l = __builtin_ctzll((unsigned long long)count);
    for (int64_t c = count >> (l + 1); c; c >>= 1)
        if (l++, c & 1) total = combine_columns(level[l], total, f);
    for (int k = 0; k * W < n; k++) vstore_part(out + k * W, 1, lanes_left(n - k * W), total.acc[k]);
}

#define REDUCTION(NAME, NEUTRAL) \
    static void row_##NAME(int64_t n, const void *x, int64_t s, void *out) { \
        reduce_row(n, x, s, out, op_##NAME, NEUTRAL); \
    } \
    static void col_##NAME(int64_t rows, int64_t row_stride, int64_t n, const void *x, int64_t s, void *out) { \
        reduce_columns(rows, row_stride, n, x, s, out, op_##NAME, NEUTRAL); \
    }
REDUCTION(sum, 0)
REDUCTION(prod, 1)
REDUCTION(max, -(S)INFINITY)
REDUCTION(min, (S)INFINITY)

/* The sum of a run in the form of an elementwise kernel. */
static void run_sum(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) {
    (void)arg;
    row_sum(n, p->a, s->a, p->out);
}

#endif
