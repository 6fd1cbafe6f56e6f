/* Random whole numbers and decisions: tensors on the current tape, without history. Where a function has the option `rng`, it
 * draws from that stream; NULL, and the others, mean this thread's default one (core/random.h). A failure draws nothing. */
#ifndef TG_CORE_DISCRETE_H
#define TG_CORE_DISCRETE_H

#include "core/random.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whole numbers of [low, high), each as likely as the others (torch.randint). The dtype is i64, i32 or u8 (TG_ERR_DTYPE) and
 * must hold them all; low >= high is TG_ERR_ARGUMENT.
 *     tg_randint(TG_I64, 0, 10, 3, 4) */
TG_API tg_tensor *tg_randint_with(tg_dtype dtype, int64_t low, int64_t high, tg_shape shape);

/* 0 to n - 1 in a random order: [n] i64. A negative n is TG_ERR_ARGUMENT. */
typedef struct tg_randperm_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_rng *rng;
} tg_randperm_opts;
TG_API tg_tensor *tg_randperm_with(int64_t n, tg_randperm_opts opts);

/* 1 with the probability that stands in p, else 0, in p's shape and dtype, f32 or f64 (TG_ERR_DTYPE). A probability outside
 * [0, 1] is TG_ERR_ARGUMENT. */
typedef struct tg_bernoulli_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_rng *rng;
} tg_bernoulli_opts;
TG_API tg_tensor *tg_bernoulli_with(const tg_tensor *p, tg_bernoulli_opts opts);

/* n numbers of categories from each row of weights, [k] or [rows, k], f32 or f64 (TG_ERR_DTYPE): [n] or [rows, n] i64
 * (torch.multinomial). A category comes with the probability weight / sum of the row; a row need not sum to 1. Each draw is
 * from the categories not drawn before in the row, unless with replacement. n < 1, a weight that is negative or not finite, a
 * row whose weights are all 0, and without replacement fewer weights above 0 than n, are TG_ERR_ARGUMENT.
 *     next = tg_multinomial(tg_softmax(tg_mul_scalar(logits, 1 / temperature), -1), 1) */
typedef struct tg_multinomial_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    bool replacement;
    tg_rng *rng;
} tg_multinomial_opts;
TG_API tg_tensor *tg_multinomial_with(const tg_tensor *weights, int64_t n, tg_multinomial_opts opts);

#ifdef __cplusplus
}
#endif

#endif
