/* Private. What the op files share: the declarations of all ops, and shorthands for writing them. */
#ifndef TG_OPS_SHARED_H
#define TG_OPS_SHARED_H

#include "autograd/composed.h"
#include "autograd/functional.h"
#include "autograd/tape.h"
#include "core/kernels/kernels.h"
#include "core/tensor.h"
#include "ops/rooms.h"

#define OP(name, room, file) extern const tg_op tg_op_##name;
#include "ops/ops.def"
#undef OP

/* tg_apply for one input and for two. */
static inline tg_tensor *tg_apply1(const tg_op *op, tg_tensor *x, const void *attr) {
    return tg_apply(op, &x, 1, attr);
}
static inline tg_tensor *tg_apply2(const tg_op *op, tg_tensor *a, tg_tensor *b, const void *attr) {
    tg_tensor *in[2] = {a, b};
    return tg_apply(op, in, 2, attr);
}

/* The table of an op's attributes, for the designated fields attr_size, attrs and n_attrs. */
#define TG_ATTRS(type, table) \
    .attr_size = sizeof(type), .attrs = (table), .n_attrs = (int)(sizeof(table) / sizeof *(table))

/* The attributes of an op along one axis. Those of an op with more of them begin with the same field, and the functions
 * below read it there. */
typedef struct tg_axis_attr {
    int64_t axis;
} tg_axis_attr;
extern const tg_attr_field tg_axis_fields[1];

/* ---- for flops ---- */

/* How many products a call makes, each as large as that of forward: one, or one for the gradient of each input in `of`. */
static inline double tg_products(unsigned needed, unsigned of) {
    return needed ? (double)__builtin_popcount(needed & of) : 1;
}

/* ---- for infer; all raise the error themselves ---- */

/* *out becomes `axis`, counted from the end when negative; TG_ERR_ARGUMENT when input 0 has no such axis. */
tg_status tg_call_axis(const tg_call *call, int64_t axis, int *out);

/* The same for the axis that begins the op's attributes. */
static inline tg_status tg_call_attr_axis(const tg_call *c, int *out) {
    return tg_call_axis(c, *(const int64_t *)c->attr, out);
}

/* The same for a list of distinct axes, as a bit set; an empty list means all of them. */
tg_status tg_call_axes(const tg_call *call, tg_shape axes, unsigned *out);

/* Input i is f32 or f64. */
tg_status tg_call_float(const tg_call *call, int i);

/* Inputs i and j have one dtype; tg_call_dtypes_differ raises the error when they do not. */
tg_status tg_call_dtypes_differ(const tg_call *call, int i, int j);
static inline tg_status tg_call_same_dtype(const tg_call *c, int i, int j) {
    return c->in[i]->dtype == c->in[j]->dtype ? TG_OK : tg_call_dtypes_differ(c, i, j);
}

/* Inputs i and j have one dtype, and shapes that broadcast to *shape. */
tg_status tg_call_pair(const tg_call *call, int i, int j, tg_shape *shape);

/* Inputs 0 and 1 are such a pair, and output 0 is laid out with their dtype and shape. */
tg_status tg_infer_pair(const tg_call *call);

/* ---- for functions that are no ops of their own: compositions, and checks before an op is applied ---- */

/* The array of operand i of the function `who`, for its shape and dtype: its elements may have been
 * dropped. It is NULL with the error raised when x is no tensor. The message names i, which is TG_ONLY for
 * a function of one operand. */
#define TG_ONLY (-1)
const tg_array *tg_operand(const tg_tensor *x, const char *who, int i);

/* The same for an only operand; *at becomes `axis`, counted from the end when negative. It is NULL as well
 * when x has no such axis. */
const tg_array *tg_operand_along(const tg_tensor *x, const char *who, int64_t axis, int *at);

/* Raises "<who>: <text>: x [2, 3] f32" and returns the poison tensor. */
tg_tensor *tg_fail_operand(tg_status status, const char *who, const tg_tensor *x, const char *format, ...)
    TG_PRINTF(4, 5);

/* The same with the text for an axis that is out of range for `rank`. */
tg_tensor *tg_fail_axis(const char *who, const tg_tensor *x, int64_t axis, int rank);

/* ---- contiguous operands ---- */

/* out[k] becomes in[k], contiguous, and p[k] points to it, or is NULL with in[k]. The caller drops out, after an error
 * too. */
tg_status tg_all_contiguous(int n, const tg_array *const in[], tg_array out[], const tg_array *p[]);
void tg_drop_all(int n, tg_array a[]);

/* *out = the elements of `a` in row-major order in another shape: a view, or a copy where the strides allow none. The
 * caller drops it. */
