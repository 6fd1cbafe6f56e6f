/* Private. What loss.c and loss_parts.c look for in what they have computed. */
#ifndef TG_OPS_NN_LOSS_PRIVATE_H
#define TG_OPS_NN_LOSS_PRIVATE_H

#include "core/tensor.h"

#include <math.h>

/* Whether `test` holds for some element; true as well for any array that is not contiguous. */
#define TG_LOSS_HAS(name, test) \
    static inline bool name(const tg_tensor *x) { \
        const tg_array *a = tg_is_alive(x) ? tg_array_of(x) : NULL; \
        int found = 0; \
        if (!a || !tg_array_is_contiguous(a)) return a; \
        for (int64_t i = 0; a->dtype == TG_F32 && i < a->numel; i++) \
            found |= test(((const float *)a->data)[i]); \
        for (int64_t i = 0; a->dtype == TG_F64 && i < a->numel; i++) \
            found |= test(((const double *)a->data)[i]); \
        return found; \
    }
TG_LOSS_HAS(tg_loss_has_nan, isnan)
TG_LOSS_HAS(tg_loss_has_infinity, !!isinf)

#endif
