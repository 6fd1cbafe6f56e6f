/* Private. What losses look for in what they are given and have computed. */
#ifndef TG_OPS_NN_LOSS_PRIVATE_H
#define TG_OPS_NN_LOSS_PRIVATE_H

#include "core/work.h"

#include <math.h>

/* Whether `test` holds for some element; true as well for any array that is not contiguous. */
#define TG_LOSS_HAS(name, test) \
    static inline bool name##_inside(const tg_array *const *in, const void *data) { \
        const tg_array *a = in[0]; \
        int found = 0; \
        (void)data; \
        for (int64_t i = 0; a->dtype == TG_F32 && i < a->numel; i++) \
            found |= test(((const float *)a->data)[i]); \
        for (int64_t i = 0; a->dtype == TG_F64 && i < a->numel; i++) \
            found |= test(((const double *)a->data)[i]); \
        return found; \
    } \
    static inline bool name(const tg_tensor *x) { \
        const tg_array *a = tg_is_alive(x) ? tg_array_within(x, "tg_array_of") : NULL; \
        if (!a || !tg_array_is_contiguous(a)) return a; \
        return tg_decide(&(tg_decision){#name, name##_inside, 1, NULL, 0}, &a); \
    }
TG_LOSS_HAS(tg_loss_has_nan, isnan)
TG_LOSS_HAS(tg_loss_has_infinity, !!isinf)

/* What is looked at is one tensor, and what is wrong with its elements is said by `run`, whose data this is. */
typedef struct tg_loss_check {
    const char *op, *what; /* static */
    tg_described of;
} tg_loss_check;

static inline bool tg_loss_check_elements(const char *op, const char *what, const tg_tensor *x,
                                          tg_work_fn *run) {
    const tg_array *a = tg_array_within(x, "tg_array_of");
    tg_loss_check c;
    if (!a) return false;
    c.op = op, c.what = what;
    tg_describe_to(&c.of, x);
    return tg_work_do(&(tg_work){.name = op, .run = run, .n = 1, .data = &c, .size = sizeof c}, &a) == TG_OK;
}

#endif
