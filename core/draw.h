/* Private. Random tensors from a stream of the caller's. */
#ifndef TG_CORE_DRAW_H
#define TG_CORE_DRAW_H

#include "core/random.h"

/* tg_uniform_with from rng, NULL for this thread's default stream. The stream is read and advanced where the drawing is done
 * again, too (core/work.h), so it must live as long as a plan that has recorded it. */
tg_tensor *tg_uniform_from(tg_rng *rng, tg_dtype dtype, double low, double high, tg_shape shape);

#endif
