/* Einstein summation. */
#ifndef TG_OPS_PRODUCTS_EINSUM_H
#define TG_OPS_PRODUCTS_EINSUM_H

#include "ops/shape/join.h" /* TG_COUNT_TENSORS */

#ifdef __cplusplus
extern "C" {
#endif

/* The product of tensors whose axes are named by letters; a letter that the output leaves out is summed over.
 *
 *     tg_einsum("ij,jk->ik", a, b)          the matrix product
 *     tg_einsum("bhqd,bhkd->bhqk", q, k)    scores of attention
 *     tg_einsum("ii->", a)                  the trace
 *     tg_einsum("...ij,...jk", a, b)        what tg_matmul does
 *
 * As in torch.einsum there is one subscript for each tensor and a letter for each axis; upper and lower case differ, and
 * spaces do not count. A letter twice in one subscript takes the diagonal. Without "->" the output has the letters that
 * occur once, in the order A to Z, a to z. "..." stands for any number of axes, which broadcast from the last; an output
 * without "->" starts with them. Sizes of one letter must agree, or be 1, which broadcasts.
 *
 * f32 or f64, of one dtype (TG_ERR_DTYPE). A malformed equation is TG_ERR_ARGUMENT; letters or sizes that do
 * not fit the tensors are TG_ERR_SHAPE, and so is a result of more than eight axes, at any stage.
 *
 * The tensors are contracted from left to right, two at a time: by a batch of matrix products where letters are summed
 * over, else elementwise; a letter that only one of them has, and nothing later, is summed over before. So the order of
 * many operands matters for the cost, not for the result. tg_einsum_with(equation, n, x) takes an array of n >= 1
 * operands. The result is always a tensor of its own, never a view. */
TG_API tg_tensor *tg_einsum_with(const char *equation, int n, tg_tensor *const *x);

#ifdef __cplusplus
}
#endif

#endif
