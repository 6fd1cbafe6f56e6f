/* Tensors: what users hold.
 *
 * A tg_tensor * is a handle. Three rules say how long it lives:
 *  1. What an op or a creation function returns belongs to the current tape; it lives until the tape is
 *     rewound past it (tg_tape_rewind).
 *  2. What tg_keep or tg_param returns lives until its owner calls tg_free.
 *  3. A handle used after that is an error (TG_ERR_LIFETIME) that names the op and the line that made it.
 *
 * Rule 3 holds because a handle is not a plain address: it carries, in bits the machine's addresses leave
 * free, the generation of the slot it points to, and every use compares the two. Never dereference it.
 * No function returns NULL: on failure the result is the poison tensor (core/error.h).
 *
 * Threads: every thread has its own tape, and a handle belongs to the thread that made it. Kept tensors may be
 * read by many threads at once as long as none of them writes.
 */
#ifndef TG_CORE_TENSOR_H
#define TG_CORE_TENSOR_H

#include "core/array.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_tensor tg_tensor; /* opaque, and never defined: see above */

/* ---- creation: the result belongs to the current tape, has no history and needs no gradient ---- */

/* All elements zero, one, or `value` converted to dtype. TG_ERR_SHAPE is for a negative size and for sizes whose product
 * overflows, TG_ERR_MEMORY for a number of bytes that does.
 *     tg_zeros(TG_F32, 2, 3)     tg_full(TG_F64, 0.5, 10) */
TG_API tg_tensor *tg_zeros_with(tg_dtype dtype, tg_shape shape);
TG_API tg_tensor *tg_ones_with(tg_dtype dtype, tg_shape shape);
TG_API tg_tensor *tg_full_with(tg_dtype dtype, double value, tg_shape shape);

/* The same in the shape and dtype of t. */
TG_API tg_tensor *tg_zeros_like(const tg_tensor *t);
TG_API tg_tensor *tg_ones_like(const tg_tensor *t);
TG_API tg_tensor *tg_full_like(const tg_tensor *t, double value);

/* A rank-0 tensor. */
TG_API tg_tensor *tg_scalar(tg_dtype dtype, double value);

/* A copy of numel(shape) elements at `data`, which are of type dtype in row-major order.
 *     float v[4] = {1, 2, 3, 4};  x = tg_from(TG_F32, v, 2, 2);
 *     i = tg_from(TG_I32, (int32_t[]){1, 2}, 2); */
TG_API tg_tensor *tg_from_with(tg_dtype dtype, const void *data, tg_shape shape);

/* What the macro tg_from calls, with the sizes as arguments: they end at the first TG_NO_SIZE, and what follows s8 is
 * ignored. */
#define TG_NO_SIZE INT64_MIN
TG_API tg_tensor *tg_from_sizes(tg_dtype dtype, const void *data, int64_t s0, int64_t s1, int64_t s2,
                                int64_t s3, int64_t s4, int64_t s5, int64_t s6, int64_t s7, int64_t s8, ...);

/* What ends the use of memory that others own, given what was named as its context. */
typedef void tg_release(void *context);

typedef struct tg_from_blob_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    const int64_t *strides;       /* one for each axis, in elements; NULL: row-major order */
    tg_release *release;          /* called when the memory is no longer needed; NULL: nothing is */
    void *context;                /* for release; NULL: the address `data` */
    bool read_only;               /* the memory may not be changed */
} tg_from_blob_opts;

/* The elements at `data` themselves, which are of type dtype, as a tensor: nothing is copied, and what either side changes
 * the other sees.
 *     float *v = malloc(sizeof(float[6]));
 *     x = tg_from_blob(TG_F32, v, TG_SHAPE(2, 3), .release = free);
 * The memory must stay until `release` is called: exactly once, when the last tensor, view or recorded node that refers to
 * it has gone, on the thread on which it goes; where tg_from_blob fails, or an error is pending, before it returns. It may
 * be called in the middle of a rewind, and must not call the library. All that lies in [data, data + numel) or where the
 * strides reach is read, and nothing else: the memory may end where its elements do. A bool must be 0 or 1.
 * Elements of read_only memory cannot be changed: tg_data_mut and ops in place are TG_ERR_ARGUMENT for such a
 * tensor and all views of it. TG_ERR_ARGUMENT is also for `data` that is NULL or not at a multiple of the element
 * size, and for strides that reach beyond what memory can hold; TG_ERR_SHAPE and TG_ERR_DTYPE as for tg_zeros. */
TG_API tg_tensor *tg_from_blob_with(tg_dtype dtype, void *data, tg_shape shape, tg_from_blob_opts opts);

/* Whether the elements lie in memory that may only be read. False, with an error, for a bad handle. */
TG_API bool tg_is_read_only(const tg_tensor *t);

