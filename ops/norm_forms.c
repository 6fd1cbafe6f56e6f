/* batch_norm and group_norm, made of other ops. */
#include "autograd/tape.h"
#include "ops/spread.h"

#include <math.h>

static tg_tensor *fail(const char *name, const char *what, const tg_tensor *t) {
    char text[160];
    tg_fail(TG_ERR_SHAPE, "%s: %s: %s", name, what, tg_describe(t, text, sizeof text));
    return tg_poison();
}

/* t is NULL or a vector of the channels of x. Raises the error. */
static bool is_channels(const char *name, const tg_tensor *t, const tg_tensor *x) {
    if (!t) return true;
    int rank = tg_rank(t);
    if (!tg_is_alive(t)) return false;
    if (rank == 1 && tg_numel(t) == tg_size(x, 1)) return true;
    return fail(name, "not a vector of one number a channel", t), false;
}

static bool check(const char *name, const tg_tensor *x, double eps) {
    int rank = tg_rank(x);
    if (!tg_is_alive(x)) return false;
    if (rank < 2) return fail(name, "needs [images, channels, ..]", x), false;
    if (eps >= 0 && eps < INFINITY) return true;
    tg_fail(TG_ERR_ARGUMENT, "%s: eps is %g: it must be finite and not negative", name, eps);
    return false;
}

/* A vector of channels in the form that broadcasts to x. */
static tg_tensor *column(tg_tensor *t, const tg_tensor *x) {
    tg_shape s = {tg_rank(x) - 1, {tg_size(x, 1), 1, 1, 1, 1, 1, 1, 1}};
    return (tg_reshape)(t, s);
}

static tg_tensor *scaled(tg_tensor *y, tg_tensor *weight, tg_tensor *bias) {
    tg_tensor *z = weight ? tg_mul(y, column(weight, y)) : y;
    if (weight && !tg_is_poison(z)) tg_drop_temporary(y);
    if (!bias) return z;
    tg_tensor *sum = tg_add(z, column(bias, y));
    tg_drop_temporary(z);
    return sum;
}

tg_tensor *(tg_group_norm)(tg_tensor *x, int64_t groups, tg_group_norm_opts o) {
    TG_COMPOSED("group_norm");
    if (!check("group_norm", x, o.eps)) return tg_poison();
    if (!is_channels("group_norm", o.weight, x) || !is_channels("group_norm", o.bias, x)) return tg_poison();
    tg_shape shape = tg_shape_of(x);
    if (groups < 1 || shape.dim[1] % groups)
        return fail("group_norm", "its channels do not make equal groups", x);
    int64_t rows;
    if (__builtin_mul_overflow(shape.dim[0], groups, &rows)) return fail("group_norm", "too many groups", x);
    tg_shape flat = TG_SHAPE(rows, rows ? tg_numel(x) / rows : 0);
    tg_tensor *y = tg_layer_norm((tg_reshape)(x, flat), .eps = o.eps);
    return scaled((tg_reshape)(y, shape), o.weight, o.bias);
}

/* All axes but the channels. */
static tg_shape others(const tg_tensor *x) {
    tg_shape axes = {tg_rank(x) - 1, {0, 2, 3, 4, 5, 6, 7}};
    return axes;
}

/* The running value moves towards the new one; both values first, so that a failure changes neither. */
static bool move_running(const tg_batch_norm_opts *o, tg_tensor *mean, tg_tensor *var, double unbiased) {
    double m = tg_option(o->momentum, 0.1);
    tg_tensor *running[2] = {o->running_mean, o->running_var}, *next[2] = {NULL, NULL}, *now[2] = {mean, var};
    for (int i = 0; i < 2; i++) {
        if (!running[i]) continue;
        tg_tensor *flat = tg_reshape(now[i], -1);
        next[i] = tg_add(tg_mul_scalar(running[i], 1 - m), tg_mul_scalar(flat, i ? m * unbiased : m));
        if (tg_is_poison(next[i])) return false;
    }
    for (int i = 0; i < 2; i++)
        if (running[i] && tg_copy_(running[i], next[i]) != TG_OK) return false;
    return true;
}

static tg_tensor *batch_norm_training(tg_tensor *x, const tg_batch_norm_opts *o, double eps) {
    tg_spread s = tg_spread_over(x, (tg_spread_opts){.axes = others(x), .keepdim = true, .eps = eps});
    tg_tensor *y = scaled(tg_div(s.d, tg_spread_root(&s, eps)), o->weight, o->bias);
    if (tg_is_poison(y) || (!o->running_mean && !o->running_var)) return y;
    bool was = tg_set_grad_enabled(false);
    tg_tensor *var = tg_mul_scalar(s.sum, 1 / s.n);
    if (s.scale) var = tg_mul(tg_mul(var, s.scale), s.scale);
    bool moved = !tg_is_poison(var) && move_running(o, s.mean, var, s.n / (s.n - 1));
    tg_set_grad_enabled(was);
    return moved ? y : tg_poison();
}

tg_tensor *(tg_batch_norm)(tg_tensor *x, tg_batch_norm_opts o) {
    TG_COMPOSED("batch_norm");
    tg_tensor *of_channels[4] = {o.weight, o.bias, o.running_mean, o.running_var};
    double eps = tg_option(o.eps, 1e-5);
    if (!check("batch_norm", x, eps)) return tg_poison();
    if (!(o.momentum >= 0 && o.momentum <= 1)) {
        tg_fail(TG_ERR_ARGUMENT, "batch_norm: momentum is %g, outside [0, 1]", o.momentum);
        return tg_poison();
    }
    for (int i = 0; i < 4; i++)
        if (!is_channels("batch_norm", of_channels[i], x)) return tg_poison();
    if (o.training) {
        if (tg_size(x, 1) && tg_numel(x) / tg_size(x, 1) < 2)
            return fail("batch_norm", "training needs more than one number a channel", x);
        return batch_norm_training(x, &o, eps);
    }
    if (!o.running_mean || !o.running_var)
        return fail("batch_norm", "without training, running_mean and running_var must be given", x);
    tg_tensor *deviation = tg_sqrt(tg_add_scalar(tg_detach(o.running_var), eps));
    tg_tensor *y = tg_div(tg_sub(x, column(tg_detach(o.running_mean), x)), column(deviation, x));
    return scaled(y, o.weight, o.bias);
}
