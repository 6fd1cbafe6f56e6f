/* batch_norm and group_norm are compositions of other ops. */
#include "autograd/tape.h"
#include "ops/reduce/spread.h"

#include <math.h>

/* Whether t, called `what`, is NULL or a vector of the channels of x; raises the error otherwise. */
static bool is_channels(const char *name, const char *what, const tg_tensor *t, const tg_tensor *x) {
    if (!t) return true;
    if (!tg_check_argument(t, name, what)) return false;
    if (tg_rank(t) == 1 && tg_numel(t) == tg_size(x, 1)) return true;
    tg_fail_operand(TG_ERR_SHAPE, name, t, "%s must be [%lld], one number a channel", what,
                    (long long)tg_size(x, 1));
    return false;
}

static bool check(const char *name, const tg_tensor *x, double eps) {
    const tg_array *a = tg_operand(x, name, 0);
    if (!a) return false;
    if (a->rank < 2)
        tg_fail_operand(TG_ERR_SHAPE, name, x, "needs [images, channels, ..]");
    else if (!(eps >= 0 && eps < INFINITY))
        tg_fail_operand(TG_ERR_ARGUMENT, name, x, "eps must be finite and not negative, but is %g", eps);
    else
        return true;
    return false;
}

/* A vector of channels, reshaped to broadcast to x. */
static tg_tensor *column(tg_tensor *t, const tg_tensor *x) {
    tg_shape s = {tg_rank(x) - 1, {tg_size(x, 1), 1, 1, 1, 1, 1, 1, 1}};
    return tg_reshape_with(t, s);
}

static tg_tensor *scaled(tg_tensor *y, tg_tensor *weight, tg_tensor *bias) {
    tg_tensor *z = weight ? tg_mul(y, column(weight, y)) : y;
    if (weight && !tg_is_poison(z)) tg_drop_temporary(y);
    if (!bias) return z;
    tg_tensor *sum = tg_add(z, column(bias, y));
    tg_drop_temporary(z);
    return sum;
}

tg_tensor *tg_group_norm_with(tg_tensor *x, int64_t groups, tg_group_norm_opts o) {
    TG_COMPOSED("group_norm");
    if (!check("group_norm", x, o.eps)) return tg_poison();
    if (!is_channels("group_norm", "the weight", o.weight, x) ||
        !is_channels("group_norm", "the bias", o.bias, x))
        return tg_poison();
    tg_shape shape = tg_shape_of(x);
    if (groups < 1 || shape.dim[1] % groups)
        return tg_fail_operand(TG_ERR_SHAPE, "group_norm", x,
                               "%lld channels cannot be divided among %lld groups", (long long)shape.dim[1],
                               (long long)groups);
    int64_t rows;
    if (__builtin_mul_overflow(shape.dim[0], groups, &rows))
        return tg_fail_operand(TG_ERR_SHAPE, "group_norm", x,
                               "%lld groups of each image are more than can be counted", (long long)groups);
    tg_shape flat = TG_SHAPE(rows, rows ? tg_numel(x) / rows : 0);
    tg_tensor *y = tg_layer_norm_with(tg_reshape_with(x, flat), (tg_layer_norm_opts){.eps = o.eps});
    return scaled(tg_reshape_with(y, shape), o.weight, o.bias);
}

/* All axes but the channels. */
static tg_shape others(const tg_tensor *x) {
    tg_shape axes = {tg_rank(x) - 1, {0, 2, 3, 4, 5, 6, 7}};
    return axes;
}

/* [images, channels, ..] as [channels, images, ..], or back. */
static tg_tensor *swapped(tg_tensor *t) { return tg_transpose(t, 0, 1); }

/* The channels as rows of layer_norm. */
static tg_tensor *by_rows(tg_tensor *x, double eps) {
    tg_shape first = tg_shape_of(x);
    int64_t images = first.dim[0], channels = first.dim[1];
    first.dim[0] = channels, first.dim[1] = images;
    tg_tensor *rows = tg_reshape_with(swapped(x), TG_SHAPE(channels, channels ? tg_numel(x) / channels : 0));
    return swapped(tg_reshape_with(tg_layer_norm_with(rows, (tg_layer_norm_opts){.eps = eps}), first));
}

/* Whether it costs less to copy x with its channels first, as rows, than not to have rows: of images with many places, and
 * where there are so few numbers that calls are what costs. */
static bool is_cheap_by_rows(const tg_tensor *x) {
    return tg_numel(x) < 1024 || tg_numel(x) >= 16 * tg_size(x, 0) * tg_size(x, 1);
}

/* Whether a gradient will flow to a channel of which one element has nearly all the squares, which only layer_norm computes
 * right. After a failure the spread is poison. */
