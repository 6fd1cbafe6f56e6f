#include "ops/nn/loss.h"

#include "ops/arithmetic.h"
#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/reduce.h"
#include "ops/select.h"
#include "ops/softmax.h"
#include "ops/view.h"

#include <math.h>

/* ---- losses of a number for each element ---- */

/* Both alive, of one float dtype and equal shapes. */
static bool check_pair(const char *op, const tg_tensor *x, const tg_tensor *target) {
    char a[160], b[160];
    tg_rank(x), tg_rank(target); /* report handles that are not valid */
    if (!tg_is_alive(x) || !tg_is_alive(target)) return false;
    tg_describe(x, a, sizeof a), tg_describe(target, b, sizeof b);
    if (!tg_dtype_is_float(tg_dtype_of(x)))
        tg_fail(TG_ERR_DTYPE, "%s: takes f32 or f64, was given %s", op, a);
    else if (tg_dtype_of(x) != tg_dtype_of(target))
        tg_fail(TG_ERR_DTYPE, "%s: dtypes differ: %s and target %s (tg_to converts)", op, a, b);
    else if (!tg_shape_equal(tg_shape_of(x), tg_shape_of(target)))
        tg_fail(TG_ERR_SHAPE, "%s: shapes differ: %s and target %s (a loss does not broadcast)", op, a, b);
    else
        return true;
    return false;
}

/* All elements in [0, 1] or NaN. */
static bool check_unit(const char *op, const char *what, tg_tensor *x) {
    const tg_array *a = tg_array_of(x);
    if (!a) return false;
    bool plain = tg_array_is_contiguous(a);
    for (int64_t i = 0; i < a->numel; i++) {
        double v = !plain               ? tg_array_get(a, i)
                   : a->dtype == TG_F64 ? ((const double *)a->data)[i]
                                        : ((const float *)a->data)[i];
        if (!(v < 0 || v > 1)) continue;
        char text[160];
        tg_fail(TG_ERR_ARGUMENT, "%s: %s %s has %g at position %lld, outside [0, 1]", op, what,
                tg_describe(x, text, sizeof text), v, (long long)i);
        return false;
    }
    return true;
}

/* mean(x) for an x made here, which no gradient reads. */
static tg_tensor *mean_of(tg_tensor *x) {
    tg_tensor *mean = (tg_mean)(x, (tg_reduce_opts){{0}, false});
    if (tg_is_alive(x)) tg_release(x);
    return mean;
}

tg_tensor *(tg_mse_loss)(tg_tensor *prediction, tg_tensor *target) {
    if (!check_pair("mse_loss", prediction, target)) return tg_poison();
    return mean_of((tg_square)((tg_sub)(prediction, target)));
}

/* -mean(y a + (1 - y) b), for a = log p and b = log(1 - p). */
static tg_tensor *cross(tg_tensor *y, tg_tensor *a, tg_tensor *b) {
    return (tg_neg)(mean_of((tg_add)((tg_mul)(y, a), (tg_mul)((tg_affine)(y, -1, 1), b))));
}

/* log s(z) and log(1 - s(z)) = log s(-z) are smooth and exact at any z, so that the gradient, -y s(-z) +
 * (1 - y) s(z) = s(z) - y, needs no case for z = 0; and where one term is 0, the other has all its digits. */
tg_tensor *(tg_binary_cross_entropy_with_logits)(tg_tensor *logits, tg_tensor *target) {
    const char *op = "binary_cross_entropy_with_logits";
    if (!check_pair(op, logits, target) || !check_unit(op, "target", target)) return tg_poison();
    return cross(target, (tg_logsigmoid)(logits), (tg_logsigmoid)((tg_neg)(logits)));
}

/* max(log p, -100), with gradient 0 where the bound holds: there p is replaced before the logarithm too,
 * since 0 times the slope 1/0 would be NaN. */
static tg_tensor *bounded_log(tg_tensor *p) {
    tg_tensor *tiny = (tg_lt)(p, (tg_scalar)(tg_dtype_of(p), exp(-100)));
    return (tg_masked_fill)((tg_log)((tg_masked_fill)(p, tiny, 1)), tiny, -100);
}

