#include "ops/structured/normalised.h"

#include <math.h>

static tg_shape row_axes(const tg_normalised *r) {
    tg_shape axes = {r->opts.axes, {0}};
    for (int i = 0; i < axes.rank; i++) axes.dim[i] = -1 - i;
    return axes;
}

static tg_tensor *row_mean(const tg_normalised *r, tg_tensor *t) {
    return tg_mean_with(t, (tg_reduce_opts){.axes = row_axes(r), .keepdim = true});
}

/* x as [rows, elements]. */
static tg_tensor *as_rows(const tg_normalised *r, tg_tensor *x) {
    int64_t each = (int64_t)r->spread.n;
    return tg_is_alive(x) && each > 0 ? tg_reshape_with(x, TG_SHAPE(tg_numel(x) / each, each)) : x;
}

/* The elements of each row, less `mean` where that is given, with 0 in place of number `top`. */
static tg_tensor *others_of(tg_tensor *x, tg_tensor *top, tg_tensor *mean) {
    return tg_scatter(mean ? tg_sub(x, mean) : x, 1, top, tg_zeros_with(tg_dtype_of(x), tg_shape_of(top)));
}
static tg_tensor *sum_of_row(tg_tensor *x) {
    return tg_sum_with(x, (tg_reduce_opts){.axes = TG_SHAPE(1), .keepdim = true});
}

/* dx where an element of a row, number `top`, has nearly all of its squares: what is left of h without its parts along x
 * and along the mean is made of the others. With u and v their x and h, less their means where the row is centred, d and k
 * the x and h of that element less the same means, e = n eps, c = (n - 1) / n or 1, s = sum u^2 + c d^2 + e:
 *     dx_top = c l / deviation,  dx_i = (v - u (c k d + sum(u v)) / s - l / n) / deviation,
 *     l = (k (sum u^2 + e) - d sum(u v)) / s
 * without l / n where it is not centred. x is in units of the spread. */
static tg_tensor *with_dominant(tg_tensor *top, tg_tensor *x, tg_tensor *h, tg_tensor *e, bool centred) {
    double size = (double)tg_size(x, 1), c = centred ? (size - 1) / size : 1;
    tg_tensor *x_mean = NULL, *h_mean = NULL, *d = tg_gather(x, 1, top), *k = tg_gather(h, 1, top);
    if (centred) {
        x_mean = tg_mul_scalar(sum_of_row(others_of(x, top, NULL)), 1 / (size - 1));
        h_mean = tg_mul_scalar(sum_of_row(others_of(h, top, NULL)), 1 / (size - 1));
        d = tg_sub(d, x_mean), k = tg_sub(k, h_mean);
    }
    tg_tensor *u = others_of(x, top, x_mean), *v = others_of(h, top, h_mean), *uv = sum_of_row(tg_mul(u, v));
    tg_tensor *rest = tg_add(sum_of_row(tg_square(u)), e), *all = tg_add(rest, tg_mul_scalar(tg_square(d), c));
    tg_tensor *left = tg_div(tg_sub(tg_mul(k, rest), tg_mul(d, uv)), all);
    tg_tensor *along = tg_div(tg_add(tg_mul_scalar(tg_mul(k, d), c), uv), all),
              *dx = tg_sub(v, tg_mul(u, along));
    if (centred) dx = tg_sub(dx, tg_mul_scalar(left, 1 / size));
    return tg_scatter(dx, 1, top, tg_mul_scalar(left, c));
}

/* The index of the largest element of each row, when some have 7/8 of the share of z^2 that one element can have; else NULL. */
static tg_tensor *dominant(const tg_normalised *r) {
    double size = r->spread.n;
    if (r->opts.centred && size == 1) return NULL;
    tg_tensor *share = tg_mul_scalar(tg_square(as_rows(r, tg_detach(r->z))), 1 / size);
    return tg_dominant(share, 1, 0.875 - (r->opts.centred ? 1 / size : 0));
}

static tg_tensor *column(tg_tensor *t) {
    return tg_is_alive(t) ? tg_reshape_with(t, TG_SHAPE(tg_numel(t), 1)) : t;
}

tg_normalised tg_normalised_over(tg_tensor *x, tg_normalised_opts o) {
    tg_normalised r = {.opts = o, .x = x};
    r.spread = tg_spread_over(
        x, (tg_spread_opts){row_axes(&r), .keepdim = true, .about_zero = !o.centred, .eps = o.eps});
    r.z = r.spread.sum;
    if (!tg_is_alive(r.z)) return r;
    r.root = tg_spread_root(&r.spread, o.eps);
    r.z = tg_div(r.spread.d, r.root);
    return r;
}

tg_tensor *tg_normalised_grad(const tg_normalised *r, tg_tensor *h) {
    const tg_spread *s = &r->spread;
    tg_tensor *top = dominant(r), *d = tg_sub(h, tg_mul(r->z, row_mean(r, tg_mul(h, r->z))));
    if (r->opts.centred) d = tg_sub(d, row_mean(r, h));
    if (top) {
        tg_tensor *unit = s->scale ? tg_reciprocal(s->scale) : tg_ones_with(tg_dtype_of(r->x), TG_SHAPE(1));
        tg_tensor *e = column(tg_mul(tg_mul_scalar(unit, s->n * r->opts.eps), unit));
        d = with_dominant(top, as_rows(r, tg_mul(r->x, unit)), as_rows(r, h), e, r->opts.centred);
        d = tg_reshape_with(d, tg_shape_of(r->x));
    }
    return tg_div(d, s->scale ? tg_mul(r->root, s->scale) : r->root);
}
