/* Element types, shapes and broadcasting. */
#ifndef TG_CORE_SHAPE_H
#define TG_CORE_SHAPE_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TG_MAX_RANK 8

/* float32 is zero, so it is what an option left out means. Only the two float types carry gradients. */
typedef enum tg_dtype { TG_F32 = 0, TG_F64, TG_I32, TG_I64, TG_U8, TG_BOOL } tg_dtype;
#define TG_DTYPES 6

TG_API size_t tg_dtype_size(tg_dtype dtype);      /* bytes an element: 4 8 4 8 1 1 */
TG_API const char *tg_dtype_name(tg_dtype dtype); /* "f32" "f64" "i32" "i64" "u8" "bool" */
static inline bool tg_dtype_is_float(tg_dtype dtype) { return dtype == TG_F32 || dtype == TG_F64; }

/* A list of up to eight sizes or axes. Rank 0 is a scalar and has one element; any size may be zero. */
typedef struct tg_shape {
    int rank;
    int64_t dim[TG_MAX_RANK];
} tg_shape;

/* TG_SHAPE(2, 3) is the shape [2, 3]; more than eight sizes do not compile (an array of size -1). The scalar
 * shape is TG_SCALAR. */
#ifndef __cplusplus
#define TG_SHAPE_BYTES(...) sizeof((int64_t[]){__VA_ARGS__})
#define TG_SHAPE(...) \
    ((tg_shape){(int)(TG_SHAPE_BYTES(__VA_ARGS__) / sizeof(int64_t) / \
                      sizeof(char[TG_SHAPE_BYTES(__VA_ARGS__) <= sizeof(int64_t[TG_MAX_RANK]) ? 1 : -1])), \
                {__VA_ARGS__}})
#define TG_SCALAR ((tg_shape){0, {0}})
#else
} /* C++ has no compound literals; a template counts instead */
template <class... N> inline tg_shape TG_SHAPE(N... n) {
    return tg_shape{(int)sizeof...(N), {(int64_t)n...}};
}
#define TG_SCALAR (tg_shape{})
extern "C" {
#endif

/* The number of elements, or -1 when the rank is not 0 to 8, a size is negative, or the product of the sizes
 * that are not zero overflows int64. */
TG_API int64_t tg_shape_numel(tg_shape shape);

TG_API bool tg_shape_equal(tg_shape a, tg_shape b);

/* NumPy's broadcasting: sizes are aligned at the last axis; they must be equal or one of them 1, and a
 * missing axis counts as 1. Returns false, leaving *out alone, when the two do not fit or one has not 0 to 8 axes. */
TG_API bool tg_shape_broadcast(tg_shape a, tg_shape b, tg_shape *out);

/* Writes "[64, 784]" ("[]" for a scalar) and a final NUL into buf, cut to n bytes. Returns buf. */
TG_API char *tg_shape_text(tg_shape shape, char *buf, size_t n);

/* The indices of row-major element i, one an axis, which tg_shape_text writes as "[5, 2]". Zeros where the shape has no elements. */
TG_API tg_shape tg_shape_position(tg_shape shape, int64_t i);

/* `axis` counted from the end when negative; -1 when it is outside [-rank, rank). */
TG_API int tg_axis(int axis, int rank);

/* Checked arithmetic on sizes. Each is false, and *out undefined, on overflow and where out is NULL. */
TG_API bool tg_size_mul(size_t a, size_t b, size_t *out);
TG_API bool tg_size_add(size_t a, size_t b, size_t *out);
/* a rounded up to a multiple of `to`, a power of two. */
TG_API bool tg_size_pad(size_t a, size_t to, size_t *out);

#ifdef __cplusplus
}
#endif
#endif
