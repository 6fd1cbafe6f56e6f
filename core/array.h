/* An array: a strided view of elements in a reference-counted buffer. It is the plain value inside every
 * tensor, and what the forward of an op and all kernels work on. It has no name, no tape and no gradient.
 *
 * Element (i0, i1, ...) lies at data + (i0*stride[0] + i1*stride[1] + ...) * element size. Strides count
 * elements, not bytes; 0 repeats an element along its axis (broadcast), negative ones walk backwards.
 *
 * Users meet arrays in one place: the forward function of an op of their own.
 */
#ifndef TG_CORE_ARRAY_H
#define TG_CORE_ARRAY_H

#include "core/shape.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_buffer tg_buffer; /* reference-counted storage with a version counter; 64-byte aligned, one number 8-byte aligned */

typedef struct tg_array {
    void *data;        /* element (0, 0, ...); NULL: not allocated yet */
    tg_buffer *buffer; /* what keeps data alive; this array holds one reference */
    int64_t numel;
    uint8_t dtype; /* a tg_dtype */
    uint8_t rank;
    int64_t shape[TG_MAX_RANK];
    int64_t stride[TG_MAX_RANK];
} tg_array;

TG_API tg_shape tg_array_shape(const tg_array *a);
static inline bool tg_array_same_shape(const tg_array *a, const tg_array *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->shape[i] != b->shape[i]) return false;
    return true;
}

/* Sets dtype, shape and contiguous (row-major) strides, without storage; what *a held is overwritten, not
 * dropped. TG_ERR_DTYPE for an unknown dtype, TG_ERR_SHAPE for a shape without a number of elements (tg_shape_numel),
 * TG_ERR_MEMORY when the number of bytes does not fit; a->data and a->buffer are NULL in any case. */
TG_API tg_status tg_array_layout(tg_array *a, tg_dtype dtype, tg_shape shape);

/* The same with the shape of `like`, which must be an array's. */
TG_API tg_status tg_array_layout_like(tg_array *a, tg_dtype dtype, const tg_array *like);

/* tg_array_layout, then a fresh buffer with undefined content. alloc_like takes dtype and shape from `like`. On failure
 * a->data is NULL. */
TG_API tg_status tg_array_alloc(tg_array *a, tg_dtype dtype, tg_shape shape);
TG_API tg_status tg_array_alloc_like(tg_array *a, const tg_array *like);

/* dst becomes another reference to src's elements, which are not copied. What dst held is dropped, so it must be empty
 * ({0}) or an array; the same holds for every array that a function below returns in.
 *
 * Here and below TG_ERR_ARGUMENT is raised for an array that is NULL, as an optional input of an op may be, and for one
 * that is malformed: an axis too many, an unknown dtype, a numel that is not the product of the sizes. tg_array_drop ignores
 * NULL, and a function that does not check something says so. */
TG_API void tg_array_share(tg_array *dst, const tg_array *src);

/* Drops the reference. The array then has no data; its dtype, shape and strides stay readable. */
TG_API void tg_array_drop(tg_array *a);

TG_API bool tg_array_is_contiguous(const tg_array *a);

/* True when no two positions of the array share one element of memory, as they do where a stride is 0. */
TG_API bool tg_array_visits_once(const tg_array *a);

/* True when that is so and nothing else sees the memory, an array or its owner (tg_from_blob): it may be written in place. */
TG_API bool tg_array_is_exclusive(const tg_array *a);

/* Views, without data movement; *out holds its own reference, and may be *a itself.
 * broadcast: `a` repeated to `shape`, which it must broadcast to (TG_ERR_SHAPE otherwise). The bytes of a copy must be
 * countable (TG_ERR_MEMORY).
 * permute: out axis i is axis order[i] of a (a permutation of 0..rank-1; not checked).
 * reshape: false when the strides of `a` cannot express the new shape (a copy is then needed), and with an error raised when
 * the numbers of elements differ (TG_ERR_SHAPE). */
TG_API tg_status tg_array_broadcast(tg_array *out, const tg_array *a, tg_shape shape);
TG_API void tg_array_permute(tg_array *out, const tg_array *a, const int *order);
TG_API bool tg_array_reshape(tg_array *out, const tg_array *a, tg_shape shape);

/* The n places of `a` from `start` on along an axis (not checked): a view that borrows the elements and holds no
 * reference, so it is not dropped. */
static inline tg_array tg_array_part(const tg_array *a, int axis, int64_t start, int64_t n) {
    tg_array v = *a;
    v.shape[axis] = n;
    v.numel = tg_shape_numel(tg_array_shape(&v));
    if (v.numel > 0)
        v.data = (char *)a->data + start * a->stride[axis] * (int64_t)tg_dtype_size((tg_dtype)a->dtype);
    return v;
}

/* Copies all elements, converting between any two dtypes; shapes must be equal (not checked). Float to
 * integer truncates toward zero; values outside the target's range (and NaN) give its lowest value; anything
 * to bool is "!= 0", NaN included. src and dst must not overlap. */
TG_API void tg_array_copy(const tg_array *dst, const tg_array *src);

/* *out becomes `a` itself when contiguous, else a contiguous copy. */
TG_API tg_status tg_array_contiguous(tg_array *out, const tg_array *a);

/* Element at linear row-major position i in [0, numel), as double. int64 beyond 2^53 rounds. */
TG_API double tg_array_get(const tg_array *a, int64_t i);
TG_API void tg_array_set(const tg_array *a, int64_t i, double value);

/* Every element = value (converted as tg_array_copy does from f64). */
TG_API void tg_array_fill(const tg_array *a, double value);

#ifdef __cplusplus
}
#endif
#endif
