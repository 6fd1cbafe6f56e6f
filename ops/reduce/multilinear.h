/* Private. The derivatives of cumprod, a family that is closed: the gradients of its members are members. With y the
 * running products of x, and d the derivative along each of the directions h1, .., hm in turn,
 *     cumprod_along(x, h1, .., hm) = d y
 *     cumprod_adjoint(x, g, h1, .., hm)[k] = d/dx[k] of the sum over i of g[i] d y[i]
 * All inputs have one shape. Products are held with their exponents apart, so that one which leaves the dtype may come
 * back by way of another. An element of g or h that is 0 is no term of a sum, infinite as what it would multiply may be. */
#ifndef TG_OPS_REDUCE_MULTILINEAR_H
#define TG_OPS_REDUCE_MULTILINEAR_H

#include "ops/shared.h"

typedef struct tg_scan_attr {
    int64_t axis;
    bool reverse, exclusive;
} tg_scan_attr;

extern const tg_attr_field tg_scan_fields[3];

/* Lays out a result like input 0, with i64 for integers; the axis must exist. (ops/reduce/scan.c) */
tg_status tg_scan_infer(const tg_call *call);

/* How a contiguous array [outer, n, inner] is walked along n, and by which tasks. Up to `most` neighbours run together, or
 * TG_SCAN_ROWS rows where inner is 1: one running value alone would wait for each of its steps. More rows than four, and
 * theirs and the result's are more lines than one set of the cache holds. (ops/reduce/scan.c) */
enum { TG_SCAN_ROWS = 4 };
typedef struct tg_scan_lines {
    int64_t n, inner;
    int64_t lanes, apart;      /* of a slab [n, inner], or all rows; the distance of two */
    int64_t most, groups, all; /* lanes that run together; how many such groups a slab has, and the array */
} tg_scan_lines;

/* Of an array that has elements, at most `lanes` together. */
tg_scan_lines tg_scan_divide(const tg_array *out, int axis, int64_t lanes);

/* How many lanes group number i of all has; *at: the first element of the first of them. */
int64_t tg_scan_group(const tg_scan_lines *l, int64_t i, int64_t *at);

/* Of the n tensors in[0 ..] = x, (g,) h1, .., hm. */
tg_tensor *tg_cumprod_along(tg_tensor *const *in, int n, const tg_scan_attr *attr);
tg_tensor *tg_cumprod_adjoint(tg_tensor *const *in, int n, const tg_scan_attr *attr);

/* On contiguous arrays, of rows of n: out[r, k] = g[r] times the product of the elements of row r of x but for number k. */
tg_status tg_prod_slopes(const tg_array *x, const tg_array *g, int64_t n, const tg_array *out);

#endif
