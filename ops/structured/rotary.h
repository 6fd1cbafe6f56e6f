/* Rotary position embedding (Su et al., "RoFormer", 2021): queries and keys are turned by angles that grow with their position,
 * so that their products depend on how far apart they are and not on where. */
#ifndef TG_OPS_STRUCTURED_ROTARY_H
#define TG_OPS_STRUCTURED_ROTARY_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x [.., t, d], of f32 or f64 and an even d, with the elements of each step turned in pairs: pair i < d / 2 of step s by the
 * angle p = (offset + s) base^(-2 i / d),
 *     y_a = x_a cos p - x_b sin p     y_b = x_b cos p + x_a sin p
 * where (a, b) = (i, i + d / 2), the halves of the axis, as in GPT-NeoX and in LLaMA as Hugging Face's transformers has it; with
 * interleaved (2 i, 2 i + 1), as in the paper and LLaMA's own files. The two differ in the order of the rows of
 * the weights that make queries and keys. y has the shape of x; angles are computed in f64.
 *
 *     q = tg_rotary(q, .offset = past), k = tg_rotary(k, .offset = past);
 *
 * Errors: TG_ERR_SHAPE (fewer than two axes, d odd), TG_ERR_DTYPE, TG_ERR_ARGUMENT (a base that is not finite and positive),
 * TG_ERR_MEMORY. */
typedef struct tg_rotary_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t offset;               /* the position of the first step, of either sign */
    double base;                  /* default 10000 */
    bool interleaved;
} tg_rotary_opts;
TG_API tg_tensor *tg_rotary_with(tg_tensor *x, tg_rotary_opts opts);

#ifdef __cplusplus
}
#endif

#endif
