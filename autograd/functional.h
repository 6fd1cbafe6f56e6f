/* Functions of functions: products with the Jacobian, the Jacobian, the Hessian.
 *
 * The function f takes n tensors and returns one, made with recorded ops; J_i = df/dx_i. The inputs are f32 or f64 and are
 * only read: f is given detached copies of the handles (they share the elements), so whether an input requires a gradient
 * does not matter and no tensor's own gradient changes. Where f does not depend on an input the result is zeros. Results
 * belong to the current tape. On error every result is the poison tensor.
 */
#ifndef TG_AUTOGRAD_FUNCTIONAL_H
#define TG_AUTOGRAD_FUNCTIONAL_H

#include "autograd/grad.h"

#ifdef __cplusplus
extern "C" {
#endif

/* out[i] = J_i^T v: reverse mode, one walk. v has f's output's shape. *y (when not NULL) is f's value. */
TG_API tg_status tg_vjp(tg_function f, void *user, int n, tg_tensor *const *in, tg_tensor *v, tg_tensor **y,
                        tg_tensor **out);

/* *out = sum_i J_i v_i: forward mode, by differentiating J^T u by u: two walks, at any dummy u because J^T u is linear
 * in it (the double-backward identity; see J. Townsend, "A new trick for calculating Jacobian vector products", 2017).
 * v[i] has in[i]'s shape. */
TG_API tg_status tg_jvp(tg_function f, void *user, int n, tg_tensor *const *in, tg_tensor *const *v, tg_tensor **y,
                        tg_tensor **out);

/* out[i] = J_i, of shape [f's output.., in[i].., ]: a walk per output element. More than eight axes in all are
 * TG_ERR_SHAPE. */
TG_API tg_status tg_jacobian(tg_function f, void *user, int n, tg_tensor *const *in, tg_tensor **out);

/* The second derivatives of a one-element f by in[0] (the others are constants): shape [in[0].., in[0]..]. */
TG_API tg_tensor *tg_hessian(tg_function f, void *user, int n, tg_tensor *const *in);

/* out[i] = sum_j (d2f / dx_i dx_j) v_j for a one-element f: two walks, no Hessian. */
TG_API tg_status tg_hvp(tg_function f, void *user, int n, tg_tensor *const *in, tg_tensor *const *v, tg_tensor **out);

#ifdef __cplusplus
}
#endif

#define tg_vjp(f, user, n, in, v, y, out) TG_STATUS_AT((tg_vjp)((f), (user), (n), (in), (v), (y), (out)))
#define tg_jvp(f, user, n, in, v, y, out) TG_STATUS_AT((tg_jvp)((f), (user), (n), (in), (v), (y), (out)))
#define tg_jacobian(f, user, n, in, out) TG_STATUS_AT((tg_jacobian)((f), (user), (n), (in), (out)))
#define tg_hessian(f, user, n, in) TG_AT((tg_hessian)((f), (user), (n), (in)))
#define tg_hvp(f, user, n, in, v, out) TG_STATUS_AT((tg_hvp)((f), (user), (n), (in), (v), (out)))

#endif
