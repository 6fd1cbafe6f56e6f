/* Private. The part of core/kernels/simd/kernel_set.c that works on one row at a time, which the cache holds from one pass over
 * it to the next: softmax and cross-entropy; core/kernels/reduce/norm.h has normalisation.
 */
#ifndef TG_CORE_KERNELS_REDUCE_SOFTMAX_H
#define TG_CORE_KERNELS_REDUCE_SOFTMAX_H

#include "core/kernels/reduce/finite.h"
#include "core/kernels/reduce/pairwise.h"

#include <float.h>

/* What the passes over a row read and write. */
typedef struct row {
    const S *x, *g, *w, *b;
    S *y, *dw, *db;
    int64_t ahead; /* how far off what comes next begins, where it does not follow */
    V unit, shift, rest, scale, mean, slope, out, gain, offset;
} row;

/* m elements from number i on; m is W but at the end of the row. */
typedef V row_term(const row *r, int64_t i, int64_t m);
typedef void row_step(const row *r, int64_t i, int64_t m);

INLINE void each(int64_t n, const row *r, row_step *f) {
    int64_t i = 0;
    for (; i + W <= n; i += W) f(r, i, W);
    if (i < n) f(r, i, n - i);
}

/* The same; f returns what it looked at, of which this is the largest, lane by lane. (Lanes behind the row's end repeat one of
 * it.) */
INLINE V op_larger(V a, V b) { return vlarger(a, b); }
INLINE V each_larger(int64_t n, const row *r, row_term *f) {
    V top = K(-(S)INFINITY);
    int64_t i = 0;
    for (; i + W <= n; i += W) top = vlarger(f(r, i, W), top);
    if (i < n) top = vlarger(f(r, i, n - i), top);
    return top;
}

/* The same where f writes to y, and what it wrote is looked at while it is in a register: sets *bad where there is a number that
 * is not finite. */
INLINE V each_larger_looked_at(int64_t n, const row *r, row_term *f, bool *bad) {
    V top = K(-(S)INFINITY), zero[2] = {K(0), K(0)}; /* as in all_finite */
    int64_t i = 0;
    for (; i + 2 * W <= n; i += 2 * W) {
        UNROLL(2)
        for (int k = 0; k < 2; k++) {
            top = vlarger(f(r, i + k * W, W), top);
            zero[k] = vfma(vload(r->y + i + k * W), K(0), zero[k]);
        }
    }
    for (; i < n; i += W) {
        top = vlarger(f(r, i, lanes_left(n - i)), top);
        zero[0] = vfma(load(r->y, i, lanes_left(n - i)), K(0), zero[0]);
    }
    zero[0] += zero[1];
    if (any(zero[0] != zero[0])) *bad = true;
    return top;
}

/* n terms, at most BLOCK, from `begin` on. They go straight into the accumulators that reduce_block would use. */
INLINE S sum_block(int64_t begin, int64_t n, const row *r, row_term *f) {
    V acc[VECTORS];
    int64_t i = 0;
    int used = 0;
    UNROLL(8)
    for (int k = 0; k < VECTORS; k++) acc[k] = K(0);
    for (; i + ACCUMULATORS <= n; i += ACCUMULATORS) {
        UNROLL(8)
        for (int k = 0; k < VECTORS; k++) acc[k] += f(r, begin + i + k * W, W);
    }
    for (; i + W <= n; i += W, used++) acc[used] += f(r, begin + i, W);
    if (i < n) acc[used++] += select(first(n - i), f(r, begin + i, n - i), K(0));
    return reduce_vectors(acc, n < ACCUMULATORS ? used : VECTORS, op_sum);
}

INLINE S sum_terms(int64_t n, const row *r, row_term *f) {
    S level[LEVELS];
    int64_t count = 0;
    if (n <= BLOCK) return sum_block(0, n, r, f);
    for (int64_t i = 0; i < n; i += BLOCK, count++)
        carry(sum_block(i, n - i < BLOCK ? n - i : BLOCK, r, f), count, level, op_sum);
    return carried(count, level, op_sum, 0);
}

/* Two sums in one pass: f adds m terms to each, and what it does in the lanes behind them is dropped. */
typedef struct pair {
    S a, b;
} pair;
typedef struct vpair {
    V a, b;
} vpair;
typedef vpair row_terms(const row *r, int64_t i, int64_t m, vpair sum);

