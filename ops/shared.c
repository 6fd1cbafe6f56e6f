#include "ops/shared.h"

#include "core/slot.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- shape rules ---- */

const tg_attr_field tg_axis_fields[1] = {{"axis", TG_ATTR_INT, offsetof(tg_axis_attr, axis)}};

tg_status tg_call_axis(const tg_call *call, int64_t axis, int *out) {
    int rank = call->in[0]->rank;
    if (axis < -rank || axis >= rank)
        return tg_call_fail(call, TG_ERR_ARGUMENT, "axis %lld is out of range for rank %d: %s",
                            (long long)axis, rank, tg_call_input(call, 0));
    *out = tg_axis_of(axis, rank);
    return TG_OK;
}

tg_status tg_call_axes(const tg_call *call, tg_shape axes, unsigned *out) {
    unsigned set = 0;
    if (axes.rank < 0 || axes.rank > TG_MAX_RANK)
        return tg_call_fail(call, TG_ERR_ARGUMENT, "%d axes are named, but a tensor has 0 to %d axes: %s",
                            axes.rank, TG_MAX_RANK, tg_call_input(call, 0));
    for (int i = 0; i < axes.rank; i++) {
        int axis = 0;
        tg_status s = tg_call_axis(call, axes.dim[i], &axis);
        if (s != TG_OK) return s;
        if (set >> axis & 1)
            return tg_call_fail(call, TG_ERR_ARGUMENT, "axis %d is named twice: %s", axis,
                                tg_call_input(call, 0));
        set |= 1u << axis;
    }
    *out = tg_axis_set(axes, call->in[0]->rank);
    return TG_OK;
}

tg_status tg_call_float(const tg_call *call, int i) {
    if (tg_dtype_is_float((tg_dtype)call->in[i]->dtype)) return TG_OK;
    return tg_call_fail(call, TG_ERR_DTYPE, "takes f32 or f64, was given %s", tg_call_input(call, i));
}

tg_status tg_call_dtypes_differ(const tg_call *call, int i, int j) {
    return tg_call_fail(call, TG_ERR_DTYPE, "dtypes differ: %s and %s (tg_to converts)",
                        tg_call_input(call, i), tg_call_input(call, j));
}

tg_status tg_call_pair(const tg_call *call, int i, int j, tg_shape *shape) {
    const tg_array *a = call->in[i], *b = call->in[j];
    if (a->dtype != b->dtype) return tg_call_dtypes_differ(call, i, j);
    if (tg_array_same_shape(a, b)) {
        *shape = tg_array_shape(a);
        return TG_OK;
    }
    if (!tg_shape_broadcast(tg_array_shape(a), tg_array_shape(b), shape))
        return tg_call_fail(call, TG_ERR_SHAPE, "shapes do not broadcast: %s and %s", tg_call_input(call, i),
                            tg_call_input(call, j));
    return TG_OK;
}

tg_status tg_infer_pair(const tg_call *call) {
    const tg_array *a = call->in[0], *b = call->in[1];
    if (a->dtype == b->dtype && tg_array_same_shape(a, b))
        return tg_array_layout_like(call->out[0], (tg_dtype)a->dtype, a);
    tg_shape shape;
    tg_status s = tg_call_pair(call, 0, 1, &shape);
    return s == TG_OK ? tg_out(call, 0, (tg_dtype)a->dtype, shape) : s;
}

/* ---- operands ---- */

const tg_array *tg_operand(const tg_tensor *x, const char *who, int i) {
    const tg_slot *slot = tg_slot_of_input(x, who, i);
    return slot ? &slot->a : NULL;
}

tg_tensor *tg_fail_operand(tg_status status, const char *who, const tg_tensor *x, const char *format, ...) {
    char text[300], operand[160];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tg_fail(status, "%s: %s: %s", who, text, tg_describe(x, operand, sizeof operand));
    return tg_poison();
}

tg_tensor *tg_fail_axis(const char *who, const tg_tensor *x, int64_t axis, int rank) {
    return tg_fail_operand(TG_ERR_ARGUMENT, who, x, "axis %lld is out of range for rank %d", (long long)axis,
                           rank);
}

const tg_array *tg_operand_along(const tg_tensor *x, const char *who, int64_t axis, int *at) {
    const tg_array *a = tg_operand(x, who, TG_ONLY);
    if (!a) return NULL;
    *at = tg_axis_of(axis, a->rank);
    if (axis >= -a->rank && axis < a->rank) return a;
    tg_fail_axis(who, x, axis, a->rank);
    return NULL;
}

tg_status tg_all_contiguous(int n, const tg_array *const in[], tg_array out[], const tg_array *p[]) {
    tg_status s = TG_OK;
    for (int i = 0; i < n; i++) {
        if (s == TG_OK && in[i]) s = tg_array_contiguous(&out[i], in[i]);
        p[i] = in[i] ? &out[i] : NULL;
    }
    return s;
}

void tg_drop_all(int n, tg_array a[]) {
    for (int i = 0; i < n; i++) tg_array_drop(&a[i]);
}

tg_status tg_array_reshaped(tg_array *out, const tg_array *a, tg_shape shape) {
    if (tg_array_reshape(out, a, shape)) return TG_OK;
    tg_array dense = {0};
    tg_status s = tg_array_contiguous(&dense, a);
    if (s == TG_OK) tg_array_reshape(out, &dense, shape);
    tg_array_drop(&dense);
    return s;
}

