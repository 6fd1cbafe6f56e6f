/* Changes in place. They change elements, not history, so they are allowed on tensors that require no
 * gradient, and on any leaf while recording is off (tg_set_grad_enabled(false)), as in an optimiser;
 * otherwise they are TG_ERR_TAPE. Each raises the buffer's version, so that a backward pass that needs the
 * old values fails and names both ops. A tensor that shows one element in several places, or lies in
 * memory that no buffer of the library holds, is TG_ERR_ARGUMENT. All return TG_OK or the error, and
 * change nothing on error. */
#ifndef TG_OPS_ELEMENTWISE_INPLACE_H
#define TG_OPS_ELEMENTWISE_INPLACE_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

TG_API tg_status tg_copy_(tg_tensor *x, const tg_tensor *src); /* x = src, broadcast and converted */
TG_API tg_status tg_fill_(tg_tensor *x, double value);         /* x = value */
TG_API tg_status tg_zero_(tg_tensor *x);                       /* x = 0 */
TG_API tg_status tg_add_(tg_tensor *x, const tg_tensor *y, double alpha); /* x += alpha * y, y broadcast */
TG_API tg_status tg_mul_(tg_tensor *x, const tg_tensor *y);               /* x *= y, y broadcast */

/* For changes of one's own: returns the array of x, whose elements may now be written, or NULL with the
 * error raised when x may not be changed. Errors name `who`, a static string, also those of a backward
 * pass that needs the old values. */
TG_API const tg_array *tg_inplace(tg_tensor *x, const char *who);

#ifdef __cplusplus
}
#endif

#endif
