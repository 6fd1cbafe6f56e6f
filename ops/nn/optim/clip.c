/* Gradients of a model cleared, or made smaller, all together or each element. */
#include "autograd/composed.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "core/work.h"
#include "ops/elementwise/inplace.h"
#include "ops/nn/optim/optim.h"
#include "ops/reduce/vector_norm.h"

#include <math.h>

static const char norm_name[] = "tg_clip_grad_norm", value_name[] = "tg_clip_grad_value";

/* ---- what cannot fail ---- */

typedef struct change {
    const tg_array *a; /* contiguous, as tg_backward leaves gradients */
    double by;
} change;

static void scale(void *context, int64_t begin, int64_t end) {
    const change *c = context;
    float *x = c->a->data, by = (float)c->by;
    double *y = c->a->data;
    for (int64_t i = begin; i < end && c->a->dtype == TG_F32; i++) x[i] *= by;
    for (int64_t i = begin; i < end && c->a->dtype == TG_F64; i++) y[i] *= c->by;
}

static void clamp(void *context, int64_t begin, int64_t end) {
    const change *c = context;
    float *x = c->a->data, most = (float)c->by;
    double *y = c->a->data;
    for (int64_t i = begin; i < end && c->a->dtype == TG_F32; i++)
        x[i] = x[i] < -most ? -most : x[i] > most ? most : x[i];
    for (int64_t i = begin; i < end && c->a->dtype == TG_F64; i++)
        y[i] = y[i] < -c->by ? -c->by : y[i] > c->by ? c->by : y[i];
}

/* ---- all gradients of a model ---- */

typedef struct gradients {
    int n;
    tg_tensor **at; /* on the tape, sharing the elements */
    size_t size;
} gradients;

static gradients collect(tg_model *model, const char *who) {
    int most = tg_model_count(model);
    gradients g = {.size = ((size_t)most + 1) * sizeof *g.at};
    g.at = tg_alloc(g.size);
    if (!g.at) tg_fail(TG_ERR_MEMORY, "%s: there is no memory for %d gradients", who, most);
    for (int i = 0; i < most && tg_error_status() == TG_OK; i++) {
        const tg_tensor *p = tg_model_at(model, i);
        if (tg_has_grad(p)) g.at[g.n++] = tg_grad_of(p);
    }
    return g;
}

static tg_status change_all(const gradients *g, void (*f)(void *, int64_t, int64_t), double by,
                            const char *who) {
    if (tg_error_status() != TG_OK) return tg_error_status();
    for (int i = 0; i < g->n; i++) {
        change c = {.a = tg_inplace(g->at[i], who), .by = by};
        if (c.a) tg_parallel_for(c.a->numel, 32768, f, &c);
    }
    return tg_error_status();
}

/* The norm of the norms, each in its gradient's dtype. */
static double norm_of(const gradients *g, double p) {
    tg_tensor *norms = tg_zeros_with(TG_F64, TG_SHAPE(g->n));
    for (int i = 0; i < g->n && tg_error_status() == TG_OK; i++) {
        double norm = tg_item(tg_norm_with(g->at[i], (tg_norm_opts){.p = p}));
        if (tg_error_status() == TG_OK) tg_array_set(tg_array_of(norms), i, norm);
    }
    return g->n ? tg_item(tg_norm_with(norms, (tg_norm_opts){.p = p})) : 0;
}

static double clip_norm(const gradients *g, double max_norm, tg_clip_grad_norm_opts opts) {
    double norm = norm_of(g, opts.norm_type), factor = max_norm / (norm + 1e-6);
    if (tg_error_status() != TG_OK) return NAN;
    if (opts.error_if_nonfinite && !isfinite(norm))
        tg_fail(TG_ERR_ARGUMENT, "%s: the norm of the gradients is %g", norm_name, norm);
    else if (!(factor >= 1) && max_norm < INFINITY)
        change_all(g, scale, factor, norm_name);
    return tg_error_status() == TG_OK ? norm : NAN;
}

/* ---- what is told as a whole, so that nobody hears of what it does ---- */

typedef struct clipping {
    tg_model *model;
    double most, norm_type;
    int64_t error_if_nonfinite; /* no bool, behind which there would be bytes without a value */
} clipping;

static double clip_all(tg_model *model, double max_norm, tg_clip_grad_norm_opts opts) {
    TG_COMPOSED(norm_name);
    if (tg_error_status() == TG_OK && !(max_norm >= 0))
        tg_fail(TG_ERR_ARGUMENT, "%s: max_norm is %g", norm_name, max_norm);
    if (tg_error_status() != TG_OK) return NAN;
    tg_mark before = tg_tape_mark();
    bool recording = tg_set_grad_enabled(false);
    gradients g = collect(model, norm_name);
    double norm = tg_error_status() == TG_OK ? clip_norm(&g, max_norm, opts) : NAN;
    tg_dealloc(g.at, g.size);
    tg_set_grad_enabled(recording);
    tg_tape_rewind(before);
    return norm;
}

static double clip_alone(const clipping *c) {
    tg_listener *l = tg_listen_not();
    double norm = clip_all(
        c->model, c->most,
        (tg_clip_grad_norm_opts){.norm_type = c->norm_type, .error_if_nonfinite = c->error_if_nonfinite});
    tg_listen_again(l);
    return norm;
}

static tg_status clip_again(const tg_array *const *none, const void *data) {
    (void)none;
    clip_alone(data);
    return tg_error_status();
}

double tg_clip_grad_norm_with(tg_model *model, double max_norm, tg_clip_grad_norm_opts opts) {
    const clipping c = {model, max_norm, opts.norm_type, opts.error_if_nonfinite};
    const tg_work w = {.name = norm_name, .run = clip_again, .outside = true, .data = &c, .size = sizeof c};
    if (!tg_work_may(&w)) return NAN;
    double norm = clip_alone(&c);
    if (tg_error_status() == TG_OK) tg_work_tell(&w, NULL);
    return norm;
}

static tg_status clamp_all(tg_model *model, double max) {
    TG_COMPOSED(value_name);
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!(max >= 0)) return tg_fail(TG_ERR_ARGUMENT, "%s: max is %g", value_name, max);
    tg_mark before = tg_tape_mark();
    bool recording = tg_set_grad_enabled(false);
    gradients g = collect(model, value_name);
    change_all(&g, clamp, max, value_name);
    tg_dealloc(g.at, g.size);
    tg_set_grad_enabled(recording);
    tg_tape_rewind(before);
    return tg_error_status();
}

static tg_status clamp_alone(const tg_array *const *none, const void *data) {
    const clipping *c = data;
    (void)none;
    tg_listener *l = tg_listen_not();
    tg_status status = clamp_all(c->model, c->most);
    tg_listen_again(l);
    return status;
}

tg_status tg_clip_grad_value(tg_model *model, double max) {
    const clipping c = {.model = model, .most = max};
    return TG_WORK_DO(clamp_alone, NULL, &c, .name = value_name, .outside = true, .size = sizeof c);
}

static tg_status zero_grads(const tg_array *const *none, const void *data) {
    TG_NAMED("tg_model_zero_grad");
    (void)none;
    tg_model *model = *(tg_model *const *)data;
    tg_listener *l = tg_listen_not();
    int n = tg_model_count(model);
    for (int i = 0; i < n; i++) tg_zero_grad(tg_model_at(model, i));
    tg_listen_again(l);
    return tg_error_status();
}

void tg_model_zero_grad(tg_model *model) {
    TG_WORK_DO(zero_grads, NULL, &model, .name = "tg_model_zero_grad", .outside = true, .size = sizeof model);
}