tg_shape tg_shape_rows(tg_shape shape) {
    int64_t rows = 1;
    for (int i = 0; i + 1 < shape.rank; i++) rows *= shape.dim[i];
    return TG_SHAPE(rows, shape.rank > 0 ? shape.dim[shape.rank - 1] : 1);
}

/* ---- integers ---- */

enum { PIECE = 256 };

/* A loop without a branch, which compilers vectorise, gathers the signs of i and of size - 1 - i over a
 * whole piece; only a piece with a negative one is looked at element by element. */
#define FIRST_OUTSIDE(T, U) \
    for (int64_t from = 0; from < dense->numel; from += PIECE) { \
        const T *at = (const T *)dense->data + from; \
        int64_t n = dense->numel - from < PIECE ? dense->numel - from : PIECE; \
        U room = 0, below = 0; \
        for (int64_t i = 0; i < n; i++) { \
            room |= most - (U)at[i]; \
            below |= (U)at[i]; \
        } \
        *negative |= (T)below < 0; \
        for (int64_t i = 0; (T)(room | below) < 0 && i < n; i++) \
            if (at[i] < -size || at[i] >= size) return from + i; \
    }

int64_t tg_first_outside(const tg_array *dense, int64_t size, bool *negative) {
    *negative = false;
    if (dense->dtype == TG_I32) {
        uint32_t most = (uint32_t)(size <= INT32_MAX ? size - 1 : INT32_MAX);
        FIRST_OUTSIDE(int32_t, uint32_t)
    } else {
        uint64_t most = (uint64_t)size - 1;
        FIRST_OUTSIDE(int64_t, uint64_t)
    }
    return -1;
}

unsigned tg_axis_set(tg_shape axes, int rank) {
    unsigned set = 0;
    for (int i = 0; i < axes.rank; i++) set |= 1u << tg_axis_of(axes.dim[i], rank);
    return axes.rank ? set : (1u << rank) - 1;
}

tg_status tg_adjoint_or_zeros(tg_array *din, const tg_array *like) {
    if (din->data) return TG_OK;
    tg_status s = tg_array_alloc_like(din, like);
    if (s == TG_OK) tg_array_fill(din, 0);
    return s;
}

/* ---- borrowed views ---- */

tg_array tg_borrow_broadcast(const tg_array *a, const tg_array *like) {
    tg_array v = *a;
    int lead = like->rank - a->rank;
    v.rank = like->rank;
    v.numel = like->numel;
    for (int i = 0; i < like->rank; i++) {
        v.shape[i] = like->shape[i];
        v.stride[i] = i >= lead && a->shape[i - lead] == like->shape[i] ? a->stride[i - lead] : 0;
    }
    return v;
}

tg_array tg_borrow_batch(const tg_array *m, const tg_array *like) {
    tg_array target = *like;
    for (int i = 1; i <= 2; i++) target.shape[target.rank - i] = m->shape[m->rank - i];
    target.numel = tg_shape_numel(tg_array_shape(&target));
    return tg_borrow_broadcast(m, &target);
}

/* Most often both have the shape of out, and nothing is spread. */
void tg_map_spread(tg_binary f, const tg_array *a, const tg_array *b, const tg_array *out) {
    tg_array spread_a, spread_b;
    if (!tg_array_same_shape(a, out)) spread_a = tg_borrow_broadcast(a, out), a = &spread_a;
    if (!tg_array_same_shape(b, out)) spread_b = tg_borrow_broadcast(b, out), b = &spread_b;
    tg_map_binary(f, a, b, out);
}

tg_array tg_borrow_reshape(const tg_array *a, tg_shape shape) {
    tg_array v = *a;
    v.rank = (uint8_t)shape.rank;
    int from = a->rank - 1;
    int64_t dense = 1; /* the stride of an added axis, as in a contiguous array */
    for (int i = shape.rank - 1; i >= 0; i--) {
        while (from >= 0 && a->shape[from] == 1) from--;
        v.shape[i] = shape.dim[i];
        v.stride[i] = shape.dim[i] == 1 ? dense : a->stride[from--];
        dense = v.stride[i] * shape.dim[i];
    }
    return v;
}

tg_array tg_borrow_number(double value, const tg_array *like, int64_t *storage) {
    tg_array one = {.data = storage, .numel = 1, .dtype = like->dtype};
    tg_array_set(&one, 0, value);
    return tg_borrow_broadcast(&one, like);
}

bool tg_all_finite(const tg_array *dense, bool normal) {
    const char *at = dense->data;
    const uint32_t f_end = UINT32_C(0xff) << 24, f_least = (uint32_t)normal << 24;
    const uint64_t d_end = UINT64_C(0x7ff) << 53, d_least = (uint64_t)normal << 53;
    int bad = 0;
    uint32_t f;
    uint64_t d;
    for (int64_t i = 0; dense->dtype == TG_F32 && i < dense->numel; i++)
        bad |= (memcpy(&f, at + 4 * i, 4), (f << 1) - f_least >= f_end - f_least);
    for (int64_t i = 0; dense->dtype == TG_F64 && i < dense->numel; i++)
        bad |= (memcpy(&d, at + 8 * i, 8), (d << 1) - d_least >= d_end - d_least);
    return !bad;
}
