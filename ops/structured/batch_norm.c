/* batch_norm, by kernels on channels; its gradient is also written with ops. group_norm is a composition. */
#include "ops/structured/batch_norm.h"

#include "autograd/tape.h"
#include "ops/shared.h"
#include "ops/structured/normalised.h"

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

/* ---- batch_norm: x, weight, bias and the given mean and variance to y and the mean and variance that were used ---- */

typedef struct batch_attr {
    double eps;
    bool given;
} batch_attr;

static const tg_attr_field batch_fields[] = {
    {"eps", TG_ATTR_REAL, offsetof(batch_attr, eps)},
    {"given", TG_ATTR_BOOL, offsetof(batch_attr, given)},
};

enum { X, WEIGHT, BIAS, MEAN, VAR, INPUTS };

static tg_status batch_infer(const tg_call *call) {
    const tg_array *x = call->in[X];
    const batch_attr *a = call->attr;
    tg_status s = tg_call_float(call, X);
    if (s != TG_OK) return s;
    if (x->rank < 2 || !(a->eps >= 0 && a->eps < INFINITY) || (a->given && !(call->in[MEAN] && call->in[VAR])))
        return tg_call_fail(call, TG_ERR_ARGUMENT,
                            "needs [images, channels, ..], a finite eps and what is given: %s",
                            tg_call_input(call, X));
    for (int i = WEIGHT; i < INPUTS; i++) {
        const tg_array *p = call->in[i];
        if (p && p->dtype != x->dtype) return tg_call_dtypes_differ(call, X, i);
        if (p && (p->rank != 1 || p->numel != x->shape[1]))
            return tg_call_fail(call, TG_ERR_SHAPE, "%s must have one number for each channel of %s",
                                tg_call_input(call, i), tg_call_input(call, X));
    }
    s = tg_infer_same(call);
    int64_t channels = x->numel ? x->shape[1] : 0; /* there may be more than memory has room for */
    for (int i = 1; s == TG_OK && i < 3; i++) s = tg_out(call, i, (tg_dtype)x->dtype, TG_SHAPE(channels));
    return s;
}

static tg_channel_norm norm_of(const tg_array *x, const batch_attr *a) {
    tg_channel_norm f = {
        .images = x->shape[0], .channels = x->shape[1], .places = 1, .eps = a->eps, .given = a->given};
    for (int i = 2; i < x->rank; i++) f.places *= x->shape[i];
    return f;
}

static tg_status batch_forward(const tg_call *call) {
    tg_array dense[3] = {{0}};
    const tg_array *p[3] = {NULL}, *const *given = call->in + MEAN;
    const batch_attr *a = call->attr;
    tg_channel_norm f = norm_of(call->in[X], a);
    if (call->in[X]->numel == 0) return TG_OK;
    tg_status s = tg_all_contiguous(3, call->in, dense, p);
    for (int i = 0; s == TG_OK && i < 2 && a->given; i++) tg_array_copy(call->out[1 + i], given[i]);
    if (s == TG_OK)
        s = tg_map_channel_norm(&f, p[X], p[WEIGHT], p[BIAS], call->out[1], call->out[2], call->out[0]);
    tg_drop_all(3, dense);
    return s;
}

/* [images, channels, ..] as [channels, elements], and back to the shape of x. */
static tg_tensor *as_rows(tg_tensor *t) {
    int64_t channels = tg_size(t, 1);
    return tg_reshape_with(tg_transpose(t, 0, 1), TG_SHAPE(channels, channels ? tg_numel(t) / channels : 0));
}
static tg_tensor *from_rows(tg_tensor *rows, const tg_tensor *x) {
    tg_shape s = tg_shape_of(x);
    int64_t images = s.dim[0];
    s.dim[0] = s.dim[1], s.dim[1] = images;
    return tg_transpose(tg_reshape_with(rows, s), 0, 1);
}
static tg_tensor *row_sum(tg_tensor *rows) {
    return tg_sum_with(rows, (tg_reduce_opts){.axes = TG_SHAPE(1)});
}

/* Of given moments dx = g w / deviation. An x without elements is its own z. */
static tg_tensor *given_grad(const tg_node *n, tg_tensor *g, tg_tensor **z) {
    tg_tensor *x = n->in[X], *w = n->in[WEIGHT], *mean = tg_detach(n->out[1]), *var = tg_detach(n->out[2]);
    tg_tensor *h = w ? tg_mul(g, column(w, x)) : g;
    if (tg_numel(x) == 0) {
        *z = as_rows(x);
        return h;
    }
    tg_tensor *deviation = column(tg_sqrt(tg_add_scalar(var, ((const batch_attr *)n->attr)->eps)), x);
    *z = as_rows(tg_div(tg_sub(x, column(mean, x)), deviation));
    return tg_div(h, deviation);
}

