/* Private. What ops over a set of axes share; their attributes are, or begin with, tg_reduce_opts.
 * ops/reduce/reduce.c defines it. */
#ifndef TG_OPS_REDUCE_AXES_H
#define TG_OPS_REDUCE_AXES_H

#include "ops/shared.h"

/* The fields of tg_reduce_opts. */
extern const tg_attr_field tg_over_axes[2];

/* The axes as a bit set, for an input of this rank. */
unsigned tg_axes_of(const void *attr, int rank);

/* For infer: checks the axes, and lays out output 0 without them, or with size 1 there under keepdim. */
tg_status tg_infer_over(const tg_call *call, tg_dtype dtype);

/* For forward: output 0 = the fold of input 0 over the axes. */
tg_status tg_fold_over(const tg_call *call, tg_reduction f);

/* For grad: t, which has output 0's shape, with the reduced axes put back with size 1, so that it
 * broadcasts to input 0. */
tg_tensor *tg_kept(const tg_node *n, tg_tensor *t);

#endif
