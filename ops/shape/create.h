/* Tensors made by a rule. As those of core/tensor.h they belong to the current tape, have no history and
 * require no gradient. They are computed in double and converted to any dtype. */
#ifndef TG_OPS_SHAPE_CREATE_H
#define TG_OPS_SHAPE_CREATE_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* start, start + step, .. up to `stop`, which is left out: ceil((stop - start) / step) numbers. A step of
 * 0, a step that leads away from stop, and bounds that are not finite are TG_ERR_ARGUMENT.
 *     tg_arange(TG_I64, 0, n, 1) */
TG_API tg_tensor *tg_arange(tg_dtype dtype, double start, double stop, double step);

/* n numbers at equal distances from start to stop, both included; for n = 1 it is start. A negative n and
 * bounds that are not finite are TG_ERR_ARGUMENT. */
TG_API tg_tensor *tg_linspace(tg_dtype dtype, double start, double stop, int64_t n);

/* The rows x columns matrix with ones on the diagonal. */
TG_API tg_tensor *tg_eye(tg_dtype dtype, int64_t rows, int64_t columns);

#ifdef __cplusplus
}
#endif

#endif
