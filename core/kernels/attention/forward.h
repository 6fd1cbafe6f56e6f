/* Private. The part of core/kernels/simd/kernel_set.c for attention: a block of queries against tiles of keys.
 *
 * Queries lie along the lanes: a tile of scores is S^T [keys, span] = K Q^T. So the largest score and the sum
 * of a query are taken lane by lane, and only the block's own rows (of q, g, out and dq) are ever transposed:
 * k and v stay where they are. Lanes behind the last query hold zeros, and reach no result.
 */
#ifndef TG_CORE_KERNELS_ATTENTION_FORWARD_H
#define TG_CORE_KERNELS_ATTENTION_FORWARD_H

#include "core/kernels/gemm/micro_kernel.h"
#include "core/kernels/reduce/softmax.h"

/* ---- rows to lanes and back ---- */

/* to [cols, span] = scale * from^T, for n rows of from; 0 in the lanes behind them. */
APART void rows_to_lanes(S *to, int64_t span, const S *from, int64_t step, int64_t n, int64_t cols,
                         double scale) {
    for (int64_t i = 0; i < span; i += W)
        for (int64_t j = 0; j < cols; j += W) {
            V x[W];
            int64_t m = lanes_left(cols - j);
            UNROLL(16)
            for (int r = 0; r < W; r++)
                x[r] = i + r < n ? K((S)scale) * load(from + (i + r) * step, j, m) : K(0);
            vtranspose(x);
            UNROLL(16)
            for (int c = 0; c < W; c++)
                if (c < m) vstore(to + (j + c) * span + i, x[c]);
        }
}

/* n rows of to = factor * from^T, for from [cols, span]; one factor a lane. */
APART void lanes_to_rows(S *to, int64_t step, const S *from, int64_t span, int64_t n, int64_t cols,
                         const S *factor) {
    for (int64_t i = 0; i < span; i += W)
        for (int64_t j = 0; j < cols; j += W) {
            V x[W], f = vload(factor + i);
            int64_t m = lanes_left(cols - j);
            UNROLL(16)
            for (int c = 0; c < W; c++) x[c] = c < m ? f * vload(from + (j + c) * span + i) : K(0);
            vtranspose(x);
            UNROLL(16)
            for (int r = 0; r < W; r++)
                if (i + r < n) store(to + (i + r) * step, j, m, x[r]);
        }
}

/* ---- a tile of scores ---- */

typedef struct query_block {
    const tg_attention_block *b;
    int64_t span; /* n rounded up to whole vectors: the lanes of a row */
    S *q, *score; /* [e, span], scaled; the tile [keys, span] */
} query_block;

INLINE query_block block_of(const tg_attention_block *b) {
    query_block t = {b, (b->n + W - 1) / W * W, b->scratch, NULL};
    t.score = t.q + b->e * t.span;
    rows_to_lanes(t.q, t.span, b->q, b->q_row, b->n, b->e, b->scale);
    return t;
}

INLINE int64_t keys_left(const tg_attention_block *b, int64_t j) {
    return b->keys - j < TG_ATTENTION_KEYS ? b->keys - j : TG_ATTENTION_KEYS;
}

/* The products with a tile [m, span] of m keys; x: rows of k or v from the tile's first key on.
 * tile = X Y, for Y [inner, span] */