/* The array `a` as a tensor that shares its buffer, for ops and loaders. TG_ERR_ARGUMENT is for an array whose elements
 * are not allocated or lie outside of its buffer, and for one that is malformed (core/array.h). */
TG_API tg_tensor *tg_from_array(const tg_array *a);

/* ---- what a tensor is ---- */

/* On a bad handle these raise an error and return 0 (TG_F32, an empty name, a scalar's shape). */
TG_API int tg_rank(const tg_tensor *t);
TG_API int64_t tg_numel(const tg_tensor *t);
TG_API int64_t tg_size(const tg_tensor *t, int axis); /* size of one axis; negative axes count from the end */
TG_API tg_shape tg_shape_of(const tg_tensor *t);
TG_API tg_dtype tg_dtype_of(const tg_tensor *t);
TG_API bool tg_is_contiguous(const tg_tensor *t);
TG_API bool tg_is_poison(const tg_tensor *t); /* the result of a failed op; raises nothing */
TG_API bool tg_is_alive(const tg_tensor *t);  /* false: NULL, poison, rewound or freed; raises nothing */

/* The same for an argument of the function `op`, and where it is false the error is raised: "mse_loss: the target is NULL"
 * for `op` "mse_loss" and `what` "the target". NULL stands for "tg_check_argument" and for "the input". */
TG_API bool tg_check_argument(const tg_tensor *t, const char *op, const char *what);

/* The poison tensor itself. A layer of your own that fails calls tg_fail(...) and returns it. */
TG_API tg_tensor *tg_poison(void);

/* Names appear in error messages, printed tapes and checkpoints. The string is copied. Returns t; where there is no
 * memory, the poison tensor, but a kept t all the same: tg_set_name(tg_param(x), "w") must not lose it. */
TG_API tg_tensor *tg_set_name(tg_tensor *t, const char *name);
TG_API const char *tg_name(const tg_tensor *t); /* "" when it has none */

/* ---- its elements ---- */

/* The value of a one-element tensor of any dtype, as double. NaN and an error otherwise. */
TG_API double tg_item(const tg_tensor *t);

/* The element at linear row-major position i, as double. NaN and an error when i is outside [0, numel). */
TG_API double tg_get(const tg_tensor *t, int64_t i);

/* The elements, in place, as numel values of the tensor's dtype in row-major order; only for contiguous
 * tensors, and tg_data_mut not for those in read-only memory (an error and NULL otherwise). Const for reading; tg_data_mut counts as an in-place change, so a
 * gradient that needed the old values will refuse. The pointer is valid as long as the handle. */
TG_API const void *tg_data(const tg_tensor *t);
TG_API void *tg_data_mut(tg_tensor *t);

/* Copies all elements to `out` in row-major order, whatever the strides. `bytes` must be numel * element
 * size, as a check. */
TG_API tg_status tg_copy_out(const tg_tensor *t, void *out, size_t bytes);

/* The array inside; valid as long as the handle. On a bad handle, and where the elements
 * were dropped, it is NULL with an error raised. */
TG_API const tg_array *tg_array_of(const tg_tensor *t);

/* ---- how long it lives ---- */

/* A new handle to the same elements that the caller owns and must tg_free. It has no history; a name and the
 * wish for a gradient carry over. The argument stays what it was, on its tape. */
TG_API tg_tensor *tg_keep(const tg_tensor *t);

/* Frees a kept tensor and its gradient. NULL and poison are ignored; a tape tensor is an error; a second free
 * is an error. Nodes that still refer to it report so in backward. */
TG_API void tg_free(tg_tensor *t);

/* Gives up the elements of an intermediate before its rewind: memory returns as soon as no recorded node
 * needs them for its gradient. The handle stays valid for shape and name; reading elements is an error.
 * Ignored for kept tensors. For layers. */
TG_API void tg_drop_elements(tg_tensor *t);

/* ---- printing, as NumPy prints: four decimals, aligned columns, long axes shortened with "..." ---- */

/* Writes at most n bytes with the final NUL; returns the length that the whole text has (as snprintf). */
TG_API size_t tg_to_text(const tg_tensor *t, char *buf, size_t n);
/* The text and a newline. */
TG_API void tg_print(FILE *file, const tg_tensor *t);

/* "fc1.weight [784, 256] f32", for messages; in n bytes, of which a long name leaves room for the rest. Control characters of the
 * name are question marks. Raises nothing, also for bad handles. */
TG_API char *tg_describe(const tg_tensor *t, char *buf, size_t n);

/* What the call-site macros call: notes file:line as the place that made t, and in a pending error that has
 * no place yet. Returns t. */
TG_API tg_tensor *tg_at(tg_tensor *t, const char *file, int line);

#ifdef __cplusplus
}
#endif

#endif
