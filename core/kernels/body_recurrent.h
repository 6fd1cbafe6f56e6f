/* Private. The part of core/kernels/body.c that works on one row of a recurrent cell: `n` hidden units, whose
 * gates lie n elements apart. Formulas: ops/recurrent.h. */
#ifndef TG_CORE_KERNELS_BODY_RECURRENT_H
#define TG_CORE_KERNELS_BODY_RECURRENT_H

#include "core/kernels/body_fold.h"

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
        V in = vsigmoid(a[0]), forget = vsigmoid(a[1]), g = vtanh(a[2]), out = vsigmoid(a[3]);
        V c = forget * gate(r->c0, n, 0, i, k) + in * g;
        const V gates[4] = {in, forget, g, out};
        for (int j = 0; j < 4; j++) set_gate(r->gates, n, j, i, k, gates[j]);
        set_gate(r->c, n, 0, i, k, c);
        set_gate(r->h, n, 0, i, k, out * vtanh(c));
    }
}

static void lstm_grad_row(const tg_lstm_grad_row *r) {
    for (int64_t n = r->n, i = 0; i < n; i += W) {
        int64_t k = lanes_left(n - i);
        V in = gate(r->gates, n, 0, i, k), forget = gate(r->gates, n, 1, i, k);
        V g = gate(r->gates, n, 2, i, k), out = gate(r->gates, n, 3, i, k);
        V t = vtanh(gate(r->c, n, 0, i, k)), dh = sum_of(r->dh, i, k);
        V dc = sum_of(r->dc, i, k) + dh * out * (K(1) - t * t);
        V d[4] = {dc * g, dc * gate(r->c0, n, 0, i, k), dc * in, dh * t};
        for (int j = 0; j < 4; j++) d[j] += gate(r->dgates, n, j, i, k);
        set_gate(r->da, n, 0, i, k, d[0] * in * (K(1) - in));
        set_gate(r->da, n, 1, i, k, d[1] * forget * (K(1) - forget));
        set_gate(r->da, n, 2, i, k, d[2] * (K(1) - g * g));
        set_gate(r->da, n, 3, i, k, d[3] * out * (K(1) - out));
        set_gate(r->dc0, n, 0, i, k, dc * forget);
    }
}

static void gru_row(const tg_gru_row *r) {
    for (int64_t n = r->n, i = 0; i < n; i += W) {
        int64_t k = lanes_left(n - i);
        V s[3];
        for (int j = 0; j < 3; j++) s[j] = gate(r->s, n, j, i, k) + gate(r->b, n, j, i, k);
        V reset = vsigmoid(gate(r->a, n, 0, i, k) + s[0]), z = vsigmoid(gate(r->a, n, 1, i, k) + s[1]);
        V fresh = vtanh(gate(r->a, n, 2, i, k) + reset * s[2]);
        const V gates[4] = {reset, z, fresh, s[2]};
        V h = (K(1) - z) * fresh + z * gate(r->h0, n, 0, i, k);
        for (int j = 0; j < 4; j++) set_gate(r->gates, n, j, i, k, gates[j]);
        set_gate(r->h, n, 0, i, k, h);
    }
}

static void gru_grad_row(const tg_gru_grad_row *r) {
    for (int64_t n = r->n, i = 0; i < n; i += W) {
        int64_t k = lanes_left(n - i);
        V reset = gate(r->gates, n, 0, i, k), z = gate(r->gates, n, 1, i, k);
        V fresh = gate(r->gates, n, 2, i, k), q = gate(r->gates, n, 3, i, k);
        V d[4], dh = sum_of(r->dh, i, k);
        for (int j = 0; j < 4; j++) d[j] = gate(r->dgates, n, j, i, k);
        V da = (d[2] + dh * (K(1) - z)) * (K(1) - fresh * fresh);
        V dr = (d[0] + da * q) * reset * (K(1) - reset);
        V dz = (d[1] + dh * (gate(r->h0, n, 0, i, k) - fresh)) * z * (K(1) - z);
        const V pre[4] = {dr, dz, da, d[3] + da * reset};
        for (int j = 0; j < 3; j++) {
            set_gate(r->da, n, j, i, k, pre[j]);
            set_gate(r->ds, n, j, i, k, pre[j < 2 ? j : 3]);
        }
        set_gate(r->dh0, n, 0, i, k, dh * z);
    }
}

#endif