/* With the channels as rows it is layer_norm's. */
static void batch_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const batch_attr *a = n->attr;
    tg_tensor *x = n->in[X], *w = n->in[WEIGHT], *g = as_rows(dout[0]), *z, *dx;
    if (a->given) {
        dx = given_grad(n, dout[0], &z);
    } else {
        tg_normalised r = tg_normalised_over(as_rows(x), (tg_normalised_opts){1, a->eps, true});
        z = r.z;
        if (!tg_is_alive(z)) return;
        tg_tensor *h = w ? tg_mul(g, tg_reshape_with(w, TG_SHAPE(tg_numel(w), 1))) : g;
        dx = tg_needs(n, X) ? from_rows(tg_normalised_grad(&r, h), x) : NULL;
    }
    if (tg_needs(n, X)) din[X] = dx;
    if (tg_needs(n, WEIGHT)) din[WEIGHT] = row_sum(tg_mul(g, z));
    if (tg_needs(n, BIAS)) din[BIAS] = row_sum(g);
}

static tg_status batch_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *in[3] = {dout[0], tg_node_in(n, X), n->in[WEIGHT] ? tg_node_in(n, WEIGHT) : NULL};
    const tg_array *wanted[3] = {NULL}, *p[3];
    tg_channel_norm f = norm_of(in[1], n->attr);
    tg_array dense[3] = {{0}};
    tg_status s = tg_all_contiguous(3, in, dense, p);
    for (int i = 0; s == TG_OK && i < 3; i++) {
        if (!tg_needs(n, i)) continue;
        s = tg_array_alloc_like(&din[i], tg_node_in(n, i));
        wanted[i] = &din[i];
        if (s == TG_OK && in[1]->numel == 0) tg_array_fill(&din[i], 0);
    }
    if (s == TG_OK && in[1]->numel > 0)
        s = tg_map_channel_norm_grad(&f, p[0], p[1], p[2], tg_node_out(n, 1), tg_node_out(n, 2), wanted[X],
                                     wanted[WEIGHT], wanted[BIAS]);
    tg_drop_all(3, dense);
    return s;
}

const tg_op tg_op_batch_norm = {
    .name = "batch_norm",
    .formula =
        "out, mean, var = (x - mean) / sqrt(var + eps) * weight + bias, of each channel; those of x, or given",
    .rule =
        "z = (x - mean) / sqrt(var + eps); h = dout * weight; dx = h / sqrt(var + eps) where given, else (h - mean(h) - z * mean(h * z)) / sqrt(var + eps); dweight = sum(dout * z); dbias = sum(dout)",
    .n_in = INPUTS,
    .n_out = 3,
    .save = TG_IN(X) | TG_IN(WEIGHT) | TG_OUT(1) | TG_OUT(2),
    .optional = TG_IN(WEIGHT) | TG_IN(BIAS) | TG_IN(MEAN) | TG_IN(VAR),
    .no_grad = TG_IN(MEAN) | TG_IN(VAR),
    TG_ATTRS(batch_attr, batch_fields),
    .infer = batch_infer,
    .forward = batch_forward,
    .grad = batch_grad,
    .grad_kernel = batch_grad_kernel,
};

/* Moves the running values towards those of the batch. Both are computed first, so that a failure changes neither. */
static bool move_running(const tg_batch_norm_opts *o, double n, tg_tensor *const now[2]) {
    double m = tg_option(o->momentum, 0.1), unbiased = n / (n - 1);
    tg_tensor *running[2] = {o->running_mean, o->running_var}, *next[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        if (!running[i]) continue;
        next[i] = tg_add(tg_mul_scalar(running[i], 1 - m), tg_mul_scalar(now[i], i ? m * unbiased : m));
        if (tg_is_poison(next[i])) return false;
    }
    for (int i = 0; i < 2; i++)
        if (running[i] && tg_copy_(running[i], next[i]) != TG_OK) return false;
    return true;
}

static tg_tensor *apply(tg_tensor *x, const tg_batch_norm_opts *o, double eps) {
    batch_attr a = {eps, !o->training};
    tg_tensor *in[INPUTS] = {x, o->weight, o->bias, NULL, NULL}, *out[TG_MAX_OUT];
    if (a.given) in[MEAN] = o->running_mean, in[VAR] = o->running_var;
    bool moves = o->training && (o->running_mean || o->running_var), was = tg_grad_enabled();
    if (tg_apply_multi(&tg_op_batch_norm, in, INPUTS, &a, out) != TG_OK) return tg_poison();
    if (!moves) return out[0];
    tg_set_grad_enabled(false);
    bool moved = move_running(o, (double)(tg_numel(x) / (tg_size(x, 1) ? tg_size(x, 1) : 1)), out + 1);
    tg_set_grad_enabled(was);
    return moved ? out[0] : tg_poison();
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
    if (o.training && tg_size(x, 1) && tg_numel(x) / tg_size(x, 1) < 2)
        return tg_fail_operand(TG_ERR_SHAPE, "batch_norm", x, "training needs more than one number a channel");
    if (!o.training && (!o.running_mean || !o.running_var))
        return tg_fail_operand(TG_ERR_SHAPE, "batch_norm", x,
                               "without training, running_mean and running_var must be given");
    return apply(x, &o, eps);
}
