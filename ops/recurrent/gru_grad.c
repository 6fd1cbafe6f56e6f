/* The gradients of ops/recurrent/gru.c in ops. With dh = dL/dh' and q = s_n:
 *     dn = dh (1 - z)      da_n = dn tanh'(a_n + r q)         ds_n = da_n r
 *     dz = dh (h - n)      da_z = ds_z = dz sigmoid'(a_z + s_z)
 *     dr = da_n q          da_r = ds_r = dr sigmoid'(a_r + s_r)
 * each of da_r, da_z, da_n and ds_n plus what flows into that pre-activation itself, 1 - z as sigmoid(-(a_z + s_z));
 * dL/dh = dh z, and in a sequence + ds w. */
#include "ops/recurrent/recurrent.h"
#include "ops/recurrent/sequence.h"

/* Sets *da and *ds of one step; returns dh z. */
static tg_tensor *step_grad(tg_tensor *pre, tg_tensor *h0, tg_tensor *dh, tg_tensor *dpre, tg_tensor **da,
                            tg_tensor **ds) {
    int64_t h = tg_size(h0, -1);
    tg_tensor *a[4], *extra[4] = {NULL};
    for (int k = 0; k < 4; k++) {
        a[k] = tg_gate(pre, h, k);
        if (dpre) extra[k] = tg_gate(dpre, h, k);
    }
    tg_tensor *dn = tg_mul(dh, tg_gate_sigmoid(tg_neg(a[1]))), *dz = tg_mul(dh, tg_less_tanh(h0, a[2]));
    tg_tensor *da_n = tg_plus(tg_mul(dn, tg_tanh_slope(a[2])), extra[2]);
    tg_tensor *da_r = tg_plus(tg_mul(tg_mul(da_n, a[3]), tg_sigmoid_slope(a[0])), extra[0]);
    tg_tensor *da_z = tg_plus(tg_mul(dz, tg_sigmoid_slope(a[1])), extra[1]);
    *da = tg_concat_with(-1, 3, (tg_tensor *[]){da_r, da_z, da_n});
    *ds = tg_concat_with(-1, 3,
                         (tg_tensor *[]){da_r, da_z, tg_plus(tg_mul(da_n, tg_gate_sigmoid(a[0])), extra[3])});
    return tg_mul(dh, tg_gate_sigmoid(a[1]));
}

void tg_gru_cell_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const tg_array *h = tg_node_in(n, 2);
    tg_tensor *dh = tg_or_zeros(dout[0], h, h->shape[0], h->shape[1]);
    din[2] = step_grad(n->out[1], n->in[2], dh, dout[1], &din[0], &din[1]);
}

static tg_tensor *step_of(tg_tensor *x, int64_t t) { return x ? tg_at_step(x, t) : NULL; }

/* Sets da[] and ds[] of all steps; returns dh of the first state. */
static tg_tensor *scan_steps(const tg_node *n, tg_tensor *const *dout, tg_tensor **da, tg_tensor **ds) {
    const tg_array *y = tg_node_out(n, 0);
    int64_t rows = y->shape[0], h = y->shape[2];
    tg_tensor *dh = NULL;
    for (int64_t t = y->shape[1] - 1; t >= 0; t--) {
        tg_tensor *h0 = t > 0 ? tg_at_step(n->out[0], t - 1) : tg_or_zeros(n->in[3], y, rows, h);
        dh = tg_or_zeros(tg_plus(dh, step_of(dout[0], t)), y, rows, h);
        dh = step_grad(tg_at_step(n->out[1], t), h0, dh, step_of(dout[1], t), &da[t], &ds[t]);
        dh = tg_add(dh, tg_matmul(ds[t], n->in[1]));
    }
    return dh;
}

void tg_gru_scan_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const tg_array *y = tg_node_out(n, 0);
    int64_t t = y->shape[1];
    tg_tensor *dh = tg_poison(), *da = dh, *ds = dh, **part = tg_tensors_new(n, 2 * t);
    if (part) {
        dh = scan_steps(n, dout, part, part + t);
        da = ds = tg_zeros_with((tg_dtype)y->dtype, TG_SHAPE(y->shape[0], 0, 3 * y->shape[2]));
        if (t > 0) da = tg_stack_steps(part, t), ds = tg_stack_steps(part + t, t);
        tg_tensors_free(part, 2 * t);
    }
    if (tg_needs(n, 0)) din[0] = da;
    if (tg_needs(n, 1)) din[1] = tg_step_outer(ds, tg_states_before(n->out[0], n->in[3]));
    if (tg_needs(n, 2)) din[2] = tg_sum_with(ds, (tg_reduce_opts){.axes = TG_SHAPE(0, 1)});
    if (tg_needs(n, 3)) din[3] = tg_or_zeros(dh, y, y->shape[0], y->shape[2]);
}
