/* Gradient checking. Both orders are one procedure: the functions compared are the output y itself (order 1), or the
 * gradients g_i = d(p . y)/dx_i (order 2), whose own derivative d(sum_i v_i . g_i)/dx is checked. */
#include "autograd/gradcheck.h"
#include "autograd/tape_private.h"
#include "core/random.h"

#include <math.h>
#include <string.h>

typedef struct check {
    tg_gradcheck_fn f;
    void *user;
    int n, order;
    tg_tensor **in;      /* copies of the inputs, which the numeric side perturbs */
    int *which;          /* the inputs that require a gradient */
    int n_which;
    tg_tensor *p;        /* projection of y */
    tg_tensor **v;       /* order 2: projection of each g_i */
    double **analytic;   /* by input in `which` */
    tg_gradcheck_opts opts;
    tg_gradcheck_report *r;
    tg_rng rng;
} check;

/* +-[0.5, 1.5): no element is weighted near zero, and signs differ. */
static tg_tensor *random_like(check *c, const tg_tensor *t) {
    tg_tensor *v = (tg_zeros)(TG_F64, tg_shape_of(t));
    const tg_array *a = tg_is_poison(v) ? NULL : tg_array_of(v);
    for (int64_t i = 0; a && i < a->numel; i++) {
        double u = tg_rng_uniform(&c->rng);
        tg_array_set(a, i, u < 0.5 ? -0.5 - 2 * u : 2 * u - 0.5);
    }
    return v;
}

static double dot(const tg_tensor *a, const tg_tensor *b) {
    const tg_array *x = tg_array_of(a), *y = tg_array_of(b);
    if (!x || !y || x->numel != y->numel) return NAN;
    const double *p = tg_array_is_contiguous(x) ? x->data : NULL, *q = tg_array_is_contiguous(y) ? y->data : NULL;
    double sum = 0; /* most of the time goes here: all are f64, most lie in order */
    for (int64_t i = 0; i < x->numel; i++) sum += (p ? p[i] : tg_array_get(x, i)) * (q ? q[i] : tg_array_get(y, i));
    return sum;
}

static tg_tensor *checked_output(check *c) {
    tg_tensor *y = c->f(c->in, c->user);
    if (tg_error_status() == TG_OK && tg_dtype_of(y) != TG_F64)
        tg_fail(TG_ERR_DTYPE, "tg_gradcheck: the function returned %s; it must compute in f64",
                tg_dtype_name(tg_dtype_of(y)));
    return y;
}

/* g_i for each input that requires a gradient, differentiable again. */
static tg_status first_gradients(check *c, tg_tensor **g) {
    tg_tensor *y = checked_output(c);
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!tg_requires_grad(y)) return tg_fail(TG_ERR_TAPE, "tg_gradcheck: the result does not depend on any input by recorded ops");
    tg_tensor **x = g + c->n_which;
    for (int k = 0; k < c->n_which; k++) x[k] = c->in[c->which[k]];
    return tg_grad(1, &y, c->n_which, x, g, .seeds = &c->p, .create_graph = c->order == 2, .allow_unused = true);
}

/* ---- the analytic side ---- */

static tg_status analytic_order2(check *c, tg_tensor **g) {
    tg_tensor **x = g + c->n_which, **h = x + c->n_which, **out = h + c->n_which, **seed = out + c->n_which;
    int n = 0;
    for (int k = 0; k < c->n_which; k++) /* a gradient that is constant has no history */
        if (tg_requires_grad(g[k])) out[n] = g[k], seed[n++] = c->v[k];
    if (n) return tg_grad(n, out, c->n_which, x, h, .seeds = seed, .allow_unused = true);
    for (int k = 0; k < c->n_which; k++) h[k] = (tg_zeros)(TG_F64, tg_shape_of(x[k]));
    return tg_error_status();
}

static tg_status analytic(check *c, tg_tensor **g) {
    tg_status s = first_gradients(c, g);
    tg_tensor **result = c->order == 2 ? g + 2 * c->n_which : g;
    if (s == TG_OK && c->order == 2) s = analytic_order2(c, g);
    for (int k = 0; s == TG_OK && k < c->n_which; k++)
        s = tg_copy_out(result[k], c->analytic[k], (size_t)tg_numel(result[k]) * sizeof(double));
    return s;
}

/* ---- the numeric side ---- */

/* The scalar whose derivative is compared: p . y, or sum_i v_i . g_i. */
static double evaluate(check *c, tg_tensor **g) {
    tg_mark mark = tg_tape_mark();
    double value = 0;
    if (c->order == 1) {
        bool was = tg_set_grad_enabled(false);
        tg_tensor *y = checked_output(c);
        value = tg_error_status() == TG_OK ? dot(c->p, y) : NAN;
        tg_set_grad_enabled(was);
    } else if (first_gradients(c, g) == TG_OK) {
        for (int k = 0; k < c->n_which; k++) value += dot(c->v[k], g[k]);
    }
    tg_tape_rewind(mark);
    return tg_error_status() == TG_OK ? value : NAN;
}

static void compare(check *c, int input, int64_t element, double a, double n) {
    double allowed = c->opts.atol + c->opts.rtol * fabs(n);
    double ratio = isfinite(a) && isfinite(n) ? fabs(a - n) / allowed : INFINITY;
    c->r->compared++;
    if (c->r->input >= 0 && !(ratio > c->r->worst)) return;
    c->r->worst = ratio;
    c->r->order = c->order;
    c->r->input = input;
    c->r->element = element;
    c->r->analytic = a;
    c->r->numeric = n;
}

