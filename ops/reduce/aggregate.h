/* More reductions over any set of axes, with the options of ops/reduce/reduce.h:
 *     tg_prod(x, .axes = TG_SHAPE(0, -1), .keepdim = true)
 */
#ifndef TG_OPS_REDUCE_AGGREGATE_H
#define TG_OPS_REDUCE_AGGREGATE_H

#include "ops/reduce/reduce.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of nothing: 1. Integers and bool give i64. The gradient is exact where elements are zero, and where products of some of
 * them leave the range, to any order. */
TG_API tg_tensor *tg_prod(tg_tensor *x, tg_reduce_opts opts);

/* log(sum(exp(x))) without overflow. -inf, with gradient 0, where all elements are -inf, and of nothing. Elements that
 * are +inf share the gradient. */
TG_API tg_tensor *tg_logsumexp(tg_tensor *x, tg_reduce_opts opts);

/* Any dtype; what is not zero counts, NaN too. all and any give bool (of nothing: true, false), count_nonzero
 * i64. No gradient. */
TG_API tg_tensor *tg_all(tg_tensor *x, tg_reduce_opts opts);
TG_API tg_tensor *tg_any(tg_tensor *x, tg_reduce_opts opts);
TG_API tg_tensor *tg_count_nonzero(tg_tensor *x, tg_reduce_opts opts);

#ifdef __cplusplus
}
#endif

#define tg_prod(x, ...) TG_AT((tg_prod)((x), TG_OPTIONS(tg_reduce_opts, __VA_ARGS__)))
#define tg_logsumexp(x, ...) TG_AT((tg_logsumexp)((x), TG_OPTIONS(tg_reduce_opts, __VA_ARGS__)))
#define tg_all(x, ...) TG_AT((tg_all)((x), TG_OPTIONS(tg_reduce_opts, __VA_ARGS__)))
#define tg_any(x, ...) TG_AT((tg_any)((x), TG_OPTIONS(tg_reduce_opts, __VA_ARGS__)))
#define tg_count_nonzero(x, ...) TG_AT((tg_count_nonzero)((x), TG_OPTIONS(tg_reduce_opts, __VA_ARGS__)))

#endif
