#include "ops/nn/losses/loss_distance.h"

#include "autograd/composed.h"
#include "ops/elementwise/activation.h"
#include "ops/elementwise/arithmetic.h"
#include "ops/elementwise/binary.h"
#include "ops/elementwise/compare.h"
#include "ops/elementwise/math.h"
#include "ops/nn/losses/loss_parts.h"
#include "ops/nn/losses/loss_private.h"
#include "ops/reduce/reduce.h"
#include "ops/reduce/vector_norm.h"
#include "ops/shape/view.h"

#include <float.h>
#include <math.h>

static const double log_2_pi = 1.8378770664093454836;

static bool check_not_negative(const char *op, const char *what, double v) {
    if (v >= 0 && isfinite(v)) return true;
    tg_fail(TG_ERR_ARGUMENT, "%s: %s is %g: it must be finite and not negative", op, what, v);
    return false;
}

static bool check_positive(const char *op, const char *what, double v) {
    if (v > 0 && isfinite(v)) return true;
    tg_fail(TG_ERR_ARGUMENT, "%s: %s is %g: it must be positive and finite", op, what, v);
    return false;
}

/* ---- of a difference ---- */

static tg_tensor *difference(tg_tensor *prediction, tg_tensor *target, double share) {
    return tg_sub(tg_loss_part(prediction, share), tg_loss_part(target, share));
}

static tg_tensor *distance(const char *op, tg_tensor *prediction, tg_tensor *target,
                           tg_loss_reduction reduction) {
    double share = 1;
    tg_tensor *out;
    do out = tg_abs(difference(prediction, target, share));
    while (tg_loss_again(op, &out, prediction, reduction, &share));
    return out;
}

tg_tensor *tg_l1_loss_with(tg_tensor *prediction, tg_tensor *target, tg_l1_loss_opts opts) {
    TG_COMPOSED("l1_loss");
    if (!tg_loss_pair("l1_loss", prediction, target)) return tg_poison();
    return distance("l1_loss", prediction, target, opts.reduction);
}

/* scale c (d - c/2), where c is d clamped to +-delta: that is d^2/2 inside and delta |d| - delta^2/2 outside, without a kink
 * at 0. */
static tg_tensor *huber_terms(tg_tensor *prediction, tg_tensor *target, double delta, double scale,
                              double share) {
    tg_tensor *d = tg_sub(prediction, target), *c = tg_clamp(d, -delta, delta);
    if (share != 1) d = difference(prediction, target, share);
    tg_tensor *rest = tg_sub(d, tg_mul_scalar(c, 0.5 * share));
    return tg_mul(scale == 1 ? c : tg_mul_scalar(c, scale), rest);
}

static tg_tensor *huber(const char *op, tg_tensor *prediction, tg_tensor *target, double delta, double scale,
                        tg_loss_reduction reduction) {
    double share = 1;
    tg_tensor *out;
    do out = huber_terms(prediction, target, delta, scale, share);
    while (tg_loss_again(op, &out, prediction, reduction, &share));
    return out;
}

tg_tensor *tg_huber_loss_with(tg_tensor *prediction, tg_tensor *target, tg_huber_loss_opts opts) {
    TG_COMPOSED("huber_loss");
    const char *op = "huber_loss";
    double delta = opts.delta == 0 ? 1 : opts.delta;
    if (!tg_loss_pair(op, prediction, target) || !check_positive(op, "delta", delta)) return tg_poison();
    return huber(op, prediction, target, delta, 1, opts.reduction);
}

tg_tensor *tg_smooth_l1_loss_with(tg_tensor *prediction, tg_tensor *target, tg_smooth_l1_loss_opts opts) {
    TG_COMPOSED("smooth_l1_loss");
    const char *op = "smooth_l1_loss";
    double beta = tg_option(opts.beta, 1);
    if (!tg_loss_pair(op, prediction, target) || !check_not_negative(op, "beta", beta)) return tg_poison();
    /* below the least normal number the parabola vanishes */
    if (beta < (tg_dtype_of(prediction) == TG_F64 ? DBL_MIN : (double)FLT_MIN))
        return distance(op, prediction, target, opts.reduction);
    return huber(op, prediction, target, beta, 1 / beta, opts.reduction);
}

