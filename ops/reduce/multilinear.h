/* Private. The derivatives of cumprod of every order, by two ops whose gradients are these ops again. With
 * y the running products of x, and d the derivative along each of the directions h1, .., hm in turn,
 *     cumprod_along(x, h1, .., hm) = d y
 *     cumprod_adjoint(x, g, h1, .., hm)[k] = d/dx[k] of the sum over i of g[i] d y[i]
 * All inputs have one shape. Products are held with their exponents apart, so that one that leaves the
 * range of the dtype may come back. An element of g or h that is 0 contributes nothing, even where it
 * would multiply an infinity. */
#ifndef TG_OPS_REDUCE_MULTILINEAR_H
#define TG_OPS_REDUCE_MULTILINEAR_H

#include "ops/shared.h"

typedef struct tg_scan_attr {
    int64_t axis;
    bool reverse, exclusive;
} tg_scan_attr;

extern const tg_attr_field tg_scan_fields[3];

/* For infer: checks the axis, and lays out output 0 in the shape of input 0, as i64 for integers.
 * (ops/reduce/scan.c) */
tg_status tg_scan_infer(const tg_call *call);

/* How the scans of a contiguous array [outer, n, inner] along n are divided among tasks. A task runs a
 * group of neighbouring scans together, or of TG_SCAN_ROWS rows where inner is 1, since one running value
 * alone would wait for each of its steps. With more rows than 4, those of input and result need more lines
 * than one set of the cache has. (ops/reduce/scan.c) */
enum { TG_SCAN_ROWS = 4 };
typedef struct tg_scan_lines {
    int64_t n, inner;
    int64_t scans;  /* scans of a slab [n, inner]; where inner is 1, all rows are one slab */
    int64_t apart;  /* the distance of two neighbouring scans, in elements */
    int64_t most;   /* scans that run together, at most */
    int64_t groups; /* such groups in a slab */
    int64_t all;    /* such groups in the array */
} tg_scan_lines;

/* Divides the scans of an array that is not empty; at most `scans` of them run together. */
tg_scan_lines tg_scan_divide(const tg_array *out, int axis, int64_t scans);

/* How many scans group i of the array has; *at becomes the position of the first element of the first of
 * them. */
int64_t tg_scan_group(const tg_scan_lines *l, int64_t i, int64_t *at);

/* The ops on n tensors: x, for the adjoint g, and then h1, .., hm. */
tg_tensor *tg_cumprod_along(tg_tensor *const *in, int n, const tg_scan_attr *attr);
tg_tensor *tg_cumprod_adjoint(tg_tensor *const *in, int n, const tg_scan_attr *attr);

/* For contiguous arrays with rows of n: out[r, k] = g[r] times the product of all elements of row r of x
 * but x[r, k]. */
tg_status tg_prod_slopes(const tg_array *x, const tg_array *g, int64_t n, const tg_array *out);

#endif
