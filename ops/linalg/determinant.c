/* Determinants, computed from the pivots of A = L U P. */
#include "ops/linalg/systems.h"
#include "ops/reduce/scaled.h"

#include <float.h>
#include <math.h>

/* ---- the product of the pivots ---- */

static int64_t matrices(const tg_lu *f) {
    int64_t n = 1;
    for (int i = 0; i < f->lu.rank - 2; i++) n *= f->lu.shape[i];
    return n;
}

static int64_t rows(const tg_lu *f) { return f->lu.shape[f->lu.rank - 1]; }

static int64_t diagonal(const tg_lu *f, int64_t matrix, int64_t k) {
    return (matrix * rows(f) + k) * rows(f) + k;
}

typedef struct determinant {
    tg_scaled value;
    double log, sign; /* log |det|, sign of det */
} determinant;

static determinant determinant_of(const tg_lu *f, int64_t matrix) {
    determinant d = {TG_SCALED_ONE, 0, 1};
    for (int64_t k = 0; k < rows(f); k++) {
        double v = tg_array_get(&f->lu, diagonal(f, matrix, k));
        if (tg_array_get(&f->pivot, matrix * rows(f) + k) != (double)k) v = -v;
        d.value = tg_scaled_times(d.value, v);
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

/* One number for each matrix, in the shape that broadcasts to its elements. */
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
    for (int64_t i = 0; i < matrices(&f); i++)
        tg_array_set(call->out[0], i, tg_scaled_value(determinant_of(&f, i).value));
    tg_lu_drop(&f);
    return TG_OK;
}

static void det_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(for_matrices(dout[0]), tg_cofactor(n->in[0]));
}

const tg_op tg_op_det = {
    .name = "det",
    .formula = "out = det(a)",
    .rule = "da = dout * cofactor(a)",
    .n_in = 1,
    .save = TG_IN(0),
    .infer = det_infer,
    .forward = det_forward,
    .grad = det_grad,
};

tg_tensor *tg_det(tg_tensor *a) { return tg_apply1(&tg_op_det, a, NULL); }

/* ---- cofactor: C = det(A) V, V = A^-T:  dA = <G, C> V - V G^T C ----
 * Cofactors are polynomials in A: a pivot of 0 is replaced by one so small that what it adds to them is lost in
 * rounding, and it cancels between det and V. With two such pivots all cofactors are 0. A matrix with pivots near the ends
 * of the range is balanced: A = R B S with powers of two on the diagonals of R and S, so that
 * C_ij = cofactor(B)_ij det(R) det(S) / (R_i S_j), of which no part leaves the range before the whole does. */

/* Replaces the pivots of a matrix that are 0 and returns its determinant, by which its inverse is to be multiplied. */
static tg_scaled mend(const tg_lu *f, int64_t matrix) {
    double eps = f->lu.dtype == TG_F64 ? DBL_EPSILON : (double)FLT_EPSILON, largest = 0;
    int zeros = 0;
    for (int64_t k = 0; k < rows(f); k++)
        largest = fmax(largest, fabs(tg_array_get(&f->lu, diagonal(f, matrix, k))));
    for (int64_t k = 0; k < rows(f); k++) {
        int64_t at = diagonal(f, matrix, k);
        if (tg_array_get(&f->lu, at) != 0) continue;
        tg_array_set(&f->lu, at, eps * eps * (largest > 0 ? largest : 1));
        zeros++;
    }
    return zeros > 1 ? (tg_scaled){0, 0} : determinant_of(f, matrix).value;
}

/* Whether a pivot is so small or large that V, or what replaces a pivot of 0, could leave the range. */
static bool near_ends(const tg_lu *f, int64_t matrix) {
    double most = f->lu.dtype == TG_F64 ? 0x1p400 : 0x1p40;
    for (int64_t k = 0; k < rows(f); k++) {
        double v = fabs(tg_array_get(&f->lu, diagonal(f, matrix, k)));
        if (isfinite(v) && v != 0 && (v < 1 / most || v > most)) return true;
    }
    return false;
}

/* Divides the n elements of b from `at` on, `step` apart, by a power of two that brings the largest into [1/2, 1); returns
 * its exponent. */
static int divide_line(const tg_array *b, int64_t at, int64_t step, int64_t n) {
    double largest = 0;
    int e = 0;
    for (int64_t k = 0; k < n; k++) largest = fmax(largest, fabs(tg_array_get(b, at + k * step)));
    if (isfinite(largest)) (void)frexp(largest, &e);
    for (int64_t k = 0; k < n; k++) tg_array_set(b, at + k * step, ldexp(tg_array_get(b, at + k * step), -e));
    return e;
}

/* Balances the matrices of b that are near the ends of the range, and says whether there are any. powers [.., n, 2]
 * receives the exponents of R and S; they are 0 for the other matrices. */
static bool balance(const tg_lu *f, const tg_array *b, const tg_array *powers) {
    int64_t n = rows(f);
    bool some = false;
    tg_array_fill(powers, 0);
    for (int64_t m = 0; m < matrices(f); m++) {
        if (!near_ends(f, m)) continue;
        some = true;
        for (int64_t i = m * n; i < (m + 1) * n; i++)
            tg_array_set(powers, 2 * i, divide_line(b, i * n, 1, n));
        for (int64_t j = 0; j < n; j++)
            tg_array_set(powers, 2 * (m * n + j) + 1, divide_line(b, m * n * n + j, n, n));
    }
    return some;
}