static bool is_dominated(tg_spread *s, tg_shape axes) {
    if (!tg_is_alive(s->sum) || !tg_requires_grad(s->d) || tg_numel(s->d) == 0) return false;
    tg_tensor *d = tg_detach(s->d), *most = tg_amax_with(d, (tg_reduce_opts){.axes = axes, .keepdim = true});
    tg_tensor *least = tg_amin_with(d, (tg_reduce_opts){.axes = axes, .keepdim = true});
    bool found = false, failed = !tg_is_alive(most) || !tg_is_alive(least);
    for (int64_t i = 0; !failed && i < tg_numel(least); i++) {
        double size = fmax(tg_array_get(tg_array_of(most), i), -tg_array_get(tg_array_of(least), i));
        if (size * size > (0.875 - 1 / s->n) * tg_array_get(tg_array_of(s->sum), i)) found = true;
    }
    tg_drop_temporary(most), tg_drop_temporary(least), tg_drop_temporary(d);
    if (failed) s->d = s->sum = tg_poison();
    return found;
}

/* Moves the running values towards those of the batch. Both are computed first, so that a failure changes neither. */
static bool move_running(const tg_batch_norm_opts *o, const tg_spread *s) {
    double m = tg_option(o->momentum, 0.1), unbiased = s->n / (s->n - 1);
    tg_tensor *var = tg_mul_scalar(s->sum, 1 / s->n);
    if (s->scale) var = tg_mul(tg_mul(var, s->scale), s->scale);
    if (tg_is_poison(var)) return false;
    tg_tensor *running[2] = {o->running_mean, o->running_var}, *next[2] = {NULL, NULL},
              *now[2] = {s->mean, var};
    for (int i = 0; i < 2; i++) {
        if (!running[i]) continue;
        tg_tensor *flat = tg_reshape_with(now[i], TG_SHAPE(-1));
        next[i] = tg_add(tg_mul_scalar(running[i], 1 - m), tg_mul_scalar(flat, i ? m * unbiased : m));
        if (tg_is_poison(next[i])) return false;
    }
    for (int i = 0; i < 2; i++)
        if (running[i] && tg_copy_(running[i], next[i]) != TG_OK) return false;
    return true;
}

static tg_tensor *batch_norm_training(tg_tensor *x, const tg_batch_norm_opts *o, double eps) {
    tg_spread_opts over = {.axes = others(x), .keepdim = true, .eps = eps};
    bool moves = o->running_mean || o->running_var, rows = is_cheap_by_rows(x), was = tg_grad_enabled();
    tg_spread s = {0};
    tg_set_grad_enabled(was && !rows);
    if (!rows || moves) s = tg_spread_over(x, over);
    tg_set_grad_enabled(was);
    rows = rows || is_dominated(&s, over.axes);
    tg_tensor *y = rows ? by_rows(x, eps) : tg_div(s.d, tg_spread_root(&s, eps));
    if (rows) tg_drop_temporary(s.d);
    y = scaled(y, o->weight, o->bias);
    if (tg_is_poison(y) || !moves) return y;
    tg_set_grad_enabled(false);
    bool moved = move_running(o, &s);
    tg_set_grad_enabled(was);
    return moved ? y : tg_poison();
}

tg_tensor *tg_batch_norm_with(tg_tensor *x, tg_batch_norm_opts o) {
    TG_COMPOSED("batch_norm");
    static const char *const names[4] = {"the weight", "the bias", "running_mean", "running_var"};
    tg_tensor *of_channels[4] = {o.weight, o.bias, o.running_mean, o.running_var};
    double eps = tg_option(o.eps, 1e-5);
    if (!check("batch_norm", x, eps)) return tg_poison();
    if (!(o.momentum >= 0 && o.momentum <= 1))
        return tg_fail_operand(TG_ERR_ARGUMENT, "batch_norm", x, "momentum is %g, outside [0, 1]", o.momentum);
    for (int i = 0; i < 4; i++)
        if (!is_channels("batch_norm", names[i], of_channels[i], x)) return tg_poison();
    if (o.training) {
        if (tg_size(x, 1) && tg_numel(x) / tg_size(x, 1) < 2)
            return tg_fail_operand(TG_ERR_SHAPE, "batch_norm", x,
                                   "training needs more than one number a channel");
        return batch_norm_training(x, &o, eps);
    }
    if (!o.running_mean || !o.running_var)
        return tg_fail_operand(TG_ERR_SHAPE, "batch_norm", x,
                               "without training, running_mean and running_var must be given");
    tg_tensor *deviation = tg_sqrt(tg_add_scalar(tg_detach(o.running_var), eps));
    tg_tensor *y = tg_div(tg_sub(x, column(tg_detach(o.running_mean), x)), column(deviation, x));
    return scaled(y, o.weight, o.bias);
}
