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

/* The product of the elements, which is 1 of no elements; that of integers and bool is i64. The gradient,
 * to any order, is exact also where elements are 0 and where partial products leave the range. */
TG_API tg_tensor *tg_prod_with(tg_tensor *x, tg_prod_opts opts);

/* log(sum(exp(x))) without overflow. It is -inf, with gradient 0, of no elements and where all are -inf.
 * Elements that are +inf share the gradient. */
TG_API tg_tensor *tg_logsumexp_with(tg_tensor *x, tg_logsumexp_opts opts);

/* Whether all elements, and whether any, differ from 0, as bool, and how many do, as i64. x has any dtype,
 * NaN differs from 0, and there is no gradient. Of no elements all is true and any false. */
TG_API tg_tensor *tg_all_with(tg_tensor *x, tg_all_opts opts);
TG_API tg_tensor *tg_any_with(tg_tensor *x, tg_any_opts opts);
TG_API tg_tensor *tg_count_nonzero_with(tg_tensor *x, tg_count_nonzero_opts opts);

#ifdef __cplusplus
}
#endif

#endif