tg_status tg_array_reshaped(tg_array *out, const tg_array *a, tg_shape shape);

/* [.., n] as rows: [rows, n]; a scalar is a row of one. */
tg_shape tg_shape_rows(tg_shape shape);

/* Whether all elements of a contiguous f32 or f64 array are finite and, with `normal`, neither 0 nor
 * subnormal. Its loop has no branch, since every mean and product asks it. */
bool tg_all_finite(const tg_array *dense, bool normal);

/* ---- integers that say where to read or write: checked wherever they are used, and so in gradients as well ---- */

/* Element i of a contiguous array of i32 or i64. */
static inline int64_t tg_integer_at(const tg_array *dense, int64_t i) {
    return dense->dtype == TG_I32 ? ((const int32_t *)dense->data)[i] : ((const int64_t *)dense->data)[i];
}

/* Where the first element outside [-size, size) of such an array is, or -1; *negative says whether one
 * before it is negative. */
int64_t tg_first_outside(const tg_array *dense, int64_t size, bool *negative);

/* Input 1 is i64 or i32; it has input 0's rank and, apart from the axis, at most its sizes. (ops/index/gather.c) */
tg_status tg_call_index_dtype(const tg_call *call);
tg_status tg_call_index_fits(const tg_call *call, int axis);

/* *out becomes input 1, the indices into `axis` of input 0, all counted from the start; an index out of
 * range is TG_ERR_ARGUMENT. The caller drops it, after an error too. (ops/index/gather.c) */
tg_status tg_call_positions(const tg_call *call, int axis, tg_array *out);

/* *out becomes the indices into an axis of this size, all counted from the start, shared or copied; the caller drops it. One
 * that is out of range is an error, in the gradient too, since the elements may have changed since the forward pass. in[0]
 * and in[1] are the handles of x and index. (ops/index/gather.c) */
tg_status tg_positions(const char *op, tg_tensor *const *in, const tg_array *index, int64_t size, int axis,
                       tg_array *out);

/* ---- for gradients ---- */

/* The bit set of a list of axes that infer has accepted. */
unsigned tg_axis_set(tg_shape axes, int rank);

/* `shape` with size 1 along the axes of the set. */
static inline tg_shape tg_shape_kept(tg_shape shape, unsigned axes) {
    for (int i = 0; i < shape.rank; i++)
        if (axes >> i & 1) shape.dim[i] = 1;
    return shape;
}

/* t with its last two axes swapped: each matrix is transposed. */
static inline tg_tensor *tg_swap_last(tg_tensor *t) { return tg_transpose(t, -1, -2); }

/* The position along `axis` of the largest element of each row of y, without history and with the axis
 * kept; NULL when no element is above `limit`. (ops/loss/softmax.c) */
tg_tensor *tg_dominant(tg_tensor *y, int axis, double limit);

/* For a grad_kernel that adds to part of its result: an empty din becomes zeros of the shape of `like`. */
tg_status tg_adjoint_or_zeros(tg_array *din, const tg_array *like);

/* An axis that infer has accepted, for a tensor of this rank: as an argument, and at the beginning of
 * attributes. */
static inline int tg_axis_of(int64_t axis, int rank) { return (int)(axis < 0 ? axis + rank : axis); }
static inline int tg_attr_axis(const void *attr, int rank) {
    return tg_axis_of(*(const int64_t *)attr, rank);
}

/* ---- for compositions ---- */

/* Drops the elements of a temporary at once, unless a gradient reads them. NULL and failed ones are left
 * as they are. */
static inline void tg_drop_temporary(tg_tensor *t) {
    if (t && tg_is_alive(t)) tg_drop_elements(t);
}

/* ---- borrowed views: they hold no reference, are not dropped, and live no longer than what they view
 * ---- */

/* `a` repeated to the shape of `like`, which it is known to broadcast to. */
tg_array tg_borrow_broadcast(const tg_array *a, const tg_array *like);

/* The matrices `m` repeated over the batch axes of `like`: all axes but the last two. */
tg_array tg_borrow_batch(const tg_array *m, const tg_array *like);

/* out = f(a, b), where both broadcast to out. */
void tg_map_spread(tg_binary f, const tg_array *a, const tg_array *b, const tg_array *out);

/* `a` with axes of size 1 added and removed, so that its shape is `shape`. */
tg_array tg_borrow_reshape(const tg_array *a, tg_shape shape);

/* `value`, which goes to *storage, repeated to the shape and in the dtype of `like`. */
tg_array tg_borrow_number(double value, const tg_array *like, int64_t *storage);

#endif
