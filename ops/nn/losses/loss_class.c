/* Losses whose target is a class, or probabilities of the classes, for each row; declared in ops/nn/losses/loss.h. */
#include "ops/nn/losses/loss_parts.h"

#include "autograd/composed.h"

#include "ops/elementwise/arithmetic.h"
#include "ops/elementwise/compare.h"
#include "ops/index/gather.h"
#include "ops/loss/cross_entropy.h"
#include "ops/loss/softmax.h"
#include "ops/nn/losses/loss_private.h"
#include "ops/reduce/reduce.h"
#include "ops/shape/view.h"

#include <math.h>

/* ---- checks ---- */

static bool ignores(const tg_cross_entropy_opts *opts) { return opts->ignore || opts->ignore_index != 0; }

typedef struct class_range {
    const char *op;
    int64_t classes, ignored;
    int64_t ignores; /* whether a class may be `ignored`; no bool, behind which there would be bytes without a value */
    tg_described scores;
} class_range;

static tg_status check_each_class(const tg_array *const *a, const void *data) {
    const tg_array *t = a[0];
    const class_range *r = data;
    bool plain = tg_array_is_contiguous(t);
    for (int64_t i = 0; i < t->numel; i++) {
        int64_t c = !plain               ? (int64_t)tg_array_get(t, i)
                    : t->dtype == TG_I64 ? ((const int64_t *)t->data)[i]
                                         : ((const int32_t *)t->data)[i];
        if ((c >= 0 && c < r->classes) || (r->ignores && c == r->ignored)) continue;
        char text[160];
        return tg_fail(TG_ERR_ARGUMENT, "%s: row %lld has class %lld, outside [0, %lld): %s", r->op,
                       (long long)i, (long long)c, (long long)r->classes, tg_described_in(&r->scores, text));
    }
    return TG_OK;
}

static bool check_class_range(const char *op, const tg_tensor *x, const tg_tensor *target,
                              const tg_cross_entropy_opts *opts) {
    const tg_array *t = tg_array_within(target, "tg_array_of");
    class_range r;
    if (!t) return false;
    r.op = op, r.classes = tg_size(x, 1), r.ignored = opts->ignore_index, r.ignores = ignores(opts);
    tg_describe_to(&r.scores, x);
    return TG_WORK_DO(check_each_class, &t, &r, .name = op, .n = 1, .size = sizeof r) == TG_OK;
}

/* Whether x is [n, classes, ...] and target [n, ...]. */
static bool shapes_fit(const tg_tensor *x, const tg_tensor *target) {
    if (tg_rank(x) < 2 || tg_rank(target) != tg_rank(x) - 1) return false;
    for (int i = 0; i < tg_rank(target); i++)
        if (tg_size(target, i) != tg_size(x, i == 0 ? 0 : i + 1)) return false;
    return true;
}

/* Whether x is [n, classes, ...] of floats and target [n, ...] of class numbers; raises the error otherwise. */
static bool check_classes(const char *op, const tg_tensor *x, const tg_tensor *target,
                          const tg_cross_entropy_opts *opts) {
    char a[160], b[160];
    if (!tg_check_argument(x, op, "input 0") || !tg_check_argument(target, op, "input 1")) return false;
    tg_dtype classes = tg_dtype_of(target);
    if (tg_dtype_is_float(tg_dtype_of(x)) && (classes == TG_I64 || classes == TG_I32) && shapes_fit(x, target))
        return check_class_range(op, x, target, opts);
    tg_describe(x, a, sizeof a), tg_describe(target, b, sizeof b);
    if (!tg_dtype_is_float(tg_dtype_of(x)))
        tg_fail(TG_ERR_DTYPE, "%s: takes f32 or f64, was given %s", op, a);
    else if (classes != TG_I64 && classes != TG_I32)
        tg_fail(TG_ERR_DTYPE, "%s: class numbers must be i64 or i32: target %s for %s", op, b, a);
    else
        tg_fail(TG_ERR_SHAPE,
                "%s: needs scores [n, classes, ...] and a target [n, ...], was given %s and target %s", op, a,
                b);
    return false;
}

static bool check_options(const char *op, const tg_tensor *x, const tg_cross_entropy_opts *opts) {
    const tg_tensor *w = opts->weight;
    char a[160], b[160];
    if (!(opts->label_smoothing >= 0 && opts->label_smoothing <= 1)) {
        tg_fail(TG_ERR_ARGUMENT, "%s: label_smoothing is %g, outside [0, 1]", op, opts->label_smoothing);
        return false;
    }
    if (!w) return true;
    if (!tg_check_argument(w, op, "weight")) return false;
    if (tg_dtype_of(w) == tg_dtype_of(x) && tg_rank(w) == 1 && tg_size(w, 0) == tg_size(x, 1)) return true;
    tg_describe(w, a, sizeof a), tg_describe(x, b, sizeof b);
    if (tg_dtype_of(w) == tg_dtype_of(x))
        tg_fail(TG_ERR_SHAPE, "%s: the weight must be [%lld], one number a class: weight %s for %s", op,
                (long long)tg_size(x, 1), a, b);
    else
        tg_fail(TG_ERR_DTYPE, "%s: dtypes differ: weight %s and %s (tg_to converts)", op, a, b);
    return false;
}

