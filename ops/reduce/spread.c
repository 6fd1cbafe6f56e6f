#include "ops/reduce/spread.h"

#include "core/work.h"

#include <math.h>

static double element(const tg_array *a, int64_t i) {
    return a->dtype == TG_F64 ? ((const double *)a->data)[i] : (double)((const float *)a->data)[i];
}

static bool sum_is_safe(const tg_array *const *sum, const void *more) {
    const tg_array *a = sum[0];
    double most = a->dtype == TG_F64 ? 0x1p500 : 0x1p60;
    for (int64_t i = 0; i < a->numel; i++) {
        double v = element(a, i) + *(const double *)more;
        if (!(v >= 1 / most && v <= most)) return false;
    }
    return true;
}

bool tg_sum_is_safe(const tg_tensor *sum, double more) {
    const tg_array *a = tg_is_alive(sum) ? tg_array_within(sum, "tg_array_of") : NULL;
    return a && tg_decide(&(tg_decision){"is a sum safe", sum_is_safe, 1, &more, sizeof more}, &a);
}

/* ---- the scale ---- */

static double scale_of(double largest, double least) {
    if (largest == 0 || !isfinite(largest)) return 1;
    return tg_power_below(largest < least ? least : largest);
}

static tg_status scales_of(const tg_array *const *a, const void *least) {
    for (int64_t i = 0; i < a[0]->numel; i++)
        tg_array_set(a[0], i, scale_of(element(a[0], i), *(const double *)least));
    return TG_OK;
}

tg_tensor *tg_scale_over(tg_tensor *x, tg_shape axes, double least) {
    tg_tensor *size = tg_abs(tg_detach(x)),
              *scale = tg_amax_with(size, (tg_reduce_opts){.axes = axes, .keepdim = true});
    tg_drop_temporary(size);
    const tg_array *a = tg_is_alive(scale) ? tg_array_within(scale, "tg_array_of") : NULL;
    if (!a) return scale;
    least = fmax(least, a->dtype == TG_F64 ? 0x1p-980 : 0x1p-100);
    TG_WORK_DO(scales_of, &a, &least, .name = "scale", .n = 1, .changes = 1u, .size = sizeof least);
    return scale;
}

/* ---- the mean ---- */

static tg_tensor *mean_over(tg_tensor *x, tg_shape axes) {
    return tg_mean_with(x, (tg_reduce_opts){.axes = axes, .keepdim = true});
}

/* a[0] = a[1] + a[2] - a[3], or 0. */
static tg_status remainders_of(const tg_array *const *a, const void *data) {
    const tg_array *rest = a[0], *first = a[1], *lost = a[2], *mean = a[3];
    double noise = rest->dtype == TG_F64 ? 0x1p-48 : 0x1p-19;
    (void)data;
    for (int64_t i = 0; i < rest->numel; i++) {
        double v = (element(first, i) - element(mean, i)) + element(lost, i);
        tg_array_set(rest, i, fabs(v) <= noise * fabs(element(lost, i)) ? 0 : v);
    }
    return TG_OK;
}

/* first + lost - mean, the rounding error of the mean, as a constant. It is 0 where it is no more than the
 * rounding of `lost` itself, so that equal numbers have no deviation at all. */
static tg_tensor *remainder_of(tg_tensor *first, tg_tensor *lost, tg_tensor *mean) {
    tg_tensor *rest = tg_zeros_like(mean);
    if (!tg_is_alive(rest) || !tg_is_alive(mean)) return rest;
    const tg_array *const a[] = {tg_array_within(rest, "tg_array_of"), tg_array_within(first, "tg_array_of"),
                                 tg_array_within(lost, "tg_array_of"), tg_array_within(mean, "tg_array_of")};
    TG_WORK_DO(remainders_of, a, NULL, .name = "remainder of the mean", .n = 4, .makes = 1u);
    return rest;
}

/* x minus its mean, which goes to *mean. The rounded mean is corrected by the mean of the deviations from
 * it; the gradient is that of one mean. */
static tg_tensor *centred(tg_tensor *x, tg_shape axes, tg_tensor **mean) {
    tg_tensor *first = mean_over(x, axes), *left = tg_sub(tg_detach(x), tg_detach(first));
    tg_tensor *lost = mean_over(left, axes);
    tg_drop_temporary(left);
    *mean = tg_add(first, lost);
    return tg_sub(tg_sub(x, *mean), remainder_of(first, lost, *mean));
}

/* ---- both ---- */

static double count_over(const tg_tensor *x, tg_shape axes) {
    unsigned set = tg_axis_set(axes, tg_rank(x));
    double n = 1;
    for (int i = 0; i < tg_rank(x); i++)
        if (set >> i & 1) n *= (double)tg_size(x, i);
    return n;
}

static tg_tensor *sum_of_squares(tg_tensor *d, const tg_spread_opts *o) {
    tg_tensor *square = tg_square(d),
              *sum = tg_sum_with(square, (tg_reduce_opts){.axes = o->axes, .keepdim = o->keepdim});
    tg_drop_temporary(square);
    return sum;
}

/* Whether the deviations are so large next to the mean that the rounding of the mean does not matter to
 * them. */
static bool is_exact_enough(const tg_array *const *a, const void *n) {
    const tg_array *m = a[0], *s = a[1];
    for (int64_t i = 0; i < m->numel; i++)
        if (!(256 * element(s, i) >= *(const double *)n * element(m, i) * element(m, i))) return false;
    return true;
}