tg_tensor *(tg_binary_cross_entropy)(tg_tensor *p, tg_tensor *target) {
    const char *op = "binary_cross_entropy";
    if (!check_pair(op, p, target) || !check_unit(op, "target", target) || !check_unit(op, "probability", p))
        return tg_poison();
    return cross(target, bounded_log(p), bounded_log((tg_affine)(p, -1, 1)));
}

/* ---- losses of a class for each row ---- */

static bool check_class_range(const char *op, const tg_tensor *x, const tg_tensor *target) {
    const tg_array *t = tg_array_of(target);
    int64_t classes = tg_size(x, 1);
    for (int64_t i = 0; t && i < t->numel; i++) {
        int64_t at = i * t->stride[0];
        int64_t c = t->dtype == TG_I64 ? ((const int64_t *)t->data)[at] : ((const int32_t *)t->data)[at];
        if (c >= 0 && c < classes) continue;
        char text[160];
        tg_fail(TG_ERR_ARGUMENT, "%s: row %lld has class %lld, outside [0, %lld) of %s", op, (long long)i,
                (long long)c, (long long)classes, tg_describe(x, text, sizeof text));
        return false;
    }
    return t;
}

/* x [n, classes] float, target [n] of class numbers. */
static bool check_classes(const char *op, const tg_tensor *x, const tg_tensor *target) {
    char a[160], b[160];
    tg_rank(x), tg_rank(target);
    if (!tg_is_alive(x) || !tg_is_alive(target)) return false;
    tg_describe(x, a, sizeof a), tg_describe(target, b, sizeof b);
    tg_dtype classes = tg_dtype_of(target);
    if (!tg_dtype_is_float(tg_dtype_of(x)))
        tg_fail(TG_ERR_DTYPE, "%s: takes f32 or f64, was given %s", op, a);
    else if (classes != TG_I64 && classes != TG_I32)
        tg_fail(TG_ERR_DTYPE, "%s: class numbers are i64 or i32, was given target %s", op, b);
    else if (tg_rank(x) != 2 || tg_rank(target) != 1 || tg_size(x, 0) != tg_size(target, 0))
        tg_fail(TG_ERR_SHAPE, "%s: needs [n, classes] and target [n], was given %s and target %s", op, a, b);
    else
        return check_class_range(op, x, target);
    return false;
}

/* -mean over rows i of log_p[i, target[i]] */
static tg_tensor *pick(tg_tensor *log_p, tg_tensor *target) {
    return (tg_neg)(mean_of((tg_gather)(log_p, 1, (tg_unsqueeze)(target, 1))));
}

tg_tensor *(tg_nll_loss)(tg_tensor *log_p, tg_tensor *target) {
    return check_classes("nll_loss", log_p, target) ? pick(log_p, target) : tg_poison();
}

tg_tensor *(tg_cross_entropy)(tg_tensor *logits, tg_tensor *target) {
    return check_classes("cross_entropy", logits, target) ? pick((tg_log_softmax)(logits, 1), target)
                                                          : tg_poison();
}

static double element(const tg_array *a, int64_t at) {
    return a->dtype == TG_F64 ? ((const double *)a->data)[at] : ((const float *)a->data)[at];
}

/* Whether element `c` of row `i` is the first largest. A row with a NaN has no largest. */
static bool is_largest(const tg_array *x, int64_t i, int64_t c) {
    int64_t row = i * x->stride[0];
    double mine = element(x, row + c * x->stride[1]);
    for (int64_t j = 0; j < x->shape[1]; j++) {
        double other = element(x, row + j * x->stride[1]);
        if (!(j < c ? other < mine : other <= mine)) return false;
    }
    return true;
}

double tg_accuracy(tg_tensor *logits, tg_tensor *target) {
    if (!check_classes("accuracy", logits, target)) return NAN;
    const tg_array *x = tg_array_of(logits), *t = tg_array_of(target);
    if (!x || !t) return NAN;
    int64_t n = x->shape[0], right = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = i * t->stride[0];
        right += is_largest(
            x, i, t->dtype == TG_I64 ? ((const int64_t *)t->data)[at] : ((const int32_t *)t->data)[at]);
    }
    return (double)right / (double)n; /* of no rows: NaN */
}