INLINE pair sum_pair_block(int64_t begin, int64_t n, const row *r, row_terms *f) {
    V a[VECTORS], b[VECTORS];
    int64_t i = 0;
    int used = 0;
    UNROLL(8)
    for (int k = 0; k < VECTORS; k++) a[k] = b[k] = K(0);
    for (; i + ACCUMULATORS <= n; i += ACCUMULATORS) {
        UNROLL(8)
        for (int k = 0; k < VECTORS; k++) {
            vpair sum = f(r, begin + i + k * W, W, (vpair){a[k], b[k]});
            a[k] = sum.a, b[k] = sum.b;
        }
    }
    for (; i < n; i += W, used++) {
        M there = first(lanes_left(n - i));
        vpair sum = f(r, begin + i, lanes_left(n - i), (vpair){a[used], b[used]});
        a[used] = select(there, sum.a, a[used]), b[used] = select(there, sum.b, b[used]);
    }
    if (n >= ACCUMULATORS) used = VECTORS;
    return (pair){reduce_vectors(a, used, op_sum), reduce_vectors(b, used, op_sum)};
}

INLINE pair sum_pairs(int64_t n, const row *r, row_terms *f) {
    S a[LEVELS], b[LEVELS];
    int64_t count = 0;
    if (n <= BLOCK) return sum_pair_block(0, n, r, f);
    for (int64_t i = 0; i < n; i += BLOCK, count++) {
        pair part = sum_pair_block(i, n - i < BLOCK ? n - i : BLOCK, r, f);
        carry(part.a, count, a, op_sum);
        carry(part.b, count, b, op_sum);
    }
    return (pair){carried(count, a, op_sum, 0), carried(count, b, op_sum, 0)};
}

/* ---- softmax ---- */

/* A probability near 1 has lost the digits of what it lacks. It is the only one above 1/2: where there is one, what
 * depends on 1 - p is made of the others. */

INLINE V term_exp(const row *r, int64_t i, int64_t m) { return vexp(load(r->x, i, m) - r->shift); }
INLINE V term_exp_others(const row *r, int64_t i, int64_t m) {
    return select(load(r->x, i, m) == r->shift, K(0), term_exp(r, i, m));
}
/* In place of e^(x - inf): those that are infinite count 1 each. NaN stays. */
INLINE V term_infinite(const row *r, int64_t i, int64_t m) {
    V x = load(r->x, i, m);
    return select(x == r->shift, K(1), select(x == x, K(0), x));
}
INLINE V term_exp_kept(const row *r, int64_t i, int64_t m) {
    V e = term_exp(r, i, m);
    store(r->y, i, m, e);
    return e;
}
INLINE V term_infinite_kept(const row *r, int64_t i, int64_t m) {
    V e = term_infinite(r, i, m);
    store(r->y, i, m, e);
    return e;
}
INLINE V term_y(const row *r, int64_t i, int64_t m) { return load(r->y, i, m); }
INLINE V term_gy(const row *r, int64_t i, int64_t m) {
    return (load(r->g, i, m) - r->shift) * load(r->x, i, m);
}
INLINE V term_g(const row *r, int64_t i, int64_t m) { return load(r->g, i, m); }

/* The largest element, -inf of none. It need not look at NaN: they come back from the sum that follows. */
INLINE S largest(int64_t n, const S *x) {
    S out;
    reduce_row(n, x, 1, &out, op_larger, -(S)INFINITY);
    return out;
}
INLINE int64_t first_equal(int64_t n, const S *x, S v) {
    int64_t i = 0;
    while (i < n - 1 && x[i] != v) i++;
    return i;
}

/* Sets shift to the largest element, and returns the sum of e^(x - shift). */
INLINE S sum_of_exp(int64_t n, row *r, bool kept) {
    S most = largest(n, r->x);
    r->shift = K(most);
    if (most == (S)INFINITY) return sum_terms(n, r, kept ? term_infinite_kept : term_infinite);
    return sum_terms(n, r, kept ? term_exp_kept : term_exp);
}

/* log of that sum. */
INLINE S log_of_exp(int64_t n, const row *r, S sum) {
    if (!(sum < 2)) return lane0(vlog(K(sum)));
    return lane0(vlog1p(K(lane0(r->shift) == (S)INFINITY ? 0 : sum_terms(n, r, term_exp_others))));
}

INLINE void step_softmax(const row *r, int64_t i, int64_t m) {
    store(r->y, i, m, load(r->y, i, m) * r->scale);
}
INLINE V step_softmax_grad(const row *r, int64_t i, int64_t m) {
    V y = load(r->x, i, m);
    store(r->y, i, m, y * ((load(r->g, i, m) - r->shift) - r->mean));
    return y;
}
INLINE void step_log_softmax(const row *r, int64_t i, int64_t m) {
    store(r->y, i, m, load(r->x, i, m) - r->shift - r->rest);
}
INLINE void step_log_infinite(const row *r, int64_t i, int64_t m) {
    V x = load(r->x, i, m);
    store(r->y, i, m, select(x == r->shift, -r->rest, x - r->shift));
}
INLINE V step_log_softmax_grad(const row *r, int64_t i, int64_t m) {
    V y = load(r->x, i, m);
    store(r->y, i, m, load(r->g, i, m) - vexp(y) * r->mean);
    return y;
}