/* ---- class numbers ---- */

/* The weight [classes], reshaped to lie along axis 1 of x. */
static tg_tensor *along_classes(tg_tensor *weight, const tg_tensor *x) {
    tg_shape shape = {tg_rank(x), {0}};
    for (int i = 0; i < shape.rank; i++) shape.dim[i] = i == 1 ? tg_size(x, 1) : 1;
    return tg_reshape_with(weight, shape);
}

static tg_tensor *sum_of_classes(tg_tensor *x) {
    return tg_sum_with(x, (tg_reduce_opts){.axes = {1, {1}}, .keepdim = false});
}

/* The targets and weights of all rows. */
typedef struct rows {
    tg_tensor *target;  /* ignored rows have class 0 */
    tg_tensor *ignored; /* bool, or NULL */
    tg_tensor *weight;  /* 0 in ignored rows; NULL: 1 everywhere */
} rows;

static tg_tensor *without_ignored(const rows *r, tg_tensor *x) {
    return r->ignored ? tg_masked_fill(x, r->ignored, 0) : x;
}

static rows look_at(tg_tensor *target, const tg_cross_entropy_opts *opts) {
    rows r = {target, NULL, NULL};
    if (ignores(opts)) {
        tg_tensor *index = tg_scalar(tg_dtype_of(target), (double)opts->ignore_index);
        r.ignored = tg_eq(target, index);
        r.target = without_ignored(&r, target);
    }
    if (opts->weight) {
        tg_tensor *flat = tg_reshape_with(r.target, (tg_shape){1, {tg_numel(target)}});
        tg_tensor *each = tg_index_select(opts->weight, 0, flat);
        r.weight = without_ignored(&r, tg_reshape_with(each, tg_shape_of(target)));
    }
    return r;
}

static double largest_of(const tg_array *a) {
    double largest = 0;
    for (int64_t i = 0; i < a->numel; i++) largest = fmax(largest, fabs(tg_array_get(a, i)));
    return largest;
}

static bool is_far_from_one(const tg_array *const *a, const void *data) {
    double largest = largest_of(a[0]), most = *(const double *)data;
    return !(largest == 0 || isinf(largest) || (largest >= 1 / most && largest <= most));
}

/* a[0] times a[1] becomes 2^-e, which itself may be too large, for the largest of a[2] between 2^(e-1) and 2^e. */
static tg_status powers_of_weights(const tg_array *const *a, const void *data) {
    int e;
    (void)data;
    (void)frexp(largest_of(a[2]), &e);
    tg_array_set(a[0], 0, ldexp(1, -(e / 2)));
    tg_array_set(a[1], 0, ldexp(1, -(e - e / 2)));
    return TG_OK;
}

/* The weights of classes, for a mean: it is the same for any multiple of them, so where those of the rows are far from 1, by
 * more than a factor `most`, all are multiplied by the power of two that brings the largest of these to 1. */
static tg_tensor *weights_near_one(tg_tensor *weight, const tg_tensor *of_rows, double most) {
    const tg_array *a = tg_is_alive(of_rows) ? tg_array_within(of_rows, "tg_array_of") : NULL;
    const tg_decision far = {"are weights far from 1", is_far_from_one, 1, &most, sizeof most};
    if (!a || !tg_decide(&far, &a)) return weight;
    tg_tensor *half = tg_scalar(tg_dtype_of(weight), 1), *rest = tg_scalar(tg_dtype_of(weight), 1);
    if (tg_is_poison(half)) return half;
    if (tg_is_poison(rest)) return rest;
    const tg_array *const all[] = {tg_array_within(half, "tg_array_of"), tg_array_within(rest, "tg_array_of"),
                                   a};
    TG_WORK_DO(powers_of_weights, all, NULL, .name = "scale of weights", .n = 3, .makes = 3u);
    return tg_mul(tg_mul(weight, half), rest);
}

/* a[0] holds the elements of the rows, and a[1] is set for those that are ignored. */
static bool any_infinite_row(const tg_array *const *a, const void *data) {
    const tg_array *x = a[0], *skip = a[1];
    int64_t inner = 1, classes = x->shape[1];
    (void)data;
    for (int i = 2; i < x->rank; i++) inner *= x->shape[i];
    for (int64_t i = 0; i < skip->numel; i++)
        for (int64_t c = 0; tg_array_get(skip, i) != 0 && c < classes; c++)
            if (!isfinite(tg_array_get(x, (i / inner * classes + c) * inner + i % inner))) return true;
    return false;
}

