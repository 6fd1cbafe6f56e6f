/* More reductions over any set of axes, with the options of ops/reduce/reduce.h:
 *     tg_prod(x, .axes = TG_SHAPE(0, -1), .keepdim = true)
 */
#ifndef TG_OPS_REDUCE_AGGREGATE_H
#define TG_OPS_REDUCE_AGGREGATE_H

#include "ops/reduce/reduce.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef tg_reduce_opts tg_prod_opts, tg_logsumexp_opts, tg_all_opts, tg_any_opts, tg_count_nonzero_opts;

/* Of nothing: 1. Integers and bool give i64. The gradient is exact where elements are zero, and where products of some of
 * them leave the range, to any order. */
TG_API tg_tensor *tg_prod_with(tg_tensor *x, tg_prod_opts opts);

/* log(sum(exp(x))) without overflow. -inf, with gradient 0, where all elements are -inf, and of nothing. Elements that
 * are +inf share the gradient. */
TG_API tg_tensor *tg_logsumexp_with(tg_tensor *x, tg_logsumexp_opts opts);

/* Any dtype; what is not zero counts, NaN too. all and any give bool (of nothing: true, false), count_nonzero
 * i64. No gradient. */
TG_API tg_tensor *tg_all_with(tg_tensor *x, tg_all_opts opts);
TG_API tg_tensor *tg_any_with(tg_tensor *x, tg_any_opts opts);
TG_API tg_tensor *tg_count_nonzero_with(tg_tensor *x, tg_count_nonzero_opts opts);

#ifdef __cplusplus
}
#endif

#endif