INLINE void make_tile(const query_block *t, int64_t m, S *tile, const S *x, int64_t x_row, const S *y,
                      int64_t inner) {
    product(&(tg_product){.m = m,
                          .n = t->span,
                          .k = inner,
                          .a = x,
                          .a_row = x_row,
                          .a_col = 1,
                          .b = y,
                          .b_row = t->span,
                          .c = tile,
                          .c_row = t->span,
                          .alpha = 1});
}
/* to [cols, span] += X^T tile */
INLINE void add_to_queries(const query_block *t, int64_t m, const S *tile, const S *x, int64_t x_row, S *to,
                           int64_t cols) {
    product(&(tg_product){.m = cols,
                          .n = t->span,
                          .k = m,
                          .a = x,
                          .a_row = 1,
                          .a_col = x_row,
                          .b = tile,
                          .b_row = t->span,
                          .start = to,
                          .start_row = t->span,
                          .c = to,
                          .c_row = t->span,
                          .alpha = 1});
}
/* to [m, cols] += alpha tile Y, for the block's rows Y [n, cols] of q or g */
INLINE void add_to_keys(const query_block *t, int64_t m, const S *tile, const S *y, int64_t y_row, S *to,
                        int64_t cols, double alpha) {
    product(&(tg_product){.m = m,
                          .n = cols,
                          .k = t->b->n,
                          .a = tile,
                          .a_row = t->span,
                          .a_col = 1,
                          .b = y,
                          .b_row = y_row,
                          .start = to,
                          .start_row = cols,
                          .c = to,
                          .c_row = cols,
                          .alpha = alpha});
}

INLINE void fill(S *p, int64_t n, S value) {
    for (int64_t i = 0; i < n; i += W) vstore(p + i, K(value));
}

/* -inf where the mask hides a key, or what it adds. Keys from j on, m of them. */
static void add_mask(const query_block *t, int64_t j, int64_t m) {
    const tg_attention_block *b = t->b;
    for (int64_t i = 0; i < b->n; i++)
        for (int64_t c = 0; c < m; c++) {
            int64_t at = i * b->mask_row + (j + c) * b->mask_col;
            S *s = t->score + c * t->span + i;
            if (!b->bool_mask)
                *s += ((const S *)b->mask)[at];
            else if (!((const unsigned char *)b->mask)[at])
                *s = -(S)INFINITY;
        }
}

/* Key j + c is later than the first `hidden` queries of the block. */
INLINE void hide_later(const query_block *t, int64_t j, int64_t m) {
    for (int64_t c = 0; c < m; c++) {
        int64_t hidden = j + c - t->b->first;
        S *s = t->score + c * t->span;
        for (int64_t i = 0; i < t->span && i < hidden; i += W)
            vstore(s + i, select(first(lanes_left(hidden - i)), K(-(S)INFINITY), vload(s + i)));
    }
}

/* score = K Q^T, masked, for the m keys from j on */
INLINE void scores(const query_block *t, int64_t j, int64_t m) {
    const tg_attention_block *b = t->b;
    make_tile(t, m, t->score, (const S *)b->k + j * b->k_row, b->k_row, t->q, b->e);
    if (b->mask) add_mask(t, j, m);
    if (b->causal && j + m > b->first + 1) hide_later(t, j, m);
}

/* e^x, NaN of NaN. The f64 function of -inf is 0, but raises the flag of an invalid operation: it gets a number of which
 * the result is 0 as well. */
INLINE V weight_of(V x) { return vexp(sizeof(S) == 8 ? select(x < K(-800), K(-800), x) : x); }

INLINE V zero_if_hidden(V x) { return select(x == K(-(S)INFINITY), K(0), x); }

/* ---- forward: tile after tile, with the largest score so far and sums relative to it ---- */

/* score = e^(score - largest); what was summed before the tile is to be multiplied by factor. NaN in a score
 * makes the query's sum NaN, whatever `largest` is then. A query that has seen nothing keeps largest = -inf
 * and sum = 0. */
INLINE void soften(const query_block *t, int64_t m, S *largest, S *sum, S *factor) {
    for (int64_t i = 0; i < t->span; i += W) {
        S *s = t->score + i;
        V was = vload(largest + i), top = was, total = K(0);
        for (int64_t c = 0; c < m; c++) top = vlarger(vload(s + c * t->span), top);
        V base = zero_if_hidden(top), f = weight_of(was - base);
        for (int64_t c = 0; c < m; c++) {
            V p = weight_of(vload(s + c * t->span) - base);
            vstore(s + c * t->span, p);
            total += p;
        }
        vstore(largest + i, top);
        vstore(factor + i, f);
        vstore(sum + i, vfma(vload(sum + i), f, total));
    }
}

