/* Functions of functions: products with the Jacobian, the Jacobian, the Hessian.
 *
 * The function f takes n tensors and returns one, made with recorded ops; J_i = df/dx_i. The inputs are f32 or f64, each
 * of its own shape, and are only read; no tensor's own gradient changes. Recording is on while f runs, whatever
 * tg_set_grad_enabled says outside.
 *
 * What f is given: a leaf that requires a gradient is itself, so that f may also reach it by another way, as a network
 * does that is called with the parameters of a model as `in`:
 *     static tg_tensor *loss(tg_tensor *const *in, void *user) { (void)in; return mse(net(user, x), y); }
 *     tg_hvp(loss, model, tg_model_count(model), parameters, v, out);
 * Any other input, and a leaf given a second time, is a new leaf that shares the elements.
 *
 * An input that f's result does not depend on by recorded ops is TG_ERR_TAPE, with .allow_unused = true zeros. (Second
 * derivatives that are zero because f is linear in an input are zeros and no error.) On error every result is the poison
 * tensor. Results belong to the current tape and have no history.
 */
#ifndef TG_AUTOGRAD_FUNCTIONAL_H
#define TG_AUTOGRAD_FUNCTIONAL_H

#include "autograd/backward.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_functional_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    bool allow_unused;            /* an input that f does not depend on gets zeros instead of an error */
} tg_functional_opts;
typedef tg_functional_opts tg_vjp_opts, tg_jvp_opts, tg_jacobian_opts, tg_hessian_opts, tg_hvp_opts;

/* out[i] = J_i^T v: reverse mode, one walk. v has f's output's shape and dtype; NULL is 1 for a one-element f. *y (when
 * not NULL) is f's value. */
TG_API tg_status tg_vjp_with(tg_function f, void *user, int n, tg_tensor *const *in, tg_tensor *v,
                             tg_tensor **y, tg_tensor **out, tg_vjp_opts opts);

/* *out = sum_i J_i v_i: forward mode, by differentiating J^T u by u: two walks, at any dummy u because J^T u is linear
 * in it (the double-backward identity; see J. Townsend, "A new trick for calculating Jacobian vector products", 2017).
 * v[i] has in[i]'s shape and dtype; NULL is 1 for a one-element input, here and in tg_hvp. */
TG_API tg_status tg_jvp_with(tg_function f, void *user, int n, tg_tensor *const *in, tg_tensor *const *v,
                             tg_tensor **y, tg_tensor **out, tg_jvp_opts opts);

/* out[i] = J_i, of shape [f's output.., in[i]..] and of the dtype of f's output. It takes a walk for each element of the
 * output. More than eight axes in all are TG_ERR_SHAPE.
 * A row is the walk from one element of the output. Where it goes through elementwise ops (see tg_op), the other elements
 * count for nothing, so that an infinite slope at one of them is not multiplied by the zero that reaches it: the Jacobian
 * of 3 / (2, 3, 0, 1) by the 3 is (1/2, 1/3, inf, 1), the third being the slope there. */
TG_API tg_status tg_jacobian_with(tg_function f, void *user, int n, tg_tensor *const *in, tg_tensor **out,
                                  tg_jacobian_opts opts);

/* The second derivatives of a one-element f by in[0] (the others are constants): shape [in[0].., in[0]..]. Rows as
 * those of a Jacobian. */
TG_API tg_tensor *tg_hessian_with(tg_function f, void *user, int n, tg_tensor *const *in, tg_hessian_opts opts);

/* out[i] = sum_j (d2f / dx_i dx_j) v_j for a one-element f: two walks, no Hessian. */
TG_API tg_status tg_hvp_with(tg_function f, void *user, int n, tg_tensor *const *in, tg_tensor *const *v,
                             tg_tensor **out, tg_hvp_opts opts);

#ifdef __cplusplus
}
#endif

#endif