/* Whether an ignored row has an element that is not finite, of which its zero gradient would make NaN. */
static bool has_infinite_row(const tg_tensor *x, const tg_tensor *ignored) {
    const tg_array *const a[] = {
        tg_array_within(x, "tg_array_of"), /* NULL, with the error raised, after a release */
        tg_is_alive(ignored) ? tg_array_within(ignored, "tg_array_of") : NULL};
    return a[0] && a[1] &&
           tg_decide(&(tg_decision){"is an ignored row infinite", any_infinite_row, 2, NULL, 0}, a);
}

/* -log_p[class] of each row, for x that holds logits or log_p. */
static tg_tensor *plain_losses(tg_tensor *x, tg_tensor *target, bool logits) {
    if (logits && tg_rank(x) == 2) return tg_softmax_cross_entropy(x, target);
    tg_tensor *log_p = logits ? tg_log_softmax(x, 1) : x;
    return tg_neg(tg_squeeze(tg_gather(log_p, 1, tg_unsqueeze(target, 1)), 1));
}

/* number * sum of w log_p. Where the sum leaves the range, each term is multiplied instead. */
static tg_tensor *smoothing(tg_tensor *log_p, tg_tensor *weight, double number) {
    tg_tensor *w = weight ? along_classes(weight, log_p) : NULL,
              *sum = sum_of_classes(w ? tg_loss_weighed(w, log_p) : log_p);
    if (!tg_loss_has_infinity(sum)) return tg_mul_scalar(sum, number);
    log_p = tg_mul_scalar(log_p, number);
    return sum_of_classes(w ? tg_loss_weighed(w, log_p) : log_p);
}

/* share times the loss of each row: (1 - e) (-w[class] log_p[class]) - e / classes * sum(w log_p). */
static tg_tensor *row_losses(tg_tensor *x, const rows *r, const tg_cross_entropy_opts *opts, bool logits,
                             double share) {
    double e = opts->label_smoothing;
    if (e > 0 && logits) x = tg_log_softmax(x, 1);
    tg_tensor *loss = tg_loss_part(plain_losses(x, r->target, logits && e == 0), share);
    if (r->weight) loss = tg_loss_weighed(r->weight, loss);
    if (e > 0) {
        tg_tensor *smooth = smoothing(tg_loss_part(x, share), opts->weight, e / (double)tg_size(x, 1));
        loss = e < 1 ? tg_sub(tg_mul_scalar(loss, 1 - e), smooth) : tg_neg(smooth);
    }
    return without_ignored(r, loss);
}

/* The reduction of the rows' losses. A mean of weighted rows divides by the sum of their weights. */
static tg_tensor *reduced_rows(const char *op, tg_tensor *x, const rows *r, const tg_cross_entropy_opts *opts,
                               bool logits, double share) {
    tg_tensor *loss = row_losses(x, r, opts, logits, share), *count;
    if (opts->reduction != TG_REDUCTION_MEAN || (!r->weight && !r->ignored))
        return tg_loss_reduce(op, loss, share == 1 ? opts->reduction : TG_REDUCTION_SUM);
    if (r->weight)
        count = tg_loss_reduce(op, r->weight, TG_REDUCTION_SUM);
    else
        count = tg_affine(tg_loss_reduce(op, tg_to(r->ignored, tg_dtype_of(x)), TG_REDUCTION_SUM), -1,
                          (double)tg_numel(r->target));
    return tg_div(tg_loss_reduce(op, loss, TG_REDUCTION_SUM), tg_loss_part(count, share));
}

/* The rows, for a mean with weights scaled to lie within a factor `most` of 1. */
static rows look_near_one(tg_tensor *target, tg_cross_entropy_opts *opts, double most) {
    rows r = look_at(target, opts);
    if (!r.weight || opts->reduction != TG_REDUCTION_MEAN) return r;
    tg_tensor *given = opts->weight;
    opts->weight = weights_near_one(given, r.weight, most);
    return opts->weight == given ? r : look_at(target, opts);
}

static tg_tensor *class_loss(const char *op, tg_tensor *x, tg_tensor *target, tg_cross_entropy_opts opts,
                             bool logits) {
    if (!tg_is_alive(x)) return x;
    if (!opts.weight && !ignores(&opts) && opts.label_smoothing == 0)
        return tg_loss_reduce(op, plain_losses(x, target, logits), opts.reduction);
    rows r = look_near_one(target, &opts, tg_dtype_of(x) == TG_F64 ? 0x1p500 : 0x1p60);
    if (r.ignored && has_infinite_row(x, r.ignored)) x = tg_masked_fill(x, tg_unsqueeze(r.ignored, 1), 0);
    tg_tensor *out = reduced_rows(op, x, &r, &opts, logits, 1);
    double share = tg_loss_share(op, out, target, opts.reduction);
    if (share == 0) return out;
    r = look_near_one(target, &opts, 1);
    return reduced_rows(op, x, &r, &opts, logits, share);
}