/* ---- of distributions ---- */

/* p (log p - log_q), which is 0 where p is 0, even if both logarithms are -inf. */
static tg_tensor *log_target_terms(tg_tensor *log_q, tg_tensor *log_p, double share) {
    tg_tensor *none = tg_eq(log_p, tg_scalar(tg_dtype_of(log_p), -INFINITY));
    tg_tensor *distance = tg_sub(tg_masked_fill(log_p, none, 0), tg_masked_fill(log_q, none, 0));
    return tg_mul(tg_loss_part(tg_exp(log_p), share), distance);
}

static tg_tensor *divergence_terms(tg_tensor *log_q, tg_tensor *target, bool log_target, double share) {
    if (log_target) return log_target_terms(log_q, target, share);
    tg_tensor *p = tg_loss_part(target, share);
    return tg_sub(tg_xlogy(p, target), tg_loss_weighed(p, log_q));
}

tg_tensor *tg_kl_div_with(tg_tensor *log_q, tg_tensor *target, tg_kl_div_opts opts) {
    TG_COMPOSED("kl_div");
    const char *op = "kl_div";
    if (!tg_loss_pair(op, log_q, target)) return tg_poison();
    double share = 1;
    tg_tensor *out;
    do out = divergence_terms(log_q, target, opts.log_target, share);
    while (tg_loss_again(op, &out, target, opts.reduction, &share));
    return out;
}

static tg_status check_variance(const tg_array *const *a, const void *data) {
    const tg_loss_check *c = data;
    char text[160];
    for (int64_t i = 0; i < a[0]->numel; i++) {
        double v = tg_array_get(a[0], i);
        if (v < 0)
            return tg_fail(TG_ERR_ARGUMENT, "%s: variance %s has %g at position %lld: it must not be negative",
                           c->op, tg_described_in(&c->of, text), v, (long long)i);
    }
    return TG_OK;
}

tg_tensor *tg_gaussian_nll_loss_with(tg_tensor *mean, tg_tensor *target, tg_tensor *variance,
                                     tg_gaussian_nll_loss_opts opts) {
    TG_COMPOSED("gaussian_nll_loss");
    const char *op = "gaussian_nll_loss";
    double eps = opts.eps == 0 ? 1e-6 : opts.eps;
    if (!tg_loss_pair(op, mean, target) || !check_positive(op, "eps", eps)) return tg_poison();
    if (!tg_check_argument(variance, op, "the variance") || !tg_loss_weight(op, "variance", variance, mean) ||
        !tg_loss_check_elements(op, "variance", variance, check_variance))
        return tg_poison();
    /* max(variance, eps), in which what is missing is a constant */
    tg_tensor *missing = tg_detach(tg_relu(tg_affine(variance, -1, eps)));
    tg_tensor *v = tg_add(variance, missing);
    tg_tensor *halved = tg_affine(tg_log(v), 0.5, opts.full ? 0.5 * log_2_pi : 0);
    double share = 1;
    tg_tensor *out;
    do
        out =
            tg_add(tg_loss_part(halved, share), tg_half_square_over(difference(mean, target, sqrt(share)), v));
    while (tg_loss_again(op, &out, mean, opts.reduction, &share));
    return out;
}

/* ---- of labels 1 and -1 ---- */

static tg_status check_labels(const tg_array *const *a, const void *data) {
    const tg_loss_check *c = data;
    char text[160];
    for (int64_t i = 0; i < a[0]->numel; i++) {
        double v = tg_array_get(a[0], i);
        if (v != 1 && v != -1)
            return tg_fail(TG_ERR_ARGUMENT, "%s: label %s has %g at position %lld: it must be 1 or -1", c->op,
                           tg_described_in(&c->of, text), v, (long long)i);
    }
    return TG_OK;
}

