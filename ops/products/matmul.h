/* Products of matrices and vectors. Operands are f32 or f64, of one dtype (TG_ERR_DTYPE). tg_einsum
 * (ops/products/einsum.h) spells any other product. An inner size of 0 gives zeros. */
#ifndef TG_OPS_PRODUCTS_MATMUL_H
#define TG_OPS_PRODUCTS_MATMUL_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* out[.., i, j] = sum_k a[.., i, k] b[.., k, j], with torch.matmul's shapes: the axes before the
 * last two broadcast; a vector a [k] counts as [1, k] and a vector b [k] as [k, 1], and the added axis is
 * dropped from the result; so vector times vector is their dot product. Rank 0 and inner sizes that differ
 * are TG_ERR_SHAPE. */
TG_API tg_tensor *tg_matmul(tg_tensor *a, tg_tensor *b);

typedef struct tg_linear_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *bias;              /* [out]; NULL: none */
} tg_linear_opts;

/* out = x w^T + bias, for x [.., in] and w [out, in], as torch.nn.functional.linear; it is one matrix product, whatever the
 * leading axes of x.
 *     tg_linear(x, w, .bias = b)
 * Other shapes are TG_ERR_SHAPE. */
TG_API tg_tensor *tg_linear_with(tg_tensor *x, tg_tensor *w, tg_linear_opts opts);

/* The three below take exactly the ranks they name; other ranks, and sizes that differ, are TG_ERR_SHAPE. */
TG_API tg_tensor *tg_dot(tg_tensor *a, tg_tensor *b); /* out = sum_i a[i] b[i], of two vectors of one length */
TG_API tg_tensor *tg_outer(tg_tensor *a, tg_tensor *b); /* out[i, j] = a[i] b[j], of two vectors */
TG_API tg_tensor *tg_bmm(tg_tensor *a,
                         tg_tensor *b); /* n products, [n, i, k] times [n, k, j], without broadcasting */

/* out = beta * c + alpha * (a b), for matrices a and b and a c that broadcasts to their product (torch.addmm). With
 * beta = 0 the elements of c do not count, NaN included, and its gradient is 0. The numbers are arguments rather than
 * options, since 0 means 0 here. */
TG_API tg_tensor *tg_addmm(tg_tensor *c, tg_tensor *a, tg_tensor *b, double beta, double alpha);

#ifdef __cplusplus
}
#endif

#endif