/* out = det * inverse^T for one matrix, with its balancing undone. */
static void scale_transposed(const tg_array *inverse, tg_scaled det, int64_t matrix, const tg_array *powers,
                             const tg_array *out) {
    int64_t n = out->shape[out->rank - 1], first = matrix * n;
    for (int64_t k = 0; k < 2 * n; k++) det.e += (int64_t)tg_array_get(powers, 2 * first + k);
    for (int64_t i = first; i < first + n; i++) {
        int64_t e = det.e - (int64_t)tg_array_get(powers, 2 * i);
        for (int64_t j = first; j < first + n; j++) {
            double v = det.m * tg_array_get(inverse, j * n + i - first);
            tg_scaled c = {v, e - (int64_t)tg_array_get(powers, 2 * j + 1)};
            tg_array_set(out, i * n + j - first, tg_scaled_value(c));
        }
    }
}

static tg_shape with_pairs(tg_shape s) {
    s.dim[s.rank++] = 2;
    return s;
}

static tg_status cofactor_forward(const tg_call *call) {
    const tg_array *a = call->in[0];
    tg_array inverse = {0}, det = {0}, powers = {0};
    tg_shape batch = batch_shape(a), lines = batch;
    lines.dim[lines.rank++] = a->shape[a->rank - 1];
    tg_lu f;
    if (a->numel == 0) return TG_OK;
    tg_status s = tg_lu_of(a, &f);
    if (s == TG_OK) s = tg_array_alloc_like(&inverse, a);
    if (s == TG_OK) s = tg_array_alloc(&det, TG_F64, with_pairs(batch));
    if (s == TG_OK) s = tg_array_alloc(&powers, TG_I32, with_pairs(lines));
    if (s == TG_OK) {
        tg_array_copy(&inverse, a);
        if (balance(&f, &inverse, &powers)) tg_lu_fill(&inverse, &f);
        for (int64_t i = 0; i < matrices(&f); i++) {
            tg_scaled d = mend(&f, i);
            tg_array_set(&det, 2 * i, d.m), tg_array_set(&det, 2 * i + 1, (double)d.e);
        }
        tg_fill_identity(&inverse);
        tg_lu_apply(&f, false, &inverse);
        for (int64_t i = 0; i < matrices(&f); i++) {
            tg_scaled d = {tg_array_get(&det, 2 * i), (int64_t)tg_array_get(&det, 2 * i + 1)};
            scale_transposed(&inverse, d, i, &powers, call->out[0]);
        }
    }
    tg_lu_drop(&f);
    tg_array_drop(&inverse);
    tg_array_drop(&det);
    tg_array_drop(&powers);
    return s;
}

/* The gradient of the cofactors of 2 x 2 matrices. Those are the elements themselves, exchanged, so it is exact whatever
 * their scales are, and also where a matrix is singular. */
static tg_tensor *exchanged(tg_tensor *g) {
    static const double f64[] = {1, -1, -1, 1};
    static const float f32[] = {1, -1, -1, 1};
    tg_dtype dtype = tg_dtype_of(g);
    return tg_mul(tg_flip_with(g, TG_SHAPE(-1, -2)),
                  tg_from_with(dtype, dtype == TG_F64 ? (const void *)f64 : f32, TG_SHAPE(2, 2)));
}

static void cofactor_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    if (tg_size(n->in[0], -1) == 2) {
        din[0] = exchanged(dout[0]);
        return;
    }
    tg_tensor *g = dout[0], *c = n->out[0], *v = tg_swap_last(tg_inverse(n->in[0]));
    tg_tensor *along = tg_sum_with(tg_mul(g, c), (tg_reduce_opts){.axes = TG_SHAPE(-1, -2), .keepdim = true});
    din[0] = tg_sub(tg_mul(along, v), tg_matmul(tg_matmul(v, tg_swap_last(g)), c));
}

const tg_op tg_op_cofactor = {
    .name = "cofactor",
    .formula = "out = det(a) * inverse(a)^T, also where a is singular",
    .rule = "v = inverse(a)^T; da = v * sum(dout * out) - v dout^T out",
    .n_in = 1,
    .save = TG_IN(0) | TG_OUT(0),
    .infer = tg_infer_square,
    .forward = cofactor_forward,
    .grad = cofactor_grad,
};

tg_tensor *tg_cofactor(tg_tensor *a) { return tg_apply1(&tg_op_cofactor, a, NULL); }

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

/* Wherever there is a gradient the sign is constant. */
static void slogdet_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *v = tg_swap_last(tg_inverse(n->in[0]));
    din[0] = dout[0] ? tg_mul(for_matrices(dout[0]), v) : tg_mul_scalar(v, 0);
}

const tg_op tg_op_slogdet = {
    .name = "slogdet",
    .formula = "out, sign = log(|det(a)|), sign(det(a))",
    .rule = "da = dout * inverse(a)^T",
    .n_in = 1,
    .n_out = 2,
    .save = TG_IN(0),
    .infer = slogdet_infer,
    .forward = slogdet_forward,
    .grad = slogdet_grad,
};

tg_tensor *tg_slogdet_with(tg_tensor *a, tg_slogdet_opts opts) {
    tg_tensor *out[2];
    tg_apply_multi(&tg_op_slogdet, &a, 1, NULL, out);
    if (opts.sign) *opts.sign = tg_is_poison(out[1]) ? out[1] : tg_detach(out[1]);
    return out[0];
}
