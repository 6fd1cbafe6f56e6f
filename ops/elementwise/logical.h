/* Truth of elements: every element but 0 is true, also NaN. Operands have any dtypes and broadcast; the
 * result is bool and has no gradient.
 */
#ifndef TG_OPS_ELEMENTWISE_LOGICAL_H
#define TG_OPS_ELEMENTWISE_LOGICAL_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

TG_API tg_tensor *tg_logical_not(tg_tensor *x);
TG_API tg_tensor *tg_logical_and(tg_tensor *a, tg_tensor *b);
TG_API tg_tensor *tg_logical_or(tg_tensor *a, tg_tensor *b);
TG_API tg_tensor *tg_logical_xor(tg_tensor *a, tg_tensor *b);
TG_API tg_tensor *tg_isnan(tg_tensor *x);    /* false for integers */
TG_API tg_tensor *tg_isfinite(tg_tensor *x); /* neither NaN nor infinite; true for integers */

#ifdef __cplusplus
}
#endif

#endif
