/* Value, gradient and Hessian of a call at each point. An elementwise call takes all points at once, another one point
 * after the other. Both forms of the gradient rules run: `first` comes from a walk that is not recorded, `recorded` and the
 * second order from one that is. */
#include "tests/sweep/sweep.h"

#include <math.h>
#include <stdlib.h>

static double *numbers(int64_t n) {
    double *v = malloc(sizeof *v * (size_t)(n ? n : 1));
    sweep_require(v != NULL, "memory", "out of it");
    for (int64_t i = 0; i < n; i++) v[i] = NAN;
    return v;
}

void computed_free(computed *c) { free(c->value), free(c->first), free(c->recorded), free(c->second); }

/* ---- the inputs of points [from, from + n) ---- */

static tg_tensor *make_input(const golden *g, int i, int from, int n) {
    const struct golden_input *in = &g->in[i];
    int column = 0;
    for (int k = 0; k < i; k++) column += g->in[k].width;
    tg_tensor *t =
        tg_zeros_with(in->kind == 'i' ? TG_I64 : g->dtype, in->elementwise ? TG_SHAPE(n) : in->shape);
    for (int p = 0; p < n; p++)
        for (int k = 0; k < in->width; k++)
            tg_array_set(tg_array_of(t), (int64_t)p * in->width + k,
                         g->x[(int64_t)(from + p) * g->width + column + k]);
    if (in->kind == 'd') tg_set_requires_grad(t, true);
    return t;
}

typedef struct run {
    const golden *g;
    int from, n; /* the points */
    tg_tensor *in[MAX_IN], *x[MAX_IN], *y;
    int n_x;
} run;

/* The sum over points, or the element of the one point: what is differentiated. */
static void begin(run *r, call_fn f) {
    const golden *g = r->g;
    for (int i = 0; i < g->n_in; i++) {
        r->in[i] = make_input(g, i, r->from, r->n);
        if (g->in[i].kind == 'd') r->x[r->n_x++] = r->in[i];
    }
    r->y = f(r->in, &g->arg);
}

static tg_tensor *ones(const tg_tensor *y) { return tg_full_with(tg_dtype_of(y), 1, tg_shape_of(y)); }

/* 1 at the element looked at, 0 elsewhere; for elementwise calls 1 everywhere. */
static tg_tensor *seed_of(const run *r, const tg_tensor *y, int64_t element) {
    if (r->g->in[0].elementwise) return ones(y);
    tg_tensor *s = tg_zeros_with(tg_dtype_of(y), tg_shape_of(y));
    tg_array_set(tg_array_of(s), element, 1);
    return s;
}

/* Number k of element e of the inputs, counted through: gradients by input to [n][n_free]. */
static void store(const run *r, tg_tensor *const *g, double *out, int64_t stride) {
    for (int p = 0; p < r->n; p++)
        for (int i = 0, at = 0; i < r->n_x; i++)
            for (int64_t k = 0, w = tg_numel(r->x[i]) / r->n; k < w; k++, at++)
                out[(int64_t)(r->from + p) * stride + at] = tg_get(g[i], p * w + k);
}

static void walk(const run *r, tg_tensor *y, tg_tensor *seed, tg_tensor **g, bool record) {
    tg_grad(1, &y, r->n_x, r->x, g, .seeds = &seed, .retain = true, .create_graph = record,
            .allow_unused = true);
    sweep_require(tg_error_status() == TG_OK, r->g->call, tg_error_message());
}

/* Row `at` of the Hessian: the derivatives of element e of gradient i. */
static void second_row(const run *r, tg_tensor *g, int64_t e, double *out) {
    int m = r->g->n_free;
    tg_tensor *h[MAX_IN];
    if (tg_requires_grad(g)) {
        walk(r, g, seed_of(r, g, e), h, false);
    } else { /* a constant */
        for (int i = 0; i < r->n_x; i++) h[i] = tg_zeros_with(r->g->dtype, tg_shape_of(r->x[i]));
    }
    store(r, h, out, (int64_t)m * m);
}

static void derivatives(const run *r, computed *c) {
    int m = r->g->n_free;
    tg_tensor *g[MAX_IN];
    sweep_require(tg_requires_grad(r->y), r->g->call, "the result has no history");
    walk(r, r->y, seed_of(r, r->y, r->g->output), g, false);
    store(r, g, c->first, m);
    walk(r, r->y, seed_of(r, r->y, r->g->output), g, true);
    store(r, g, c->recorded, m);
    for (int i = 0, at = 0; i < r->n_x; i++)
        for (int64_t k = 0, w = tg_numel(r->x[i]) / r->n; k < w; k++, at++)
            second_row(r, g[i], k, c->second + at * m);
}

static void evaluate_points(const golden *g, call_fn f, int from, int n, computed *c) {
    tg_mark mark = tg_tape_mark();
    run r = {.g = g, .from = from, .n = n};
    begin(&r, f);
    sweep_require(tg_error_status() == TG_OK, g->call, tg_error_message());
    for (int p = 0; p < n; p++) c->value[from + p] = tg_get(r.y, g->in[0].elementwise ? p : g->output);
    derivatives(&r, c);
    tg_tape_rewind(mark);
}

computed evaluate(const golden *g, call_fn f) {
    int64_t n = g->n_points, m = g->n_free;
    computed c = {numbers(n), numbers(n * m), numbers(n * m), numbers(n * m * m)};
    int step = g->in[0].elementwise ? g->n_points : 1;
    for (int from = 0; from < g->n_points; from += step) evaluate_points(g, f, from, step, &c);
    return c;
}
