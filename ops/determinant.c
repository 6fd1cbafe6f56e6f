/* Determinants, from the pivots of A = L U P. */
#include "ops/systems.h"

#include <float.h>
#include <math.h>

/* ---- the product of the pivots ---- */

static int64_t matrices(const tg_lu *f) {
    int64_t n = 1;
    for (int i = 0; i < f->lu.rank - 2; i++) n *= f->lu.shape[i];
    return n;
}

static int64_t diagonal(const tg_lu *f, int64_t matrix, int64_t k) {
    int64_t n = f->lu.shape[f->lu.rank - 1];
    return (matrix * n + k) * n + k;
}

typedef struct determinant {
    double value, log, sign; /* det, log |det|, sign of det */
} determinant;

static determinant determinant_of(const tg_lu *f, int64_t matrix) {
    determinant d = {1, 0, 1};
    int64_t n = f->lu.shape[f->lu.rank - 1];
    for (int64_t k = 0; k < n; k++) {
        double v = tg_array_get(&f->lu, diagonal(f, matrix, k));
        if (tg_array_get(&f->pivot, matrix * n + k) != (double)k) v = -v;
        d.value *= v;
        d.log += log(fabs(v));
        d.sign *= v > 0 ? 1 : v < 0 ? -1 : v;
    }
    return d;
}

static tg_shape batch_shape(const tg_array *a) {
    tg_shape s = tg_array_shape(a);
    s.rank -= 2;
    return s;
}

/* A number for each matrix, as a factor of its elements. */
static tg_tensor *for_matrices(tg_tensor *t) { return tg_unsqueeze(tg_unsqueeze(t, -1), -1); }

/* ---- det:  dA = g * cofactor(A) ---- */

static tg_status det_infer(const tg_call *call) {
    const tg_array *a = call->in[0];
    tg_status s = tg_call_square(call);
    return s == TG_OK ? tg_out(call, 0, (tg_dtype)a->dtype, batch_shape(a)) : s;
}

static tg_status det_forward(const tg_call *call) {
    tg_lu f;
    tg_status s = tg_lu_of(call->in[0], &f);
    if (s != TG_OK) return s;
    for (int64_t i = 0; i < matrices(&f); i++) tg_array_set(call->out[0], i, determinant_of(&f, i).value);
    tg_lu_drop(&f);
    return TG_OK;
}

static void det_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(for_matrices(dout[0]), tg_cofactor(n->in[0]));
}

const tg_op tg_op_det = {
    .name = "det",
    .formula = "out = det(a)",
    .n_in = 1,
    .save = TG_IN(0),
    .infer = det_infer,
    .forward = det_forward,
    .grad = det_grad,
};

tg_tensor *(tg_det)(tg_tensor *a) { return tg_apply1(&tg_op_det, a, NULL); }

/* ---- cofactor: C = det(A) V, V = A^-T:  dA = <G, C> V - V G^T C ----
 * Cofactors are polynomials in A: a pivot of 0 is replaced by one so small that what it adds to them is lost in
 * rounding, and it cancels between det and V. With two such pivots all cofactors are 0. */

/* Mends the pivots of a matrix and returns its determinant, by which its inverse is to be multiplied. */
static double mend(const tg_lu *f, int64_t matrix) {
    double eps = f->lu.dtype == TG_F64 ? DBL_EPSILON : (double)FLT_EPSILON, largest = 0;
    int64_t n = f->lu.shape[f->lu.rank - 1];
    int zeros = 0;
    for (int64_t k = 0; k < n; k++)
        largest = fmax(largest, fabs(tg_array_get(&f->lu, diagonal(f, matrix, k))));
    for (int64_t k = 0; k < n; k++) {
        int64_t at = diagonal(f, matrix, k);
        if (tg_array_get(&f->lu, at) != 0) continue;
        tg_array_set(&f->lu, at, eps * eps * (largest > 0 ? largest : 1));
        zeros++;
    }
    return zeros > 1 ? 0 : determinant_of(f, matrix).value;
}