static bool mean_is_exact_enough(const tg_tensor *mean, const tg_tensor *sum, double n) {
    const tg_array *const a[] = {tg_array_within(mean, "tg_array_of"), tg_array_within(sum, "tg_array_of")};
    return tg_decide(&(tg_decision){"is a mean exact enough", is_exact_enough, 2, &n, sizeof n}, a);
}

static bool plain_will_do(const tg_spread *s, double eps) {
    if (!tg_is_alive(s->sum)) return true;
    return tg_sum_is_safe(s->sum, s->n * eps) && (!s->mean || mean_is_exact_enough(s->mean, s->sum, s->n));
}

static bool any_zero(const tg_array *const *a, const void *data) {
    (void)data;
    for (int64_t i = 0; i < a[0]->numel; i++)
        if (element(a[0], i) == 0) return true;
    return false;
}

/* Where the largest deviation a[2] is 0, the scale a[1] becomes the geometric mean of itself and *data, and the ratio a[0]
 * that over *data; elsewhere the ratio is 1. */
static tg_status ratios_of(const tg_array *const *a, const void *data) {
    const double least = *(const double *)data;
    for (int64_t i = 0; i < a[0]->numel; i++) {
        bool equal = element(a[2], i) == 0;
        double middle = equal ? tg_power_below(sqrt(element(a[1], i)) * sqrt(least)) : least;
        tg_array_set(a[0], i, middle / least);
        if (equal) tg_array_set(a[1], i, middle);
    }
    return TG_OK;
}

/* The scale of the deviations, as a constant. Where all numbers of a row are equal, only eps has a scale,
 * and x may be far larger: x is divided by the geometric mean of the two, and its deviations, which are 0,
 * are multiplied by *ratio, after which the scale is that of eps. *ratio is NULL where there is no such
 * row. */
static tg_tensor *scale_of_differences(tg_tensor *x, const tg_spread_opts *o, tg_tensor **ratio) {
    tg_tensor *scale = tg_scale_over(x, o->axes, sqrt(o->eps)), *mean;
    *ratio = NULL;
    if (o->about_zero || o->eps == 0 || !tg_is_alive(scale)) return scale;
    tg_tensor *d = centred(tg_div(tg_detach(x), scale), o->axes, &mean), *largest;
    largest = tg_amax_with(tg_abs(d), (tg_reduce_opts){.axes = o->axes, .keepdim = true});
    double least = fmax(tg_power_below(sqrt(o->eps)), tg_dtype_of(x) == TG_F64 ? 0x1p-980 : 0x1p-100);
    if (!tg_is_alive(largest)) return largest;
    const tg_array *l = tg_array_within(largest, "tg_array_of"), *s = tg_array_within(scale, "tg_array_of");
    if (tg_decide(&(tg_decision){"are numbers equal", any_zero, 1, NULL, 0}, &l))
        *ratio = tg_full_with(tg_dtype_of(x), 1, tg_shape_of(scale));
    if (*ratio && tg_is_alive(*ratio)) {
        const tg_array *const a[] = {tg_array_within(*ratio, "tg_array_of"), s, l};
        TG_WORK_DO(ratios_of, a, &least, .name = "ratio of scales", .n = 3, .makes = 1u, .changes = 2u,
                   .size = sizeof least);
    }
    tg_drop_temporary(d), tg_drop_temporary(largest), tg_drop_temporary(mean);
    return scale;
}

static tg_spread with_care(tg_tensor *x, const tg_spread_opts *o, const tg_spread *plain) {
    tg_spread s = {.n = plain->n};
    tg_tensor *ratio = NULL;
    if (!o->unscaled && !tg_sum_is_safe(plain->sum, s.n * o->eps))
        s.scale = scale_of_differences(x, o, &ratio);
    if (s.scale) x = tg_div(x, s.scale);
    s.d = o->about_zero ? x : centred(x, o->axes, &s.mean);
    if (ratio) s.d = tg_mul(s.d, ratio);
    s.sum = sum_of_squares(s.d, o);
    if (s.scale && s.mean) s.mean = tg_mul(s.mean, s.scale);
    if (ratio) s.scale = tg_div(s.scale, ratio);
    /* the sum is poison after any failure, since not every caller looks at the mean and the scale */
    if ((s.mean && !tg_is_alive(s.mean)) || (s.scale && !tg_is_alive(s.scale))) s.sum = tg_poison();
    return s;
}

tg_spread tg_spread_over(tg_tensor *x, tg_spread_opts o) {
    tg_spread s = {.d = x};
    if (!o.about_zero) s.mean = mean_over(x, o.axes), s.d = tg_sub(x, s.mean);
    s.sum = sum_of_squares(s.d, &o);
    if (!tg_is_alive(s.sum)) return s;
    s.n = count_over(x, o.axes);
    if (tg_numel(x) == 0 || plain_will_do(&s, o.eps)) return s;
    tg_spread careful = with_care(x, &o, &s);
    tg_drop_temporary(s.sum), tg_drop_temporary(s.mean);
    if (s.mean) tg_drop_temporary(s.d);
    return careful;
}

tg_tensor *tg_spread_root(const tg_spread *s, double eps) {
    tg_tensor *variance = tg_mul_scalar(s->sum, 1 / s->n);
    if (!s->scale) return tg_sqrt(tg_add_scalar(variance, eps));
    tg_tensor *unit = tg_reciprocal(s->scale), *share = tg_mul(tg_mul_scalar(unit, eps), unit);
    return tg_sqrt(tg_add(variance, share));
}
