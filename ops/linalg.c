/* Systems of linear equations by A = L U P. */
#include "ops/systems.h"

/* ---- solve: A X = B:  dB = A^-T G,  dA = -dB X^T ---- */

static tg_status solve_forward(const tg_call *call) {
    tg_lu f;
    tg_status s = tg_lu_of(call->in[0], &f);
    if (s == TG_OK && f.singular >= 0) s = tg_call_fail_matrix(call, f.singular, "singular");
    if (s == TG_OK) {
        tg_array x = tg_copy_rhs(call);
        tg_lu_apply(&f, &x);
    }
    tg_lu_drop(&f);
    return s;
}

static void solve_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *a = n->in[0], *x = n->out[0], *g = dout[0];
    bool vectors = tg_are_vectors(tg_shape_of(a), tg_shape_of(n->in[1]));
    if (vectors) x = tg_unsqueeze(x, -1), g = tg_unsqueeze(g, -1);
    tg_tensor *db = tg_solve(tg_swap_last(a), g);
    if (tg_needs(n, 0)) din[0] = tg_neg(tg_matmul(db, tg_swap_last(x)));
    if (tg_needs(n, 1)) din[1] = vectors ? tg_squeeze(db, -1) : db;
}

const tg_op tg_op_solve = {
    .name = "solve",
    .formula = "out = inverse(a) b",
    .n_in = 2,
    .save = TG_IN(0) | TG_OUT(0),
    .infer = tg_infer_system,
    .forward = solve_forward,
    .grad = solve_grad,
};

tg_tensor *(tg_solve)(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_solve, a, b, NULL); }

/* ---- inverse: Y = A^-1:  dA = -Y^T G Y^T ---- */

static tg_status inverse_forward(const tg_call *call) {
    tg_lu f;
    tg_status s = tg_lu_of(call->in[0], &f);
    if (s == TG_OK && f.singular >= 0) s = tg_call_fail_matrix(call, f.singular, "singular");
    if (s == TG_OK) {
        tg_fill_identity(call->out[0]);
        tg_lu_apply(&f, call->out[0]);
    }
    tg_lu_drop(&f);
    return s;
}

static void inverse_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *t = tg_swap_last(n->out[0]);
    din[0] = tg_neg(tg_matmul(tg_matmul(t, dout[0]), t));
}

const tg_op tg_op_inverse = {
    .name = "inverse",
    .formula = "out = inverse(a)",
    .n_in = 1,
    .save = TG_OUT(0),
    .infer = tg_infer_square,
    .forward = inverse_forward,
    .grad = inverse_grad,
};

tg_tensor *(tg_inverse)(tg_tensor *a) { return tg_apply1(&tg_op_inverse, a, NULL); }