static bool check_signs(const char *op, const tg_tensor *y) {
    return tg_loss_check_elements(op, "label", y, check_labels);
}

static bool check_margin(const char *op, double margin) {
    if (isfinite(margin)) return true;
    tg_fail(TG_ERR_ARGUMENT, "%s: the margin is %g: it must be finite", op, margin);
    return false;
}

/* max(0, x), with slope 1 at 0. */
static tg_tensor *positive_part(tg_tensor *x) { return tg_clamp(x, 0, INFINITY); }

static tg_tensor *embedding_terms(tg_tensor *x, tg_tensor *y, double margin, double share) {
    tg_tensor *alike = tg_gt(y, tg_scalar(tg_dtype_of(y), 0));
    return tg_where(alike, tg_loss_part(x, share), positive_part(tg_affine(x, -share, margin * share)));
}

tg_tensor *tg_hinge_embedding_loss_with(tg_tensor *x, tg_tensor *y, tg_hinge_embedding_loss_opts opts) {
    TG_COMPOSED("hinge_embedding_loss");
    const char *op = "hinge_embedding_loss";
    double margin = tg_option(opts.margin, 1);
    if (!tg_loss_pair(op, x, y) || !check_signs(op, y) || !check_margin(op, margin)) return tg_poison();
    double share = 1;
    tg_tensor *out;
    do out = embedding_terms(x, y, margin, share);
    while (tg_loss_again(op, &out, x, opts.reduction, &share));
    return out;
}

static tg_tensor *hinge_terms(tg_tensor *score, tg_tensor *y, double margin, double share) {
    return positive_part(tg_affine(tg_mul(y, score), -share, margin * share));
}

tg_tensor *tg_hinge_loss_with(tg_tensor *score, tg_tensor *y, tg_hinge_loss_opts opts) {
    TG_COMPOSED("hinge_loss");
    const char *op = "hinge_loss";
    double margin = tg_option(opts.margin, 1);
    if (!tg_loss_pair(op, score, y) || !check_signs(op, y) || !check_margin(op, margin)) return tg_poison();
    double share = 1;
    tg_tensor *out;
    do out = hinge_terms(score, y, margin, share);
    while (tg_loss_again(op, &out, score, opts.reduction, &share));
    return out;
}

/* ---- of angles ---- */

tg_tensor *tg_cosine_similarity_with(tg_tensor *a, tg_tensor *b, int axis, tg_cosine_similarity_opts opts) {
    TG_COMPOSED("cosine_similarity");
    double eps = tg_option(opts.eps, 1e-8);
    tg_shape shape, over = {1, {axis}};
    if (!check_not_negative("cosine_similarity", "eps", eps)) return tg_poison();
    if (!tg_check_argument(a, "cosine_similarity", "input 0") ||
        !tg_check_argument(b, "cosine_similarity", "input 1"))
        return tg_poison();
    bool pair = tg_shape_broadcast(tg_shape_of(a), tg_shape_of(b), &shape);
    if (!pair || tg_dtype_of(a) != tg_dtype_of(b)) return tg_mul(a, b); /* raises the error */
    /* the norm of a broadcast operand is that of all its copies */
    if (!tg_shape_equal(tg_shape_of(a), shape)) a = tg_expand_with(a, shape);
    if (!tg_shape_equal(tg_shape_of(b), shape)) b = tg_expand_with(b, shape);
    tg_normalize_opts at_least = {.eps = eps > 0 ? eps : TG_ZERO};
    tg_tensor *product = tg_mul(tg_normalize_with(a, axis, at_least), tg_normalize_with(b, axis, at_least));
    tg_tensor *cosine = tg_sum_with(product, (tg_reduce_opts){.axes = over});
    if (tg_is_alive(product)) tg_drop_elements(product);
    return cosine;
}