INLINE void scale_lanes(S *x, int64_t rows, int64_t span, const S *factor) {
    for (int64_t i = 0; i < span; i += W) {
        V f = vload(factor + i);
        for (int64_t r = 0; r < rows; r++) vstore(x + r * span + i, f * vload(x + r * span + i));
    }
}

/* How many keys share a partial sum; whether one ends before key j; whether there are several. */
INLINE int64_t keys_of_group(const tg_attention_block *b) {
    return TG_ATTENTION_KEYS * tg_attention_group((b->keys + TG_ATTENTION_KEYS - 1) / TG_ATTENTION_KEYS);
}
INLINE bool ends_group(const tg_attention_block *b, int64_t j, int64_t group) {
    return b->keys > group && (j % group == 0 || j == b->keys);
}

/* total = total * factor + x, and x = 0; NULL: times 1 */
INLINE void move_to_total(S *total, S *x, int64_t rows, int64_t span, const S *factor) {
    for (int64_t i = 0; i < span; i += W) {
        V f = factor ? vload(factor + i) : K(1);
        for (int64_t r = i; r < rows * span; r += span) {
            vstore(total + r, vfma(vload(total + r), f, vload(x + r)));
            vstore(x + r, K(0));
        }
    }
}

/* What is summed over keys: relative to `largest`, and before this group to the largest before it. */
typedef struct sums {
    S *out, *largest, *sum, *factor;
    S *total_out, *largest_before, *total_sum;
} sums;

INLINE void end_group(const query_block *t, const sums *s) {
    for (int64_t i = 0; i < t->span; i += W) {
        V top = vload(s->largest + i);
        vstore(s->factor + i, weight_of(vload(s->largest_before + i) - zero_if_hidden(top)));
        vstore(s->largest_before + i, top);
    }
    move_to_total(s->total_sum, s->sum, 1, t->span, s->factor);
    move_to_total(s->total_out, s->out, t->b->d, t->span, s->factor);
}

/* lse = largest + log(sum), and factor = 1 / sum; -inf and 0 where nothing was seen */
INLINE void finish(const query_block *t, S *largest, const S *sum, S *factor) {
    for (int64_t i = 0; i < t->span; i += W) {
        V total = vload(sum + i), top = vload(largest + i);
        vstore(factor + i, select(total == K(0), K(0), K(1) / total));
        vstore(largest + i, zero_if_hidden(top) + vlog(total));
    }
    memcpy(t->b->lse, largest, (size_t)t->b->n * sizeof(S));
}

static void attention(const tg_attention_block *b) {
    query_block t = block_of(b);
    int64_t rows = b->d * t.span, group = keys_of_group(b);
    sums s = {.out = t.score + TG_ATTENTION_KEYS * t.span};
    s.total_out = s.out + rows, s.largest = s.total_out + rows, s.largest_before = s.largest + t.span;
    s.sum = s.largest_before + t.span, s.total_sum = s.sum + t.span, s.factor = s.total_sum + t.span;
    bool grouped = b->keys > group;
    fill(s.out, grouped ? 2 * rows : rows, 0);
    fill(s.largest, 2 * t.span, -(S)INFINITY);
    fill(s.sum, 2 * t.span, 0);
    for (int64_t j = 0; j < b->keys; j += TG_ATTENTION_KEYS) {
        int64_t m = keys_left(b, j);
        scores(&t, j, m);
        soften(&t, m, s.largest, s.sum, s.factor);
        if (j % group > 0) scale_lanes(s.out, b->d, t.span, s.factor);
        add_to_queries(&t, m, t.score, (const S *)b->v + j * b->v_row, b->v_row, s.out, b->d);
        if (ends_group(b, j + m, group)) end_group(&t, &s);
    }
    finish(&t, s.largest, grouped ? s.total_sum : s.sum, s.factor);
    lanes_to_rows(b->out, b->d, grouped ? s.total_out : s.out, t.span, b->n, b->d, s.factor);
}

#endif
