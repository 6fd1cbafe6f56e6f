#include "ops/nn/optim.h"

#include "autograd/composed.h"
#include "core/memory.h"
#include "ops/elementwise/inplace.h"
#include "ops/nn/object.h"
#include "ops/shape/view.h"

#include <math.h>

/* ---- optimisers ---- */

/* What is remembered about the model's parameter of the same number. Moments are kept tensors of its dtype
 * and shape. */
typedef struct state {
    tg_tensor *param;     /* whose state it is; another handle means that the model replaced it */
    tg_tensor *moment[2]; /* as many as the optimiser has */
    tg_tensor *grad;      /* during a step; NULL: none */
    int64_t steps;
} state;

/* What a handle tg_optim * stands for. */
typedef struct optimiser {
    tg_model *model;
    double lr;
    int n_moments;
    bool adam;
    tg_sgd_opts sgd;
    tg_adam_opts opts;
    state *at;
    int count; /* states at `at`, and its size */
} optimiser;

static const char kind[] = "optimiser";

static optimiser *optimiser_of(const tg_optim *optim, const char *who) { return tg_object_of(optim, kind, who); }

static bool is_rate(double v) { return v >= 0 && !isinf(v); }

static tg_optim *make(const char *who, optimiser o) {
    TG_NAMED(who);
    tg_model_count(o.model); /* reports a model that is not valid */
    if (!is_rate(o.lr)) tg_fail(TG_ERR_ARGUMENT, "%s: the learning rate %g is negative or not finite", who, o.lr);
    if (tg_error_status() != TG_OK) return NULL;
    tg_optim *optim = tg_object_new(sizeof o, kind, who);
    if (optim) *optimiser_of(optim, who) = o;
    return optim;
}

tg_optim *(tg_sgd)(tg_model *model, double lr, tg_sgd_opts opts) {
    if (!is_rate(opts.momentum) || !is_rate(opts.weight_decay)) {
        tg_fail(TG_ERR_ARGUMENT, "tg_sgd: momentum %g or weight_decay %g is negative or not finite",
                opts.momentum, opts.weight_decay);
        return NULL;
    }
    bool momentum = opts.momentum > 0;
    if (opts.nesterov && !momentum) {
        tg_fail(TG_ERR_ARGUMENT, "tg_sgd: nesterov needs a momentum");
        return NULL;
    }
    return make("tg_sgd", (optimiser){.model = model, .lr = lr, .n_moments = momentum, .sgd = opts});
}

tg_optim *(tg_adam)(tg_model *model, double lr, tg_adam_opts opts) {
    opts.beta1 = tg_option(opts.beta1, 0.9);
    opts.beta2 = tg_option(opts.beta2, 0.999);
    opts.eps = tg_option(opts.eps, 1e-8);
    const char *wrong = !(opts.beta1 >= 0 && opts.beta1 < 1) ? "beta1"
                        : !(opts.beta2 >= 0 && opts.beta2 < 1) ? "beta2"
                        : !is_rate(opts.eps)                   ? "eps"
                        : !is_rate(opts.weight_decay)          ? "weight_decay"
                                                               : NULL;
    if (wrong) {
        tg_fail(TG_ERR_ARGUMENT, "tg_adam: %s is out of range: beta1 %g, beta2 %g, eps %g, weight_decay %g",
                wrong, opts.beta1, opts.beta2, opts.eps, opts.weight_decay);
        return NULL;
    }
    return make("tg_adam", (optimiser){.model = model, .lr = lr, .n_moments = 2, .adam = true, .opts = opts});
}

static void forget(state *s) {
    for (int k = 0; k < 2; k++)
        if (s->moment[k]) tg_free(s->moment[k]);
    *s = (state){0};
}

void tg_optim_free(tg_optim *optim) {
    optimiser *o = optim ? optimiser_of(optim, "tg_optim_free") : NULL;
    if (!o) return;
    for (int i = 0; i < o->count; i++) forget(&o->at[i]);
    tg_dealloc(o->at, (size_t)o->count * sizeof *o->at);
    tg_object_free(optim);
}

double tg_optim_lr(const tg_optim *optim) {
    const optimiser *o = optimiser_of(optim, "tg_optim_lr");
    return o ? o->lr : NAN;
}

