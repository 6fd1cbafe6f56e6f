/* Systems of triangular matrices, and Cholesky factorisation. */
#include "ops/linalg/systems.h"

#include <string.h>

/* ---- triangular_solve: T X = B:  dB = T^-T G,  dT = -dB X^T in the triangle of T
 *      and T^T X = B:              dB = T^-1 G,  dT = -X dB^T ---- */

typedef struct solve_attr {
    bool upper, transpose, unit_diagonal;
} solve_attr;

static const tg_attr_field solve_fields[] = {
    {"upper", TG_ATTR_BOOL, offsetof(solve_attr, upper)},
    {"transpose", TG_ATTR_BOOL, offsetof(solve_attr, transpose)},
    {"unit_diagonal", TG_ATTR_BOOL, offsetof(solve_attr, unit_diagonal)},
};

static tg_status solve_forward(const tg_call *call) {
    const solve_attr *attr = call->attr;
    tg_array a = {0};
    tg_status s = tg_array_contiguous(&a, call->in[0]);
    if (s != TG_OK) return s;
    tg_array x = tg_copy_rhs(call), each = tg_borrow_batch(&a, &x);
    tg_solve_triangle(&each, (tg_triangle){attr->upper, attr->transpose, attr->unit_diagonal}, &x);
    tg_array_drop(&a);
    return TG_OK;
}

static void solve_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const solve_attr *attr = n->attr;
    tg_tensor *a = n->in[0], *x = n->out[0], *g = dout[0];
    bool vectors = tg_are_vectors(tg_shape_of(a), tg_shape_of(n->in[1]));
    if (vectors) x = tg_unsqueeze(x, -1), g = tg_unsqueeze(g, -1);
    tg_tensor *db = tg_triangular_solve_with(a, g,
                                             (tg_triangular_solve_opts){.upper = attr->upper,
                                                                        .transpose = !attr->transpose,
                                                                        .unit_diagonal = attr->unit_diagonal});
    if (tg_needs(n, 0)) {
        tg_tensor *da = attr->transpose ? tg_matmul(x, tg_swap_last(db)) : tg_matmul(db, tg_swap_last(x));
        int64_t inside = attr->unit_diagonal ? 1 : 0; /* the diagonal is not read */
        din[0] = tg_neg(attr->upper ? tg_triu(da, inside) : tg_tril(da, -inside));
    }
    if (tg_needs(n, 1)) din[1] = vectors ? tg_squeeze(db, -1) : db;
}

const tg_op tg_op_triangular_solve = {
    .name = "triangular_solve",
    .formula =
        "out = inverse(T) b, T the triangle of a that upper and unit_diagonal say, or with transpose its transpose",
    .rule = "da = -db out^T, with transpose its transpose, where T is made of a, else 0; db = inverse(T)^T dout",
    .n_in = 2,
    .save = TG_IN(0) | TG_OUT(0),
    TG_ATTRS(solve_attr, solve_fields),
    .infer = tg_infer_system,
    .forward = solve_forward,
    .grad = solve_grad,
};

tg_tensor *tg_triangular_solve_with(tg_tensor *a, tg_tensor *b, tg_triangular_solve_opts opts) {
    return tg_apply2(&tg_op_triangular_solve, a, b,
                     &(solve_attr){opts.upper, opts.transpose, opts.unit_diagonal});
}

/* ---- cholesky of S = (A + A^T) / 2 ----
 * From S = L L^T:  L^-1 dS L^-T = Y + Y^T with Y = L^-1 dL lower triangular, so Y = the lower triangle of the left
 * side, its diagonal halved. Transposed (Murray 2016, arXiv:1602.07527, section 3.2):
 *     dA = L^-T M L^-1,  M symmetric with the lower triangle of L^T G, halved. */

typedef struct cholesky_attr {
    bool upper;
} cholesky_attr;

static const tg_attr_field cholesky_fields[] = {{"upper", TG_ATTR_BOOL, offsetof(cholesky_attr, upper)}};

static tg_array swapped(const tg_array *x) {
    tg_array t = *x; /* square: the sizes stay */
    t.stride[t.rank - 1] = x->stride[x->rank - 2];
    t.stride[t.rank - 2] = x->stride[x->rank - 1];
    return t;
}

/* Sets to 0 the triangle of contiguous matrices that does not hold the factor. */
static void clear_other(const tg_array *x, bool upper) {
    int64_t n = x->shape[x->rank - 1], size = (int64_t)tg_dtype_size((tg_dtype)x->dtype);
    for (int64_t r = 0; n > 0 && r < x->numel / n; r++) {
        int64_t i = r % n, first = upper ? 0 : i + 1, count = upper ? i : n - 1 - i;
        memset((char *)x->data + (r * n + first) * size, 0, (size_t)(count * size));
    }
}

static tg_status cholesky_forward(const tg_call *call) {
    const tg_array *a = call->in[0], *out = call->out[0];
    bool upper = ((const cholesky_attr *)call->attr)->upper;
    tg_array t = swapped(a);
    tg_map_affine(a, 0.5, 0, out);
    tg_map_axpy(0.5, &t, out);
    int64_t bad = tg_cholesky_factor(out, upper);
    if (bad >= 0) return tg_call_fail_matrix(call, bad, "not positive definite");
    clear_other(out, upper);
    return TG_OK;
}

static void cholesky_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    bool upper = ((const cholesky_attr *)n->attr)->upper;
    tg_tensor *f = n->out[0], *g = dout[0];
    tg_tensor *p = upper ? tg_matmul(f, tg_swap_last(g)) : tg_matmul(tg_swap_last(f), g); /* L^T G */
    tg_tensor *m = tg_mul_scalar(tg_add(tg_tril(p, 0), tg_swap_last(tg_tril(p, -1))), 0.5);
    tg_tensor *half = tg_triangular_solve_with(
        f, m, (tg_triangular_solve_opts){.upper = upper, .transpose = !upper}); /* L^-T M */
    din[0] = tg_triangular_solve_with(f, tg_swap_last(half),
                                      (tg_triangular_solve_opts){.upper = upper, .transpose = !upper});
}

const tg_op tg_op_cholesky = {
    .name = "cholesky",
    .formula = "out = L with L L^T = (a + a^T) / 2, or with upper its transpose",
    .rule =
        "l = out^T where upper, else out; g = dout^T where upper, else dout; p = l^T g; da = inverse(l)^T (tril(p, 0) + tril(p, -1)^T) inverse(l) / 2",
    .n_in = 1,
    .save = TG_OUT(0),
    TG_ATTRS(cholesky_attr, cholesky_fields),
    .infer = tg_infer_square,
    .forward = cholesky_forward,
    .grad = cholesky_grad,
};

tg_tensor *tg_cholesky_with(tg_tensor *a, tg_cholesky_opts opts) {
    return tg_apply1(&tg_op_cholesky, a, &(cholesky_attr){opts.upper});
}
