#include "ops/linalg/systems.h"

#include <limits.h>

/* ---- shape rules ---- */

static tg_status fail_too_large(const tg_call *call, int i, int64_t size) {
    return tg_call_fail(call, TG_ERR_SHAPE, "size %lld is too large for LAPACK, whose largest is %d: %s",
                        (long long)size, INT_MAX, tg_call_input(call, i));
}

tg_status tg_call_square(const tg_call *call) {
    const tg_array *a = call->in[0];
    tg_status s = tg_call_float(call, 0);
    if (s != TG_OK) return s;
    if (a->rank < 2 || a->shape[a->rank - 1] != a->shape[a->rank - 2])
        return tg_call_fail(call, TG_ERR_SHAPE, "needs square matrices [.., n, n], was given %s",
                            tg_call_input(call, 0));
    if (a->shape[a->rank - 1] > INT_MAX) return fail_too_large(call, 0, a->shape[a->rank - 1]);
    return TG_OK;
}

tg_status tg_infer_square(const tg_call *call) {
    const tg_array *a = call->in[0];
    tg_status s = tg_call_square(call);
    return s == TG_OK ? tg_out(call, 0, (tg_dtype)a->dtype, tg_array_shape(a)) : s;
}

static tg_shape without_last(tg_shape s, int axes) {
    s.rank = s.rank > axes ? s.rank - axes : 0;
    return s;
}

bool tg_are_vectors(tg_shape a, tg_shape b) { return b.rank == 1 || tg_shape_equal(b, without_last(a, 1)); }

tg_status tg_infer_system(const tg_call *call) {
    tg_status s = tg_call_square(call);
    if (s == TG_OK) s = tg_call_float(call, 1);
    if (s == TG_OK) s = tg_call_same_dtype(call, 0, 1);
    if (s != TG_OK) return s;
    const char *left = tg_call_input(call, 0), *right = tg_call_input(call, 1);
    tg_dtype dtype = (tg_dtype)call->in[0]->dtype;
    tg_shape a = tg_array_shape(call->in[0]), b = tg_array_shape(call->in[1]), out;
    int own = tg_are_vectors(a, b) ? 1 : 2; /* axes of B that are no batch */
    if (b.rank == 0 || b.dim[b.rank - own] != a.dim[a.rank - 1])
        return tg_call_fail(
            call, TG_ERR_SHAPE,
            "sizes differ: the right-hand side must have the %lld rows of the matrix: matrix %s, right-hand side %s",
            (long long)a.dim[a.rank - 1], left, right);
    if (!tg_shape_broadcast(without_last(a, 2), without_last(b, own), &out))
        return tg_call_fail(call, TG_ERR_SHAPE, "batch axes do not broadcast: matrix %s, right-hand side %s",
                            left, right);
    if (b.dim[b.rank - 1] > INT_MAX) return fail_too_large(call, 1, b.dim[b.rank - 1]);
    for (int i = own; i > 0; i--) out.dim[out.rank++] = b.dim[b.rank - i];
    return tg_out(call, 0, dtype, out);
}

tg_status tg_call_fail_matrix(const tg_call *call, int64_t number, const char *what) {
    return tg_call_fail(call, TG_ERR_ARGUMENT, "matrix %lld of %s is %s", (long long)number,
                        tg_call_input(call, 0), what);
}

/* ---- A X = B ---- */

tg_array tg_as_columns(const tg_array *x, bool vectors) {
    tg_array v = *x;
    if (vectors) v.shape[v.rank] = v.stride[v.rank] = 1, v.rank++;
    return v;
}

tg_array tg_copy_rhs(const tg_call *call) {
    const tg_array *b = call->in[1], *out = call->out[0];
    tg_array repeated = tg_borrow_broadcast(b, out);
    tg_array_copy(out, &repeated);
    return tg_as_columns(out, tg_are_vectors(tg_array_shape(call->in[0]), tg_array_shape(b)));
}

/* ---- factors ---- */

tg_shape tg_pivot_shape(const tg_array *a) {
    tg_shape s = tg_array_shape(a);
    s.dim[s.rank - 1] = 1;
    return s;
}

void tg_lu_fill(const tg_array *a, tg_lu *f) {
    tg_array_copy(&f->lu, a);
    f->singular = tg_lu_factor(&f->lu, &f->pivot);
}

tg_status tg_lu_of(const tg_array *a, tg_lu *f) {
    *f = (tg_lu){.singular = -1};
    tg_status s = tg_array_alloc_like(&f->lu, a);
    if (s == TG_OK) s = tg_array_alloc(&f->pivot, TG_I32, tg_pivot_shape(a));
    if (s == TG_OK)
        tg_lu_fill(a, f);
    else
        tg_lu_drop(f);
    return s;
}

void tg_lu_drop(tg_lu *f) {
    tg_array_drop(&f->lu);
    tg_array_drop(&f->pivot);
}

void tg_lu_apply(const tg_lu *f, bool transpose, const tg_array *x) {
    tg_array lu = tg_borrow_batch(&f->lu, x), pivot = tg_borrow_batch(&f->pivot, x);
    tg_lu_solve(&lu, &pivot, transpose, x);
}

void tg_fill_identity(const tg_array *x) {
    tg_array diagonal = *x;
    int64_t n = x->shape[x->rank - 1];
    tg_array_fill(x, 0);
    diagonal.rank--;
    diagonal.stride[diagonal.rank - 1] = n + 1;
    diagonal.numel = n ? x->numel / n : 0;
    tg_array_fill(&diagonal, 1);
}