static tg_status numeric(check *c, tg_tensor **g) {
    for (int k = 0; k < c->n_which; k++) {
        const tg_array *x = tg_array_of(c->in[c->which[k]]);
        double *e = x->data;
        for (int64_t i = 0; i < x->numel; i++) {
            double was = e[i], high = was + c->opts.eps, low = was - c->opts.eps;
            e[i] = high;
            double above = evaluate(c, g);
            e[i] = low;
            double below = evaluate(c, g);
            e[i] = was;
            if (tg_error_status() != TG_OK) return tg_error_status();
            compare(c, c->which[k], i, c->analytic[k][i], (above - below) / (high - low));
        }
    }
    return TG_OK;
}

/* ---- one check ---- */

static void *from_arena(size_t n, size_t size) {
    size_t bytes;
    void *p = tg_size_mul(n, size, &bytes) ? tg_arena_alloc(&tg_tape_get()->scratch, bytes) : NULL;
    if (!p) tg_fail_memory(n * size);
    return p;
}

static tg_status copy_inputs(check *c, tg_tensor *const *in) {
    c->in = from_arena((size_t)c->n, sizeof *c->in);
    c->which = from_arena((size_t)c->n, sizeof *c->which);
    c->v = from_arena((size_t)c->n, sizeof *c->v);
    c->analytic = from_arena((size_t)c->n, sizeof *c->analytic);
    if (tg_error_status() != TG_OK) return tg_error_status();
    for (int i = 0; i < c->n; i++) {
        c->in[i] = in[i];
        if (!tg_requires_grad(in[i])) continue;
        if (tg_dtype_of(in[i]) != TG_F64)
            return tg_fail(TG_ERR_DTYPE, "tg_gradcheck: input %d is %s; it must be f64", i,
                           tg_dtype_name(tg_dtype_of(in[i])));
        const tg_array *from = tg_array_of(in[i]);
        tg_tensor *copy = (tg_zeros)(TG_F64, tg_shape_of(in[i]));
        if (!from || tg_is_poison(copy)) return tg_error_status();
        tg_array_copy(tg_array_of(copy), from);
        c->in[i] = (tg_set_requires_grad)(copy, true);
        c->analytic[c->n_which] = from_arena((size_t)from->numel, sizeof(double));
        c->which[c->n_which++] = i;
    }
    return tg_error_status();
}

static tg_status run_order(check *c, int order) {
    c->order = order;
    tg_tensor **g = from_arena((size_t)c->n_which * 5, sizeof *g);
    tg_mark mark = tg_tape_mark();
    for (int k = 0; k < c->opts.projections && tg_error_status() == TG_OK; k++) {
        tg_tensor *y = checked_output(c);
        if (tg_error_status() != TG_OK) break;
        c->p = random_like(c, y);
        for (int i = 0; i < c->n_which; i++) c->v[i] = random_like(c, c->in[c->which[i]]);
        tg_mark walked = tg_tape_mark();
        if (analytic(c, g) == TG_OK) {
            tg_tape_rewind(walked);
            numeric(c, g);
        }
        tg_tape_rewind(mark);
    }
    return tg_error_status();
}

static void conclude(check *c) {
    tg_gradcheck_report *r = c->r;
    r->ok = tg_error_status() == TG_OK && r->worst <= 1 && (r->compared > 0 || c->opts.allow_empty);
    if (tg_error_status() != TG_OK)
        snprintf(r->message, sizeof r->message, "%s", tg_error_message());
    else if (c->n_which == 0)
        snprintf(r->message, sizeof r->message, "nothing was checked: no input requires a gradient");
    else if (r->compared == 0)
        snprintf(r->message, sizeof r->message, "nothing was checked: the inputs have no elements");
    else
        snprintf(r->message, sizeof r->message,
                 "%s: %lld compared; the worst, in input %d at element %lld, order %d: analytic %.12g, numeric %.12g "
                 "(%.3g of the tolerance)",
                 r->ok ? "ok" : "gradients differ", (long long)r->compared, r->input, (long long)r->element, r->order,
                 r->analytic, r->numeric, r->worst);
}

bool(tg_gradcheck)(tg_gradcheck_fn f, void *user, int n, tg_tensor *const *in, tg_gradcheck_report *report,
                   tg_gradcheck_opts opts) {
    check c = {.f = f, .user = user, .n = n, .opts = opts, .r = report, .rng = {.seed = opts.seed}};
    if (!(opts.eps > 0)) c.opts.eps = 1e-6;
    if (!(opts.atol > 0)) c.opts.atol = 1e-5;
    if (!(opts.rtol > 0)) c.opts.rtol = 1e-3;
    if (opts.projections < 1) c.opts.projections = 2;
    *report = (tg_gradcheck_report){.input = -1};
    bool pending = tg_error_status() != TG_OK;
    tg_tape *tape = pending ? NULL : tg_tape_get();
    if (tape) {
        bool was = tg_set_grad_enabled(true);
        tg_arena_mark scratch = tg_arena_get_mark(&tape->scratch);
        tg_mark mark = tg_tape_mark();
        if (copy_inputs(&c, in) == TG_OK && c.n_which)
            for (int order = 1; order <= (opts.order == 2 ? 2 : 1) && tg_error_status() == TG_OK; order++) run_order(&c, order);
        conclude(&c);
        tg_tape_rewind(mark);
        tg_arena_rewind(&tape->scratch, scratch);
        tg_set_grad_enabled(was);
    } else {
        conclude(&c);
    }
    if (!pending) tg_error_clear();
    return report->ok;
}
