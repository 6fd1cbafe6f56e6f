/* Private. The largest element of each window of planes, without gradients. f32 and f64, contiguous. */
#ifndef TG_CORE_KERNELS_CONV_MAX_POOL_H
#define TG_CORE_KERNELS_CONV_MAX_POOL_H

#include "core/array.h"
#include "core/kernels/conv/window.h"

/* out[.., i, j] = the largest element of window (i, j) of the plane x[..], the first that ties, or the first
 * NaN; index, i64, its position in the plane, row * width + column. No window is empty. */
void tg_max_pool(const tg_window window[2], const tg_array *x, const tg_array *out, const tg_array *index);

/* The transpose at that index: dx[.., index[.., i, j]] += g[.., i, j], from 0 on and in row-major order. False if a position is
 * outside of the plane: what dx holds then is of no use. */
bool tg_max_pool_grad(const tg_window window[2], const tg_array *g, const tg_array *index, const tg_array *dx);

#endif