tg_status tg_optim_set_lr(tg_optim *optim, double lr) {
    optimiser *o = optimiser_of(optim, "tg_optim_set_lr");
    if (!o) return tg_error_status();
    if (!is_rate(lr))
        return tg_fail(TG_ERR_ARGUMENT, "tg_optim_set_lr: the learning rate %g is negative or not finite",
                       lr);
    o->lr = lr;
    return TG_OK;
}

/* ---- a step: everything that can fail, then the updates ---- */

/* A state, maybe empty, for each of n parameters. */
static tg_status grow(optimiser *o, int n) {
    if (n <= o->count) return TG_OK;
    size_t bytes;
    state *at = tg_size_mul((size_t)n, sizeof *at, &bytes) ? tg_alloc(bytes) : NULL;
    if (!at) return tg_fail(TG_ERR_MEMORY, "tg_optim_step: no memory for the state of %d parameters", n);
    for (int i = 0; i < n; i++) at[i] = i < o->count ? o->at[i] : (state){0};
    tg_dealloc(o->at, (size_t)o->count * sizeof *at);
    o->at = at, o->count = n;
    return TG_OK;
}

/* Makes sure of everything the update of p needs. A state that was not there before has steps = 0. */
static tg_status prepare(const optimiser *o, state *s, tg_tensor *p) {
    if (s->param != p) forget(s);
    s->param = p;
    s->grad = NULL;
    if (!tg_data(p)) return tg_error_status();
    if (!tg_has_grad(p)) return TG_OK;
    s->grad = (tg_contiguous)((tg_grad_of)(p));
    for (int k = 0; k < o->n_moments && !s->moment[k]; k++) {
        s->moment[k] = (tg_keep)((tg_zeros)(tg_dtype_of(p), tg_shape_of(p)));
        if (tg_is_poison(s->moment[k])) s->moment[k] = NULL;
    }
    return tg_error_status();
}

static tg_status prepare_all(optimiser *o, int n) {
    tg_status status = grow(o, n);
    int used = 0;
    for (int i = 0; status == TG_OK && i < n; i++) {
        status = prepare(o, &o->at[i], tg_model_at(o->model, i));
        used += o->at[i].grad != NULL;
    }
    if (status == TG_OK && !used)
        status = tg_fail(TG_ERR_TAPE, "tg_optim_step: no parameter has a gradient; call tg_backward first");
    if (status != TG_OK)
        for (int i = 0; i < o->count; i++)
            if (o->at[i].steps == 0) forget(&o->at[i]);
    return status;
}

/* One pass over the parameter. It cannot fail: all is there, and of one shape. */
static void update(const optimiser *o, state *s) {
    s->steps++;
    if (o->adam)
        (tg_adam_)(s->param, s->moment[0], s->moment[1], s->grad,
                   (tg_adam_update){o->lr, o->opts.beta1, o->opts.beta2, o->opts.eps, o->opts.weight_decay,
                                    o->opts.decoupled, s->steps});
    else
        (tg_sgd_)(s->param, s->moment[0], s->grad,
                  (tg_sgd_update){o->lr, o->sgd.momentum, o->sgd.weight_decay, o->sgd.nesterov});
    (tg_zero_grad)(s->param);
}

tg_status(tg_optim_step)(tg_optim *optim) {
    TG_COMPOSED("tg_optim_step");
    if (tg_error_status() != TG_OK) return tg_error_status();
    optimiser *o = optimiser_of(optim, "tg_optim_step");
    int n = o ? tg_model_count(o->model) : 0;
    if (tg_error_status() != TG_OK) return tg_error_status();
    tg_mark before = tg_tape_mark();
    bool recording = tg_set_grad_enabled(false);
    tg_status status = prepare_all(o, n);
    for (int i = 0; status == TG_OK && i < n; i++)
        if (o->at[i].grad) update(o, &o->at[i]);
    tg_set_grad_enabled(recording);
    (tg_tape_rewind)(before);
    return status;
}

void tg_model_zero_grad(tg_model *model) {
    TG_NAMED("tg_model_zero_grad");
    int n = tg_model_count(model);
    for (int i = 0; i < n; i++) (tg_zero_grad)(tg_model_at(model, i));
}
