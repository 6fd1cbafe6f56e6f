/* The gradients of ops/recurrent/lstm.c in ops. With dh = dL/dh' and dc = dL/dc' + dh o tanh'(c'):
 *     di = dc g    df = dc c    dg = dc i    do = dh tanh(c')    and dL/dc = dc f
 *     da_i = di sigmoid'(a_i), .., da_g = dg tanh'(a_g)          each plus what flows into a itself
 * In a sequence dh is dL/dy plus da w of the step after. */
#include "ops/recurrent/recurrent.h"
#include "ops/recurrent/sequence.h"

/* Returns da of one step; *dc comes in as dL/dc', NULL for zeros, and leaves as dL/dc. */
static tg_tensor *step_grad(tg_tensor *pre, tg_tensor *c0, tg_tensor *c, tg_tensor *dh, tg_tensor **dc,
                            tg_tensor *dpre) {
    int64_t h = tg_size(c, -1);
    tg_tensor *a[4], *into[4];
    for (int k = 0; k < 4; k++) a[k] = tg_gate(pre, h, k);
    tg_tensor *through = tg_mul(tg_gate_sigmoid(a[3]), tg_tanh_slope(c));
    tg_tensor *d = tg_plus(*dc, tg_mul(dh, through));
    into[0] = tg_mul(tg_mul(d, tg_gate_tanh(a[2])), tg_sigmoid_slope(a[0]));
    into[1] = tg_mul(tg_mul(d, c0), tg_sigmoid_slope(a[1]));
    into[2] = tg_mul(tg_mul(d, tg_gate_sigmoid(a[0])), tg_tanh_slope(a[2]));
    into[3] = tg_mul(tg_mul(dh, tg_gate_tanh(c)), tg_sigmoid_slope(a[3]));
    *dc = tg_mul(d, tg_gate_sigmoid(a[1]));
    return tg_plus(tg_concat_with(-1, 4, into), dpre);
}

void tg_lstm_cell_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const tg_array *c = tg_node_out(n, 1);
    tg_tensor *dh = tg_or_zeros(dout[0], c, c->shape[0], c->shape[1]);
    din[1] = dout[1];
    din[0] = step_grad(n->out[2], n->in[1], n->out[1], dh, &din[1], dout[2]);
}

static tg_tensor *step_of(tg_tensor *x, int64_t t) { return x ? tg_at_step(x, t) : NULL; }

/* Sets part[] to da of each step; *dh and *dc become the gradients of the first state. */
static void scan_steps(const tg_node *n, tg_tensor *const *dout, tg_tensor **part, tg_tensor **dh,
                       tg_tensor **dc) {
    const tg_array *y = tg_node_out(n, 0);
    int64_t rows = y->shape[0], h = y->shape[2];
    *dh = *dc = NULL;
    for (int64_t t = y->shape[1] - 1; t >= 0; t--) {
        tg_tensor *c0 = t > 0 ? tg_at_step(n->out[1], t - 1) : tg_or_zeros(n->in[3], y, rows, h);
        tg_tensor *d = tg_or_zeros(tg_plus(*dh, step_of(dout[0], t)), y, rows, h);
        *dc = tg_plus(*dc, step_of(dout[1], t));
        part[t] = step_grad(tg_at_step(n->out[2], t), c0, tg_at_step(n->out[1], t), d, dc, step_of(dout[2], t));
        *dh = tg_matmul(part[t], n->in[1]);
    }
}

void tg_lstm_scan_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const tg_array *y = tg_node_out(n, 0);
    int64_t steps = y->shape[1];
    tg_tensor *dh, *dc, **part = tg_tensors_new(n, steps), *da = NULL;
    if (part) {
        scan_steps(n, dout, part, &dh, &dc);
        da = steps ? tg_stack_steps(part, steps)
                   : tg_zeros_with((tg_dtype)y->dtype, TG_SHAPE(y->shape[0], 0, 4 * y->shape[2]));
        tg_tensors_free(part, steps);
    } else {
        da = dh = dc = tg_poison();
    }
    if (tg_needs(n, 0)) din[0] = da;
    if (tg_needs(n, 1)) din[1] = tg_step_outer(da, tg_states_before(n->out[0], n->in[2]));
    if (tg_needs(n, 2)) din[2] = tg_or_zeros(dh, y, y->shape[0], y->shape[2]);
    if (tg_needs(n, 3)) din[3] = tg_or_zeros(dc, y, y->shape[0], y->shape[2]);
}
