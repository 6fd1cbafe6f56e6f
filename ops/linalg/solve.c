/* Systems of linear equations, solved by A = L U P. */
#include "ops/linalg/systems.h"

/* ---- solve: A X = B:  dB = A^-T G,  dA = -dB X^T ----
 * The factors are outputs that no user sees: with them a gradient costs no more than the systems to solve. */

static tg_status solve_infer(const tg_call *call) {
    const tg_array *a = call->in[0];
    tg_status s = tg_infer_system(call);
    if (s == TG_OK) s = tg_out(call, 1, (tg_dtype)a->dtype, tg_array_shape(a));
    return s == TG_OK ? tg_out(call, 2, TG_I32, tg_pivot_shape(a)) : s;
}

static tg_status solve_forward(const tg_call *call) {
    tg_lu f = {.lu = *call->out[1], .pivot = *call->out[2]};
    tg_lu_fill(call->in[0], &f);
    if (f.singular >= 0) return tg_call_fail_matrix(call, f.singular, "singular");
    tg_array x = tg_copy_rhs(call);
    tg_lu_apply(&f, false, &x);
    return TG_OK;
}

static void solve_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *a = n->in[0], *x = n->out[0], *g = dout[0];
    bool vectors = tg_are_vectors(tg_shape_of(a), tg_shape_of(n->in[1]));
    if (vectors) x = tg_unsqueeze(x, -1), g = tg_unsqueeze(g, -1);
    tg_tensor *db = tg_solve(tg_swap_last(a), g);
    if (tg_needs(n, 0)) din[0] = tg_neg(tg_matmul(db, tg_swap_last(x)));
    if (tg_needs(n, 1)) din[1] = vectors ? tg_squeeze(db, -1) : db;
}

/* dA = -dB X^T, with the batch axes of X. */
static tg_status grad_of_matrix(const tg_array *db, const tg_array *x, tg_array *da) {
    tg_shape shape = tg_array_shape(x);
    tg_array t = *x;
    int r = x->rank - 2, c = x->rank - 1;
    shape.dim[c] = shape.dim[r];
    t.shape[r] = x->shape[c], t.shape[c] = x->shape[r];
    t.stride[r] = x->stride[c], t.stride[c] = x->stride[r];
    tg_status s = tg_array_alloc(da, (tg_dtype)x->dtype, shape);
    return s == TG_OK ? tg_gemm(-1, db, &t, 0, da) : s;
}

static tg_status solve_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *g = dout[0];
    bool vectors = tg_are_vectors(tg_shape_of(n->in[0]), tg_shape_of(n->in[1]));
    tg_lu f = {.lu = *tg_node_out(n, 1), .pivot = *tg_node_out(n, 2)};
    tg_array own = {0};
    bool negative;
    char text[160];
    if (tg_first_outside(&f.pivot, f.lu.shape[f.lu.rank - 1], &negative) >= 0 || negative)
        return tg_fail(TG_ERR_ARGUMENT,
                       "solve: the pivots have changed since the forward pass, and name rows that the "
                       "matrix does not have: %s",
                       tg_describe(n->in[0], text, sizeof text));
    tg_status s = tg_array_alloc_like(&own, g);
    if (s != TG_OK) return s;
    tg_array_copy(&own, g);
    tg_array db = tg_as_columns(&own, vectors), x = tg_as_columns(tg_node_out(n, 0), vectors);
    tg_lu_apply(&f, true, &db);
    if (tg_needs(n, 0)) s = grad_of_matrix(&db, &x, &din[0]);
    if (s == TG_OK && tg_needs(n, 1)) tg_array_share(&din[1], &own);
    tg_array_drop(&own);
    return s;
}

const tg_op tg_op_solve = {
    .name = "solve",
    .formula = "out, lu, pivot = inverse(a) b, and the factors of a",
    .rule = "da = -db out^T; db = inverse(a)^T dout",
    .n_in = 2,
    .n_out = 3,
    .save = TG_IN(0) | TG_OUT(0) | TG_OUT(1) | TG_OUT(2),
    .infer = solve_infer,
    .forward = solve_forward,
    .grad = solve_grad,
    .grad_kernel = solve_grad_kernel,
};

tg_tensor *tg_solve(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_solve, a, b, NULL); }

/* ---- inverse: Y = A^-1:  dA = -Y^T G Y^T ---- */

static tg_status inverse_forward(const tg_call *call) {
    tg_lu f;
    tg_status s = tg_lu_of(call->in[0], &f);
    if (s == TG_OK && f.singular >= 0) s = tg_call_fail_matrix(call, f.singular, "singular");
    if (s == TG_OK) {
        tg_fill_identity(call->out[0]);
        tg_lu_apply(&f, false, call->out[0]);
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
    .rule = "da = -out^T dout out^T",
    .n_in = 1,
    .save = TG_OUT(0),
    .infer = tg_infer_square,
    .forward = inverse_forward,
    .grad = inverse_grad,
};

tg_tensor *tg_inverse(tg_tensor *a) { return tg_apply1(&tg_op_inverse, a, NULL); }
