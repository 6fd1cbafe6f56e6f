/* The gradients of ops/gru.c in ops. With dh = dL/dh' and q = s_n:
 *     dn = dh (1 - z)      da_n = dn (1 - n^2)         ds_n = da_n r
 *     dz = dh (h - n)      da_z = ds_z = dz z (1 - z)
 *     dr = da_n q          da_r = ds_r = dr r (1 - r)
 * each of dr, dz, dn and ds_n plus what flows into that gate itself; dL/dh = dh z, and in a sequence + ds w. */
#include "ops/recurrent.h"
#include "ops/steps.h"

/* *da and *ds of one step; returns dh z. */
static tg_tensor *step_grad(tg_tensor *gates, tg_tensor *h0, tg_tensor *dh, tg_tensor *dgates, tg_tensor **da,
                            tg_tensor **ds) {
    int64_t h = tg_size(h0, -1);
    tg_tensor *gate[4], *extra[4] = {NULL};
    for (int k = 0; k < 4; k++) {
        gate[k] = tg_gate(gates, h, k);
        if (dgates) extra[k] = tg_gate(dgates, h, k);
    }
    tg_tensor *r = gate[0], *z = gate[1], *n = gate[2];
    tg_tensor *dn = tg_plus(tg_mul(dh, tg_affine(z, -1, 1)), extra[2]);
    tg_tensor *da_n = tg_mul(dn, tg_affine(tg_square(n), -1, 1));
    tg_tensor *dr = tg_plus(tg_mul(da_n, gate[3]), extra[0]),
              *dz = tg_plus(tg_mul(dh, tg_sub(h0, n)), extra[1]);
    tg_tensor *da_r = tg_mul(dr, tg_mul(r, tg_affine(r, -1, 1)));
    tg_tensor *da_z = tg_mul(dz, tg_mul(z, tg_affine(z, -1, 1)));
    *da = tg_concat(-1, da_r, da_z, da_n);
    *ds = tg_concat(-1, da_r, da_z, tg_plus(tg_mul(da_n, r), extra[3]));
    return tg_mul(dh, z);
}

void tg_gru_cell_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const tg_array *h = tg_node_in(n, 2);
    tg_tensor *dh = tg_or_zeros(dout[0], h, h->shape[0], h->shape[1]);
    din[2] = step_grad(n->out[1], n->in[2], dh, dout[1], &din[0], &din[1]);
}

static tg_tensor *step_of(tg_tensor *x, int64_t t) { return x ? tg_at_step(x, t) : NULL; }

/* da and ds of all steps; returns dh of the first state. */
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
    tg_tensor *dh = tg_poison(), *da = dh, *ds = dh, **part = tg_tensors_new(2 * t);
    if (part) {
        dh = scan_steps(n, dout, part, part + t);
        da = ds = tg_zeros((tg_dtype)y->dtype, y->shape[0], 0, 3 * y->shape[2]);
        if (t > 0) da = tg_stack_steps(part, t), ds = tg_stack_steps(part + t, t);
        tg_tensors_free(part, 2 * t);
    }
    if (tg_needs(n, 0)) din[0] = da;
    if (tg_needs(n, 1)) din[1] = tg_step_outer(ds, tg_states_before(n->out[0], n->in[3]));
    if (tg_needs(n, 2)) din[2] = tg_sum(ds, .axes = TG_SHAPE(0, 1));
    if (tg_needs(n, 3)) din[3] = tg_or_zeros(dh, y, y->shape[0], y->shape[2]);
}