tg_tensor *tg_nll_loss_with(tg_tensor *log_p, tg_tensor *target, tg_nll_loss_opts o) {
    TG_COMPOSED("nll_loss");
    const char *op = "nll_loss";
    tg_cross_entropy_opts opts = {
        .reduction = o.reduction, .weight = o.weight, .ignore_index = o.ignore_index, .ignore = o.ignore};
    if (!check_classes(op, log_p, target, &opts) || !check_options(op, log_p, &opts)) return tg_poison();
    return class_loss(op, log_p, target, opts, false);
}

/* ---- cross-entropy ---- */

static bool are_probabilities(const tg_tensor *x, const tg_tensor *target) {
    return tg_is_alive(x) && tg_is_alive(target) && tg_rank(x) >= 2 && tg_dtype_is_float(tg_dtype_of(x)) &&
           tg_dtype_is_float(tg_dtype_of(target)) && tg_shape_equal(tg_shape_of(x), tg_shape_of(target));
}

/* sum(w p log_p) of each row, for a p that is smoothed. */
static tg_tensor *probability_terms(tg_tensor *x, tg_tensor *p, const tg_cross_entropy_opts *opts) {
    tg_tensor *terms = tg_loss_weighed(p, tg_log_softmax(x, 1));
    if (opts->weight) terms = tg_loss_weighed(along_classes(opts->weight, x), terms);
    return sum_of_classes(terms);
}

static tg_tensor *probability_loss(const char *op, tg_tensor *x, tg_tensor *p,
                                   const tg_cross_entropy_opts *opts) {
    double e = opts->label_smoothing;
    if (ignores(opts)) {
        char text[160];
        tg_fail(TG_ERR_ARGUMENT, "%s: ignore_index needs class numbers, but the target holds probabilities: %s",
                op, tg_describe(p, text, sizeof text));
        return tg_poison();
    }
    if (e > 0) p = tg_affine(p, 1 - e, e / (double)tg_size(x, 1));
    tg_tensor *out = tg_loss_reduce(op, probability_terms(x, p, opts), opts->reduction);
    double share = tg_loss_share(op, out, x, opts->reduction);
    if (opts->reduction == TG_REDUCTION_MEAN)
        share *= (double)tg_size(x, 1); /* a term of the mean is a row */
    if (share > 0)
        out = tg_loss_reduce(op, probability_terms(x, tg_loss_part(p, share), opts), TG_REDUCTION_SUM);
    return tg_neg(out);
}

tg_tensor *tg_cross_entropy_with(tg_tensor *logits, tg_tensor *target, tg_cross_entropy_opts opts) {
    TG_COMPOSED("cross_entropy");
    const char *op = "cross_entropy";
    if (are_probabilities(logits, target)) {
        if (!tg_loss_pair(op, logits, target) || !check_options(op, logits, &opts)) return tg_poison();
        return probability_loss(op, logits, target, &opts);
    }
    if (!check_classes(op, logits, target, &opts) || !check_options(op, logits, &opts)) return tg_poison();
    return class_loss(op, logits, target, opts, true);
}

/* ---- accuracy ---- */

static double element(const tg_array *a, int64_t at) {
    return a->dtype == TG_F64 ? ((const double *)a->data)[at] : ((const float *)a->data)[at];
}

/* Whether element `c` of row `i` is the first of the largest. In a row with a NaN none is. */
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
    TG_NAMED("accuracy");
    static const tg_cross_entropy_opts none = {0};
    if (!check_classes("accuracy", logits, target, &none)) return NAN;
    const tg_array *x = tg_array_within(logits, "tg_array_of"), *t = tg_array_within(target, "tg_array_of");
    if (!x || !t || !tg_may_read(x, "tg_accuracy") || !tg_may_read(t, "tg_accuracy")) return NAN;
    if (x->rank != 2) {
        char text[160];
        tg_fail(TG_ERR_SHAPE, "accuracy: needs scores [n, classes], was given %s",
                tg_describe(logits, text, sizeof text));
        return NAN;
    }
    int64_t n = x->shape[0], right = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = i * t->stride[0];
        right += is_largest(
            x, i, t->dtype == TG_I64 ? ((const int64_t *)t->data)[at] : ((const int32_t *)t->data)[at]);
    }
    return (double)right / (double)n; /* NaN for no rows */
}
