#include "ops/nn/losses/loss_parts.h"

#include "autograd/composed.h"

#include "ops/elementwise/activation.h"
#include "ops/elementwise/arithmetic.h"
#include "ops/elementwise/compare.h"
#include "ops/elementwise/logical.h"
#include "ops/elementwise/math.h"
#include "ops/nn/losses/loss_private.h"

#include <math.h>

tg_tensor *tg_mse_loss_with(tg_tensor *prediction, tg_tensor *target, tg_mse_loss_opts opts) {
    TG_COMPOSED("mse_loss");
    if (!tg_loss_pair("mse_loss", prediction, target)) return tg_poison();
    tg_tensor *d = tg_sub(prediction, target), *out;
    double share = 1;
    do out = share == 1 ? tg_square(d) : tg_mul(d, tg_mul_scalar(d, share));
    while (tg_loss_again("mse_loss", &out, d, opts.reduction, &share));
    return out;
}

static tg_status check_within_unit(const tg_array *const *in, const void *data) {
    const tg_array *a = in[0];
    const tg_loss_check *c = data;
    bool plain = tg_array_is_contiguous(a);
    for (int64_t i = 0; i < a->numel; i++) {
        double v = !plain               ? tg_array_get(a, i)
                   : a->dtype == TG_F64 ? ((const double *)a->data)[i]
                                        : ((const float *)a->data)[i];
        if (!(v < 0 || v > 1)) continue;
        char text[160];
        return tg_fail(TG_ERR_ARGUMENT, "%s: %s %s has %g at position %lld, outside [0, 1]", c->op, c->what,
                       tg_described_in(&c->of, text), v, (long long)i);
    }
    return TG_OK;
}

/* Whether all elements lie in [0, 1] or are NaN; raises the error otherwise. */
static bool check_unit(const char *op, const char *what, const tg_tensor *x) {
    return tg_loss_check_elements(op, what, x, check_within_unit);
}

/* y c a, for y in [0, 1] and c >= 0, in an order in which no product of two overflows unless that of all three does: y (c a),
 * or, where c a is infinite, the smaller of c and |a| times (y times the larger). */
static tg_tensor *target_terms(tg_tensor *y, tg_tensor *c, tg_tensor *a) {
    if (!c) return tg_loss_weighed(y, a);
    tg_tensor *product = tg_loss_weighed(c, a);
    if (!tg_loss_has_infinity(product)) return tg_loss_weighed(y, product);
    tg_tensor *within = tg_isfinite(product), *one = tg_scalar(tg_dtype_of(y), 1), *steep = tg_gt(c, tg_abs(a));
    tg_tensor *early = tg_where(within, one, y), *late = tg_where(within, y, one);
    tg_tensor *larger = tg_where(steep, c, a), *smaller = tg_where(steep, a, c);
    return tg_loss_weighed(late, tg_mul(smaller, tg_loss_weighed(early, larger)));
}

/* w (y c a + (1 - y) b), for a = log p and b = log(1 - p), weight w and pos_weight c. */
static tg_tensor *cross_terms(tg_tensor *y, tg_tensor *a, tg_tensor *b,
                              const tg_binary_cross_entropy_opts *opts) {
    tg_tensor *positive = target_terms(y, opts->pos_weight, a);
    tg_tensor *terms = tg_add(positive, tg_loss_weighed(tg_affine(y, -1, 1), b));
    return opts->weight ? tg_loss_weighed(opts->weight, terms) : terms;
}

static tg_tensor *cross(const char *op, tg_tensor *y, tg_tensor *a, tg_tensor *b,
                        tg_binary_cross_entropy_opts opts) {
    double share = 1;
    tg_tensor *out;
    do out = cross_terms(y, tg_loss_part(a, share), tg_loss_part(b, share), &opts);
    while (tg_loss_again(op, &out, y, opts.reduction, &share));
    return tg_neg(out);
}

/* log s(z) and log(1 - s(z)) = log s(-z) are smooth and exact at any z, so that the gradient, -y s(-z) +
 * (1 - y) s(z) = s(z) - y, needs no case for z = 0; and where one term is 0, the other has all its digits. */
tg_tensor *tg_binary_cross_entropy_with_logits_with(tg_tensor *logits, tg_tensor *target,
                                                    tg_binary_cross_entropy_with_logits_opts opts) {
    TG_COMPOSED("binary_cross_entropy_with_logits");
    const char *op = "binary_cross_entropy_with_logits";
    if (!tg_loss_pair(op, logits, target) || !check_unit(op, "target", target)) return tg_poison();
    if (!tg_loss_weight(op, "weight", opts.weight, logits)) return tg_poison();
    if (!tg_loss_weight(op, "pos_weight", opts.pos_weight, logits)) return tg_poison();
    return cross(op, target, tg_logsigmoid(logits), tg_logsigmoid(tg_neg(logits)), opts);
}

/* bounded_log is max(log p, -100); bounded_log_of_rest is max(log(1 - p), -100), accurate where p is small. The gradient is 0
 * where the bound holds: p is replaced there before the logarithm too, since 0 times the slope 1/0 would be NaN. */
static tg_tensor *bounded_log(tg_tensor *p) {
    tg_tensor *tiny = tg_lt(p, tg_scalar(tg_dtype_of(p), exp(-100)));
    return tg_masked_fill(tg_log(tg_masked_fill(p, tiny, 1)), tiny, -100);
}
static tg_tensor *bounded_log_of_rest(tg_tensor *p) {
    tg_tensor *tiny = tg_eq(p, tg_scalar(tg_dtype_of(p), 1));
    return tg_masked_fill(tg_log1p(tg_neg(tg_masked_fill(p, tiny, 0))), tiny, -100);
}

tg_tensor *tg_binary_cross_entropy_with(tg_tensor *p, tg_tensor *target, tg_binary_cross_entropy_opts opts) {
    TG_COMPOSED("binary_cross_entropy");
    const char *op = "binary_cross_entropy";
    if (!tg_loss_pair(op, p, target) || !check_unit(op, "target", target) || !check_unit(op, "probability", p))
        return tg_poison();
    if (!tg_loss_weight(op, "weight", opts.weight, p)) return tg_poison();
    if (opts.pos_weight) {
        tg_fail(TG_ERR_ARGUMENT, "%s: takes no pos_weight: only %s_with_logits does", op, op);
        return tg_poison();
    }
    return cross(op, target, bounded_log(p), bounded_log_of_rest(p), opts);
}
