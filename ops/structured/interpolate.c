/* Resizing of images, which works on one axis after the other. */
#include "ops/structured/interpolate.h"

#include "ops/shared.h"

#include <math.h>

/* One axis. Output pixel o samples the input at position o * ratio, measured as the mode does. */
typedef struct axis {
    int64_t in, out;
    double ratio;
} axis;

static const char who[] = "interpolate";

static bool read_axis(const tg_tensor *x, const tg_interpolate_opts *o, int i, axis *a) {
    bool by_size = o->size[0] != 0 || o->size[1] != 0;
    a->in = tg_size(x, 2 + i);
    double out = by_size ? (double)o->size[i] : floor((double)a->in * o->scale[i]);
    if (a->in < 1) return tg_fail_operand(TG_ERR_ARGUMENT, who, x, "axis %d is empty", 2 + i), false;
    if (!(out >= 1 && out <= INT32_MAX))
        return tg_fail_operand(TG_ERR_ARGUMENT, who, x,
                               "the size or scale given makes axis %d of size %lld one of %g, outside [1, %d]",
                               2 + i, (long long)a->in, out, INT32_MAX),
               false;
    a->out = (int64_t)out;
    a->ratio = by_size ? (double)a->in / out : 1 / o->scale[i];
    if (o->mode == TG_BILINEAR && o->align_corners)
        a->ratio = a->out > 1 ? (double)(a->in - 1) / (double)(a->out - 1) : 0;
    return true;
}

static tg_tensor *nearest(tg_tensor *x, int along, const axis *a) {
    tg_tensor *index = tg_zeros_with(TG_I64, TG_SHAPE(a->out));
    if (tg_is_poison(index)) return index;
    int64_t *v = tg_array_of(index)->data;
    for (int64_t i = 0; i < a->out; i++) {
        int64_t at = (int64_t)((double)i * a->ratio);
        v[i] = at < a->in ? at : a->in - 1;
    }
    return tg_index_select(x, along, index);
}

/* (1 - t) x[low] + t x[high] for the two neighbours of each position. One that lies on an element, or beyond the last,
 * has that element for both, each by half: with a weight of 0 the other, were it infinite, would make it NaN. */
static tg_tensor *linear(tg_tensor *x, int along, const axis *a, bool align) {
    tg_shape column = along == 2 ? TG_SHAPE(a->out, 1) : TG_SHAPE(a->out);
    tg_tensor *low = tg_zeros_with(TG_I64, TG_SHAPE(a->out)), *high = tg_zeros_with(TG_I64, TG_SHAPE(a->out));
    tg_tensor *far = tg_zeros_with(tg_dtype_of(x), column), *near = tg_zeros_with(tg_dtype_of(x), column);
    if (tg_is_poison(low) || tg_is_poison(high) || tg_is_poison(far) || tg_is_poison(near))
        return tg_poison();
    for (int64_t i = 0; i < a->out; i++) {
        double at = align ? (double)i * a->ratio : fmax(((double)i + 0.5) * a->ratio - 0.5, 0);
        double first = fmin(floor(at), (double)(a->in - 1));
        bool between = at > first && first < (double)(a->in - 1);
        double t = between ? at - first : 0.5;
        ((int64_t *)tg_array_of(low)->data)[i] = (int64_t)first;
        ((int64_t *)tg_array_of(high)->data)[i] = (int64_t)first + between;
        tg_array_set(tg_array_of(far), i, t);
        tg_array_set(tg_array_of(near), i, 1 - t);
    }
    tg_tensor *p = tg_index_select(x, along, low), *q = tg_index_select(x, along, high);
    tg_tensor *left = tg_mul(p, near), *right = tg_mul(q, far);
    tg_drop_temporary(p), tg_drop_temporary(q);
    tg_tensor *y = tg_add(left, right);
    tg_drop_temporary(left), tg_drop_temporary(right);
    return y;
}

tg_tensor *tg_interpolate_with(tg_tensor *x, tg_interpolate_opts o) {
    TG_COMPOSED("interpolate");
    axis a[2];
    const tg_array *image = tg_operand(x, who, TG_ONLY);
    if (!image) return tg_poison();
    if (!tg_dtype_is_float((tg_dtype)image->dtype))
        return tg_fail_operand(TG_ERR_DTYPE, who, x, "needs f32 or f64");
    if (image->rank != 4) return tg_fail_operand(TG_ERR_SHAPE, who, x, "needs four axes");
    if (o.mode != TG_NEAREST && o.mode != TG_BILINEAR)
        return tg_fail_operand(TG_ERR_ARGUMENT, who, x, "there is no mode of interpolation %d", (int)o.mode);
    if (o.mode == TG_NEAREST && o.align_corners)
        return tg_fail_operand(TG_ERR_ARGUMENT, who, x, "align_corners goes with the bilinear mode alone");
    if (o.size[1] == 0) o.size[1] = o.size[0];
    if (o.scale[1] == 0) o.scale[1] = o.scale[0];
    if (!read_axis(x, &o, 0, &a[0]) || !read_axis(x, &o, 1, &a[1])) return tg_poison();
    if (o.mode == TG_NEAREST) return nearest(nearest(x, 2, &a[0]), 3, &a[1]);
    tg_tensor *rows = linear(x, 2, &a[0], o.align_corners);
    tg_tensor *y = tg_is_poison(rows) ? rows : linear(rows, 3, &a[1], o.align_corners);
    tg_drop_temporary(rows);
    return y;
}
