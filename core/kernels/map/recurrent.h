/* Private. The part of core/kernels/simd/kernel_set.c that works on one row of a recurrent cell: `n` hidden units, whose
 * gates lie n elements apart. Formulas: ops/recurrent/recurrent.h. */
#ifndef TG_CORE_KERNELS_MAP_RECURRENT_H
#define TG_CORE_KERNELS_MAP_RECURRENT_H

#include "core/kernels/reduce/pairwise.h"

/* m elements of gate number k at unit i; of nothing, zeros. */
INLINE V gate(const void *p, int64_t n, int k, int64_t i, int64_t m) {
    return p ? load((const S *)p + k * n, i, m) : K(0);
}
INLINE void set_gate(void *p, int64_t n, int k, int64_t i, int64_t m, V v) { store((S *)p + k * n, i, m, v); }
INLINE V sum_of(const void *const p[2], int64_t i, int64_t m) {
    return gate(p[0], 0, 0, i, m) + gate(p[1], 0, 0, i, m);
}

static void lstm_row(const tg_lstm_row *r) {
    for (int64_t n = r->n, i = 0; i < n; i += W) {
        int64_t k = lanes_left(n - i);
        V a[4];
        for (int j = 0; j < 4; j++) a[j] = gate(r->a, n, j, i, k) + gate(r->more, n, j, i, k);
        V c = vsigmoid(a[1]) * gate(r->c0, n, 0, i, k) + vsigmoid(a[0]) * tanh_curve(a[2]).y;
        for (int j = 0; j < 4; j++) set_gate(r->pre, n, j, i, k, a[j]);
        set_gate(r->c, n, 0, i, k, c);
        set_gate(r->h, n, 0, i, k, vsigmoid(a[3]) * tanh_curve(c).y);
    }
}

static void lstm_grad_row(const tg_lstm_grad_row *r) {
    for (int64_t n = r->n, i = 0; i < n; i += W) {
        int64_t k = lanes_left(n - i);
        curve in = sigmoid_curve(gate(r->pre, n, 0, i, k)), forget = sigmoid_curve(gate(r->pre, n, 1, i, k));
        curve g = tanh_curve(gate(r->pre, n, 2, i, k)), out = sigmoid_curve(gate(r->pre, n, 3, i, k));
        curve t = tanh_curve(gate(r->c, n, 0, i, k));
        V dh = sum_of(r->dh, i, k), dc = sum_of(r->dc, i, k) + dh * out.y * t.slope;
        const V d[4] = {dc * g.y * in.slope, dc * gate(r->c0, n, 0, i, k) * forget.slope, dc * in.y * g.slope,
                        dh * t.y * out.slope};
        for (int j = 0; j < 4; j++) set_gate(r->da, n, j, i, k, d[j] + gate(r->dpre, n, j, i, k));
        set_gate(r->dc0, n, 0, i, k, dc * forget.y);
    }
}

static void rnn_row(const tg_rnn_row *r) {
    for (int64_t n = r->n, i = 0; i < n; i += W) {
        int64_t k = lanes_left(n - i);
        V pre = gate(r->a, n, 0, i, k) + gate(r->more, n, 0, i, k);
        set_gate(r->pre, n, 0, i, k, pre);
        set_gate(r->h, n, 0, i, k, r->relu ? select(pre < K(0), K(0), pre) : tanh_curve(pre).y);
    }
}

static void rnn_grad_row(const tg_rnn_grad_row *r) {
    for (int64_t n = r->n, i = 0; i < n; i += W) {
        int64_t k = lanes_left(n - i);
        V pre = gate(r->pre, n, 0, i, k), dh = sum_of(r->dh, i, k);
        V da = r->relu ? select(pre <= K(0), K(0), dh) : dh * tanh_curve(pre).slope;
        set_gate(r->da, n, 0, i, k, da + gate(r->dpre, n, 0, i, k));
    }
}

static void gru_row(const tg_gru_row *r) {
    for (int64_t n = r->n, i = 0; i < n; i += W) {
        int64_t k = lanes_left(n - i);
        V s[3];
        for (int j = 0; j < 3; j++) s[j] = gate(r->s, n, j, i, k) + gate(r->b, n, j, i, k);
        V reset = gate(r->a, n, 0, i, k) + s[0], update = gate(r->a, n, 1, i, k) + s[1];
        V fresh = gate(r->a, n, 2, i, k) + vsigmoid(reset) * s[2];
        const V pre[4] = {reset, update, fresh, s[2]};
        curve z = sigmoid_curve(update);
        V h = z.rest * tanh_curve(fresh).y + z.y * gate(r->h0, n, 0, i, k);
        for (int j = 0; j < 4; j++) set_gate(r->pre, n, j, i, k, pre[j]);
        set_gate(r->h, n, 0, i, k, h);
    }
}

static void gru_grad_row(const tg_gru_grad_row *r) {
    for (int64_t n = r->n, i = 0; i < n; i += W) {
        int64_t k = lanes_left(n - i);
        curve reset = sigmoid_curve(gate(r->pre, n, 0, i, k)), z = sigmoid_curve(gate(r->pre, n, 1, i, k));
        curve fresh = tanh_curve(gate(r->pre, n, 2, i, k));
        V dpre[4], dh = sum_of(r->dh, i, k);
        for (int j = 0; j < 4; j++) dpre[j] = gate(r->dpre, n, j, i, k);
        V da = dpre[2] + dh * z.rest * fresh.slope;
        V dr = dpre[0] + da * gate(r->pre, n, 3, i, k) * reset.slope;
        V dz = dpre[1] + dh * less_tanh(gate(r->h0, n, 0, i, k), fresh) * z.slope;
        const V d[4] = {dr, dz, da, dpre[3] + da * reset.y};
        for (int j = 0; j < 3; j++) {
            set_gate(r->da, n, j, i, k, d[j]);
            set_gate(r->ds, n, j, i, k, d[j < 2 ? j : 3]);
        }
        set_gate(r->dh0, n, 0, i, k, dh * z.y);
    }
}

#endif
