#include "ops/nn/losses/loss_parts.h"

#include "autograd/composed.h"

#include "ops/elementwise/arithmetic.h"
#include "ops/elementwise/compare.h"
#include "ops/elementwise/logical.h"
#include "ops/elementwise/math.h"
#include "ops/nn/losses/loss_private.h"
#include "ops/reduce/reduce.h"

#include <math.h>

bool tg_loss_pair(const char *op, const tg_tensor *x, const tg_tensor *target) {
    if (!op) op = "tg_loss_pair";
    TG_NAMED(op);
    char a[160], b[160];
    if (!tg_check_argument(x, op, "input 0") || !tg_check_argument(target, op, "input 1")) return false;
    bool alike = tg_dtype_is_float(tg_dtype_of(x)) && tg_dtype_of(x) == tg_dtype_of(target);
    if (alike && tg_shape_equal(tg_shape_of(x), tg_shape_of(target))) return true;
    tg_describe(x, a, sizeof a), tg_describe(target, b, sizeof b);
    if (!tg_dtype_is_float(tg_dtype_of(x)))
        tg_fail(TG_ERR_DTYPE, "%s: takes f32 or f64, was given %s", op, a);
    else if (!alike)
        tg_fail(TG_ERR_DTYPE, "%s: dtypes differ: %s and target %s (tg_to converts)", op, a, b);
    else
        tg_fail(TG_ERR_SHAPE, "%s: shapes differ: %s and target %s (a loss does not broadcast)", op, a, b);
    return false;
}

bool tg_loss_weight(const char *op, const char *what, const tg_tensor *weight, const tg_tensor *x) {
    if (!op) op = "tg_loss_weight";
    TG_NAMED(op);
    char a[160], b[160];
    tg_shape both;
    if (!weight) return true;
    if (!tg_check_argument(weight, op, what) || !tg_check_argument(x, op, "input 0")) return false;
    tg_describe(weight, a, sizeof a), tg_describe(x, b, sizeof b);
    if (tg_dtype_of(weight) != tg_dtype_of(x))
        tg_fail(TG_ERR_DTYPE, "%s: dtypes differ: %s %s and %s (tg_to converts)", op, what, a, b);
    else if (!tg_shape_broadcast(tg_shape_of(weight), tg_shape_of(x), &both) ||
             !tg_shape_equal(both, tg_shape_of(x)))
        tg_fail(TG_ERR_SHAPE, "%s: %s %s does not broadcast to %s", op, what, a, b);
    else
        return true;
    return false;
}

tg_tensor *tg_loss_weighed(tg_tensor *w, tg_tensor *x) {
    TG_COMPOSED("loss_weighed");
    if (!tg_check_argument(w, "loss_weighed", "input 0") || !tg_check_argument(x, "loss_weighed", "input 1"))
        return tg_poison();
    tg_tensor *product = tg_mul(w, x);
    if (!tg_loss_has_nan(product)) return product;
    tg_tensor *infinite = tg_eq(tg_abs(tg_detach(x)), tg_scalar(tg_dtype_of(x), INFINITY));
    tg_tensor *none = tg_logical_and(tg_eq(w, tg_scalar(tg_dtype_of(w), 0)), infinite);
    return tg_mul(w, tg_masked_fill(x, none, 0));
}

/* The sum divided by the size of the first axis. Where the sum leaves the range the quotient may not, and is computed as a
 * multiple of the mean. */
static tg_tensor *batch_mean(tg_tensor *x) {
    const tg_reduce_opts all = {0};
    double n = tg_rank(x) > 0 ? (double)tg_size(x, 0) : 1;
    tg_tensor *out = tg_sum_with(x, all);
    if (n != 1) out = tg_mul_scalar(out, 1 / n);
    if (n == 1 || !tg_is_alive(out) || !tg_decide_infinite(out, "tg_item")) return out;
    return tg_mul_scalar(tg_mean_with(x, all), (double)tg_numel(x) / n);
}

tg_tensor *tg_loss_reduce(const char *op, tg_tensor *x, tg_loss_reduction reduction) {
    if (!op) op = "tg_loss_reduce";
    TG_COMPOSED(op);
    const tg_reduce_opts all = {0};
    tg_tensor *out;
    if (!tg_check_argument(x, op, NULL)) return tg_poison();
    switch (reduction) {
    case TG_REDUCTION_NONE:
        return x;
    case TG_REDUCTION_MEAN:
        out = tg_mean_with(x, all);
        break;
    case TG_REDUCTION_SUM:
        out = tg_sum_with(x, all);
        break;
    case TG_REDUCTION_BATCH_MEAN:
        out = batch_mean(x);
        break;
    default:
        tg_fail(TG_ERR_ARGUMENT, "%s: there is no reduction %d", op, (int)reduction);
        return tg_poison();
    }
    if (tg_is_alive(out)) tg_drop_elements(x);
    return out;
}

double tg_loss_share(const char *op, const tg_tensor *out, const tg_tensor *like, tg_loss_reduction reduction) {
    if (!op) op = "tg_loss_share";
    TG_NAMED(op);
    double n = 0;
    if (!tg_check_argument(out, op, "out") || !tg_check_argument(like, op, "like")) return 0;
    if (tg_numel(out) != 1) return 0;
    if (reduction == TG_REDUCTION_MEAN) n = (double)tg_numel(like);
    if (reduction == TG_REDUCTION_BATCH_MEAN) n = tg_rank(like) > 0 ? (double)tg_size(like, 0) : 1;
    return n > 1 && tg_decide_infinite(out, "tg_item") ? 1 / n : 0;
}

bool tg_loss_again(const char *op, tg_tensor **out, const tg_tensor *like, tg_loss_reduction reduction,
                   double *share) {
    if (!op) op = "tg_loss_again";
    TG_NAMED(op);
    if (!out || !share) {
        tg_fail(TG_ERR_ARGUMENT, "%s: the place of the terms or of their share is NULL", op);
        return false;
    }
    bool first = *share == 1;
    *out = tg_loss_reduce(op, *out, first ? reduction : TG_REDUCTION_SUM);
    double again = first ? tg_loss_share(op, *out, like, reduction) : 0;
    if (again != 0) *share = again;
    return again != 0;
}

tg_tensor *tg_loss_part(tg_tensor *x, double share) {
    return share == 1 && tg_is_alive(x) ? x : tg_mul_scalar(x, share);
}