/* out = scale * inverse^T, for one matrix of n rows. */
static void scale_transposed(const tg_array *inverse, double scale, int64_t n, int64_t matrix, const tg_array *out) {
    tg_array from = {.data = (char *)inverse->data, .dtype = inverse->dtype, .rank = 2, .numel = n * n,
                     .shape = {n, n}, .stride = {1, n}};
    tg_array to = from;
    int64_t offset = matrix * n * n * (int64_t)tg_dtype_size((tg_dtype)out->dtype);
    from.data = (char *)inverse->data + offset;
    to.data = (char *)out->data + offset;
    to.stride[0] = n, to.stride[1] = 1;
    tg_map_affine(&from, scale, 0, &to);
}

static tg_status cofactor_forward(const tg_call *call) {
    const tg_array *a = call->in[0];
    int64_t n = a->shape[a->rank - 1];
    tg_array inverse = {0}, det = {0};
    tg_lu f;
    tg_status s = tg_lu_of(a, &f);
    if (s == TG_OK) s = tg_array_alloc_like(&inverse, a);
    if (s == TG_OK) s = tg_array_alloc(&det, TG_F64, batch_shape(a));
    if (s == TG_OK) {
        for (int64_t i = 0; i < matrices(&f); i++) tg_array_set(&det, i, mend(&f, i));
        tg_fill_identity(&inverse);
        tg_lu_apply(&f, false, &inverse);
        for (int64_t i = 0; i < matrices(&f); i++)
            scale_transposed(&inverse, tg_array_get(&det, i), n, i, call->out[0]);
    }
    tg_lu_drop(&f);
    tg_array_drop(&inverse);
    tg_array_drop(&det);
    return s;
}

static void cofactor_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *g = dout[0], *c = n->out[0], *v = tg_swap_last(tg_inverse(n->in[0]));
    tg_tensor *along = tg_sum(tg_mul(g, c), .axes = TG_SHAPE(-1, -2), .keepdim = true);
    din[0] = tg_sub(tg_mul(along, v), tg_matmul(tg_matmul(v, tg_swap_last(g)), c));
}

const tg_op tg_op_cofactor = {
    .name = "cofactor",
    .formula = "out = det(a) * transpose(inverse(a)), also where a is singular",
    .n_in = 1,
    .save = TG_IN(0) | TG_OUT(0),
    .infer = tg_infer_square,
    .forward = cofactor_forward,
    .grad = cofactor_grad,
};

tg_tensor *(tg_cofactor)(tg_tensor *a) { return tg_apply1(&tg_op_cofactor, a, NULL); }

/* ---- slogdet:  dA = g A^-T ---- */

static tg_status slogdet_infer(const tg_call *call) {
    tg_status s = det_infer(call);
    const tg_array *a = call->in[0];
    return s == TG_OK ? tg_out(call, 1, (tg_dtype)a->dtype, batch_shape(a)) : s;
}

static tg_status slogdet_forward(const tg_call *call) {
    tg_lu f;
    tg_status s = tg_lu_of(call->in[0], &f);
    if (s != TG_OK) return s;
    for (int64_t i = 0; i < matrices(&f); i++) {
        determinant d = determinant_of(&f, i);
        tg_array_set(call->out[0], i, d.log);
        tg_array_set(call->out[1], i, d.sign);
    }
    tg_lu_drop(&f);
    return TG_OK;
}

/* The sign is constant where there is a gradient at all. */
static void slogdet_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *v = tg_swap_last(tg_inverse(n->in[0]));
    din[0] = dout[0] ? tg_mul(for_matrices(dout[0]), v) : tg_mul_scalar(v, 0);
}

const tg_op tg_op_slogdet = {
    .name = "slogdet",
    .formula = "out = log(abs(det(a))), sign = sign(det(a))",
    .n_in = 1,
    .n_out = 2,
    .save = TG_IN(0),
    .infer = slogdet_infer,
    .forward = slogdet_forward,
    .grad = slogdet_grad,
};

tg_tensor *(tg_slogdet)(tg_tensor *a, tg_slogdet_opts opts) {
    tg_tensor *out[2];
    (tg_apply_multi)(&tg_op_slogdet, &a, 1, NULL, out);
    if (opts.sign) *opts.sign = tg_is_poison(out[1]) ? out[1] : tg_detach(out[1]);
    return out[0];
}
