/* Private. The part of core/kernels/simd/kernel_set.c for the gradient of attention: a block of queries against tiles of keys, in the
 * terms of core/kernels/attention/forward.h.
 *
 * P = e^(S - lse), dS = P (dP - delta), dP = g v^T, delta = sum(g out) - dlse. Of a P near 1 that difference has lost its
 * digits. One above 3/4 is the only one of its query, also where lse has rounded (of two equal keys both may be above 1/2):
 * its dS is made of the others, as
 *     P (dP (sum of the other P) - (sum of the other P dP) + dlse)
 * when all keys have been seen.
 */
#ifndef TG_CORE_KERNELS_ATTENTION_BACKWARD_H
#define TG_CORE_KERNELS_ATTENTION_BACKWARD_H

#include "core/kernels/attention/forward.h"

INLINE S dot(int64_t n, const S *a, const S *b) {
    V sum = K(0);
    int64_t i = 0;
    for (; i + W <= n; i += W) sum = vfma(vload(a + i), vload(b + i), sum);
    if (i < n) sum += select(first(n - i), load(a, i, n - i) * load(b, i, n - i), K(0));
    return across(sum, op_sum);
}

/* What a pass over the keys knows and learns of each query. */
typedef struct query_rows {
    S *lse, *delta;
    S *others, *others_dp; /* sums of P and P dP, but for a dominant P */
    S dominant[TG_ATTENTION_QUERIES], dominant_dp[TG_ATTENTION_QUERIES];
    int64_t key[TG_ATTENTION_QUERIES]; /* whose P is `dominant`; -1: none's */
} query_rows;

INLINE S dlse_of(const tg_attention_block *b, int64_t i) {
    return b->dlse ? ((const S *)b->dlse)[i * b->dlse_row] : 0;
}

/* lse of a query that saw nothing becomes 0: its P is e^-inf, as in the lanes behind the last query. */
INLINE void row_constants(const query_block *t, query_rows *r) {
    const tg_attention_block *b = t->b;
    fill(r->lse, t->span, (S)INFINITY);
    fill(r->delta, 3 * t->span, 0); /* and both sums, which lie behind */
    for (int64_t i = 0; i < b->n; i++) {
        S l = ((const S *)b->lse)[i];
        r->key[i] = -1;
        r->lse[i] = l == -(S)INFINITY ? 0 : l;
        r->delta[i] = dot(b->d, (const S *)b->g + i * b->g_row, (const S *)b->out + i * b->d) - dlse_of(b, i);
    }
}

#define DOMINANT ((S)0.75)

/* P and dP of key number `key`, in the lanes where P is dominant */
APART void note_dominant(query_rows *r, int64_t i, int64_t key, const S *p, const S *dp) {
    for (int k = 0; k < W; k++)
        if (p[k] > DOMINANT) r->key[i + k] = key, r->dominant[i + k] = p[k], r->dominant_dp[i + k] = dp[k];
}

/* score = P, and slope = dS from dP, for the m keys from j on */
INLINE void weigh(const query_block *t, int64_t j, int64_t m, S *slope, query_rows *r) {
    const V most = K(DOMINANT);
    for (int64_t i = 0; i < t->span; i += W) {
        V l = vload(r->lse + i), d = vload(r->delta + i);
        V others = vload(r->others + i), others_dp = vload(r->others_dp + i);
        for (int64_t c = 0; c < m; c++) {
            S *s = t->score + c * t->span + i, *ds = slope + c * t->span + i;
            V p = weight_of(vload(s) - l), dp = vload(ds), q = p;
            vstore(s, p);
            if (__builtin_expect(any_larger(p, most), 0)) {
                note_dominant(r, i, j + c, s, ds);
                q = select(p > most, K(0), p);
            }
            others += q, others_dp = vfma(q, dp, others_dp);
            vstore(ds, q * (dp - d));
        }
        vstore(r->others + i, others), vstore(r->others_dp + i, others_dp);
    }
}

/* dv += P^T g, dk += scale dS^T q, dq += dS k, ds = dS, for the m keys from j on; one: 1 in each lane */
INLINE void add_gradients(const query_block *t, int64_t j, int64_t m, const S *slope, S *dq, const S *one) {
    const tg_attention_block *b = t->b;
    if (b->dv) add_to_keys(t, m, t->score, b->g, b->g_row, (S *)b->dv + j * b->d, b->d, 1);
    if (b->dk) add_to_keys(t, m, slope, b->q, b->q_row, (S *)b->dk + j * b->e, b->e, b->scale);
    if (b->dq) add_to_queries(t, m, slope, (const S *)b->k + j * b->k_row, b->k_row, dq, b->e);
    if (b->ds) lanes_to_rows((S *)b->ds + j, b->ds_row, slope, t->span, b->n, m, one);
}

/* dS of the dominant P, which was 0 so far */
INLINE void add_dominant(const query_block *t, const query_rows *r, S *dq) {
    const tg_attention_block *b = t->b;
    for (int64_t i = 0; i < b->n; i++) {
        int64_t key = r->key[i];
        if (key < 0) continue;
        S ds = r->dominant[i] * ((r->dominant_dp[i] * r->others[i] - r->others_dp[i]) + dlse_of(b, i));
        const S *q = (const S *)b->q + i * b->q_row, *k = (const S *)b->k + key * b->k_row;
        for (int64_t c = 0; b->dk && c < b->e; c++) ((S *)b->dk)[key * b->e + c] += (S)b->scale * ds * q[c];
        for (int64_t c = 0; b->dq && c < b->e; c++) dq[c * t->span + i] += ds * k[c];
        if (b->ds) ((S *)b->ds)[i * b->ds_row + key] = ds;
    }
}

static void attention_grad(const tg_attention_block *b) {
    query_block t = block_of(b);
    S *slope = t.score + TG_ATTENTION_KEYS * t.span, *g = slope + TG_ATTENTION_KEYS * t.span;
    S *dq = g + b->d * t.span, *total = dq + b->e * t.span, *lse = total + b->e * t.span,
      *factor = lse + 4 * t.span;
    int64_t group = keys_of_group(b);
    query_rows r = {
        .lse = lse, .delta = lse + t.span, .others = lse + 2 * t.span, .others_dp = lse + 3 * t.span};
    rows_to_lanes(g, t.span, b->g, b->g_row, b->n, b->d, 1);
    row_constants(&t, &r);
    bool grouped = b->keys > group;
    fill(dq, (grouped ? 2 : 1) * b->e * t.span, 0);
    fill(factor, t.span, 1);
    for (int64_t j = 0; j < b->keys; j += TG_ATTENTION_KEYS) {
        int64_t m = keys_left(b, j);
        scores(&t, j, m);
        make_tile(&t, m, slope, (const S *)b->v + j * b->v_row, b->v_row, g, b->d);
        weigh(&t, j, m, slope, &r);
        add_gradients(&t, j, m, slope, dq, factor);
        if (ends_group(b, j + m, group)) move_to_total(total, dq, b->e, t.span, NULL);
    }
    if (grouped) dq = total;
    add_dominant(&t, &r, dq);
    fill(factor, t.span, (S)b->scale);
    if (b->dq) lanes_to_rows(b->dq, b->e, dq, t.span, b->n, b->e, factor);
}

#endif