/* y = e^(x - max) / sum e^(x - max) */
static void row_softmax(const tg_softmax_row *p) {
    row r = {.y = p->y, .x = p->x};
    int64_t n = p->n;
    r.scale = K(1 / sum_of_exp(n, &r, true));
    each(n, &r, step_softmax);
}

/* dx = y (g - sum g y), where with sum y = 1 any number may be taken from all of g: the g of a y above 1/2 is. */
static void row_softmax_grad(const tg_softmax_grad_rows *p) {
    int64_t n = p->n;
    S mean[TG_SOFTMAX_ROWS];
    for (int64_t k = 0; k < p->rows; k++) {
        const row r = {.g = p->g[k], .x = p->y[k], .shift = K(0)};
        mean[k] = sum_terms(n, &r, term_gy);
    }
    for (int64_t k = 0; k < p->rows; k++) {
        row r = {.y = p->dx[k], .g = p->g[k], .x = p->y[k], .shift = K(0), .mean = K(mean[k])};
        V top = p->bad ? each_larger_looked_at(n, &r, step_softmax_grad, p->bad)
                       : each_larger(n, &r, step_softmax_grad);
        if (__builtin_expect(!any_larger(top, K((S)0.5)), 1)) continue;
        r.shift = K(r.g[first_equal(n, r.x, across(top, op_larger))]);
        r.mean = K(sum_terms(n, &r, term_gy));
        each_larger(n, &r, step_softmax_grad);
        if (p->bad && !all_finite(n, r.y)) *p->bad = true;
    }
}

/* y = x - max - log sum e^(x - max) */
static void row_log_softmax(const tg_softmax_row *p) {
    row r = {.y = p->y, .x = p->x};
    int64_t n = p->n;
    S sum = sum_of_exp(n, &r, false);
    r.rest = K(log_of_exp(n, &r, sum));
    if (lane0(r.shift) == (S)INFINITY)
        each(n, &r, step_log_infinite);
    else
        each(n, &r, step_log_softmax);
}

/* dx = g - e^y sum g; for an e^y above 1/2 it is (1 - e^y) g - e^y (sum of the other g) */
static void row_log_softmax_grad(const tg_softmax_grad_rows *p) {
    int64_t n = p->n;
    S total[TG_SOFTMAX_ROWS];
    for (int64_t k = 0; k < p->rows; k++) {
        const row r = {.g = p->g[k]};
        total[k] = sum_terms(n, &r, term_g);
    }
    for (int64_t k = 0; k < p->rows; k++) {
        row r = {.y = p->dx[k], .g = p->g[k], .x = p->y[k], .mean = K(total[k])};
        V top = p->bad ? each_larger_looked_at(n, &r, step_log_softmax_grad, p->bad)
                       : each_larger(n, &r, step_log_softmax_grad);
        if (__builtin_expect(!any_larger(top, K((S)-0.69)), 1)) continue;
        S y = across(top, op_larger);
        int64_t at = first_equal(n, r.x, y);
        row behind = r;
        behind.g += at + 1;
        S others = sum_terms(at, &r, term_g) + sum_terms(n - at - 1, &behind, term_g);
        r.y[at] = -lane0(vexpm1(K(y))) * r.g[at] - lane0(vexp(K(y))) * others;
        if (p->bad && !all_finite(1, r.y + at)) *p->bad = true;
    }
}

/* loss = log sum e^x - x[class] */
static void row_cross_entropy(const tg_cross_entropy_row *p) {
    row r = {.x = p->x};
    int64_t n = p->n;
    S sum = sum_of_exp(n, &r, false), most = lane0(r.shift), picked = *(const S *)p->x_class;
    bool likely = picked == most;
    *(S *)p->loss = (likely ? 0 : most - picked) + (likely ? log_of_exp(n, &r, sum) : lane0(vlog(K(sum))));
}

/* dx = g (softmax(x) - onehot(class)). A row that does not count (g = 0) may hold anything. */
static void row_cross_entropy_grad(const tg_cross_entropy_grad_row *p) {
    row r = {.y = p->dx, .x = p->x};
    S g = *(const S *)p->g, *of_class = p->dx_class;
    int64_t n = p->n;
    if (g == 0) {
        memset(r.y, 0, (size_t)n * sizeof(S));
        return;
    }
    S sum = sum_of_exp(n, &r, true), share = *of_class, others = 0;
    bool likely = share + share > sum;
    if (likely) *of_class = 0, others = sum_terms(n, &r, term_y), sum = share + others;
    r.scale = K(g / sum);
    each(n, &r, step_softmax);
    *of_class = likely ? -(g * (others / sum)) : *of_class - g;
}

#endif
