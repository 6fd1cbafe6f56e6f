/* Gradient checking. Both orders are one procedure: the functions compared are the output y itself (order 1), or the
 * gradients g_i = d(p . y)/dx_i (order 2), whose own derivative d(sum_i v_i . g_i)/dx is checked. */
#include "autograd/gradcheck.h"
#include "autograd/walk.h"
#include "core/random.h"
#include "core/work.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

typedef struct check {
    tg_gradcheck_fn f;
    void *user;
    int n, order;
    tg_tensor **in; /* what f is given; the numeric side perturbs those checked, and puts each element back */
    int *which;     /* the numbers of the inputs that require a gradient */
    int n_which;
    bool *moved;       /* for each of `which`: some derivative was not 0, analytic or numeric */
    bool *unused;      /* for each of `which`: no recorded op leads to it */
    tg_tensor *p;      /* projection of y */
    tg_tensor **v;     /* order 2: projection of each g_i */
    double **analytic; /* for each of `which`: the derivatives */
    tg_gradcheck_opts opts;
    tg_gradcheck_report *r;
    tg_rng rng;
} check;

static const char who[] = "tg_gradcheck";

/* +-[0.5, 1.5): no element is weighted near zero, and signs differ. */
static tg_tensor *random_like(check *c, const tg_tensor *t) {
    tg_tensor *v = tg_zeros_with(TG_F64, tg_shape_of(t));
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
    const double *p = tg_array_is_contiguous(x) ? x->data : NULL,
                 *q = tg_array_is_contiguous(y) ? y->data : NULL;
    double sum = 0; /* most of the time goes here: all are f64, most lie in order */
    for (int64_t i = 0; i < x->numel; i++)
        sum += (p ? p[i] : tg_array_get(x, i)) * (q ? q[i] : tg_array_get(y, i));
    return sum;
}

static tg_tensor *checked_output(check *c) {
    tg_callback inside = tg_callback_begin();
    tg_tensor *y = c->f(c->in, c->user);
    tg_slot *s = tg_callback_end(inside, tg_error_status(), who) == TG_OK ? tg_callback_result(y, who) : NULL;
    if (s && s->a.dtype != TG_F64)
        tg_fail(TG_ERR_DTYPE, "%s: the function returned %s; it must compute in f64", who,
                tg_dtype_name((tg_dtype)s->a.dtype));
    return tg_error_status() == TG_OK ? y : tg_poison();
}

/* g_i for each input that requires a gradient, differentiable again. */
static tg_status first_gradients(check *c, tg_tensor **g) {
    tg_tensor *y = checked_output(c);
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!tg_requires_grad(y) && !c->opts.allow_zero)
        return tg_fail(TG_ERR_TAPE, "%s: the result does not depend on any input by recorded ops", who);
    tg_tensor **x = g + c->n_which;
    for (int k = 0; k < c->n_which; k++) x[k] = c->in[c->which[k]];
    return tg_grad_for((tg_grad_caller){.who = who, .unused = c->unused}, 1, &y, c->n_which, x, g,
                       (tg_grad_opts){.seeds = &c->p, .create_graph = c->order == 2, .allow_unused = true});
}

/* ---- the analytic side ---- */

static tg_status analytic(check *c, tg_tensor **g) {
    tg_tensor **x = g + c->n_which, **h = x + c->n_which;
    tg_status s = first_gradients(c, g);
    if (s == TG_OK && c->order == 2) /* gradients that are constant have no history */
        s = tg_grad_for((tg_grad_caller){.who = who}, c->n_which, g, c->n_which, x, h,
                        (tg_grad_opts){.seeds = c->v, .allow_unused = true});
    tg_tensor **result = c->order == 2 ? h : g;
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

static void compare(check *c, int k, int64_t element, double a, double n) {
    double allowed = c->opts.atol + c->opts.rtol * fabs(n);
    double ratio = !isfinite(a) || !isfinite(n) ? INFINITY : a == n ? 0 : fabs(a - n) / allowed;
    c->r->compared++;
    if (!(a == 0 && n == 0)) c->moved[k] = true;
    if (c->r->input >= 0 && !(ratio > c->r->worst)) return;
    c->r->worst = ratio;
    c->r->order = c->order;
    c->r->input = c->which[k];
    c->r->element = element;
    c->r->analytic = a;
    c->r->numeric = n;
}

/* The value of f to either side of element i of input k, which is put back to the bit, whatever f does. */
static tg_status compare_element(check *c, tg_tensor **g, int k, int64_t i) {
    tg_array x = {0}; /* a reference of its own, as f may free the input */
    const tg_array *a = tg_array_of(c->in[c->which[k]]);
    if (!a) return tg_error_status();
    tg_array_share(&x, a);
    double was = tg_array_get(&x, i), high = was + c->opts.eps, low = was - c->opts.eps;
    tg_array_set(&x, i, high);
    double above = evaluate(c, g);
    tg_array_set(&x, i, low);
    double below = tg_error_status() == TG_OK ? evaluate(c, g) : NAN;
    tg_array_set(&x, i, was);
    tg_array_drop(&x);
    if (tg_error_status() == TG_OK) compare(c, k, i, c->analytic[k][i], (above - below) / (high - low));
    return tg_error_status();
}

static tg_status numeric(check *c, tg_tensor **g) {
    for (int k = 0; k < c->n_which; k++)
        for (int64_t i = 0, n = tg_numel(c->in[c->which[k]]); i < n; i++)
            if (compare_element(c, g, k, i) != TG_OK) return tg_error_status();
    return TG_OK;
}

/* ---- one check ---- */

static void *from_arena(size_t n, size_t size) {
    size_t bytes;
    void *p = tg_size_mul(n, size, &bytes) ? tg_arena_alloc(&tg_tape_get()->scratch, bytes) : NULL;
    if (!p) tg_fail_memory(n * size);
    return p;
}

static bool shares_memory(const check *c, tg_tensor *const *in, int i, const tg_array *a) {
    for (int j = 0; j < c->n; j++) {
        const tg_slot *s = tg_slot_peek(in[j]);
        if (in[j] != in[i] && s && s->a.buffer == a->buffer) return true;
    }
    return false;
}

/* The input as f is given it: itself, so that a function which reaches it by another way than `in`, as a network its
 * parameters, is checked all the same. What has a history, what repeats elements or shares them with another input, what
 * comes again, and what may only be read, is copied. */
static tg_tensor *leaf_of(const check *c, tg_tensor *const *in, int i) {
    const tg_slot *s = tg_slot_with_data(in[i], who);
    if (!s) return tg_poison();
    bool itself = !s->node && tg_array_visits_once(&s->a) && !shares_memory(c, in, i, &s->a);
    itself = itself && !(s->a.buffer && s->a.buffer->read_only);
    for (int j = 0; j < i; j++) itself = itself && in[j] != in[i];
    if (itself) return in[i];
    tg_tensor *copy = tg_zeros_with(TG_F64, tg_array_shape(&s->a));
    if (!tg_is_poison(copy)) tg_array_copy(tg_array_of(copy), &s->a);
    return tg_set_requires_grad(copy, true);
}

static tg_status read_inputs(check *c, tg_tensor *const *in) {
    c->in = from_arena((size_t)c->n, sizeof *c->in);
    c->which = from_arena((size_t)c->n, sizeof *c->which);
    c->v = from_arena((size_t)c->n, sizeof *c->v);
    c->analytic = from_arena((size_t)c->n, sizeof *c->analytic);
    c->moved = from_arena((size_t)c->n, sizeof *c->moved);
    c->unused = from_arena((size_t)c->n, sizeof *c->unused);
    if (tg_error_status() != TG_OK) return tg_error_status();
    for (int i = 0; i < c->n; i++) {
        const tg_slot *s = tg_slot_of_input(in[i], who, i);
        if (!s) return tg_error_status();
        c->in[i] = in[i];
        if (!s->requires_grad) continue;
        if (s->a.dtype != TG_F64)
            return tg_fail(TG_ERR_DTYPE, "%s: input %d is %s; it must be f64", who, i,
                           tg_dtype_name((tg_dtype)s->a.dtype));
        c->in[i] = leaf_of(c, in, i);
        c->moved[c->n_which] = c->unused[c->n_which] = false;
        c->analytic[c->n_which] = from_arena((size_t)s->a.numel, sizeof(double));
        c->which[c->n_which++] = i;
    }
    return tg_error_status();
}

static tg_status run_order(check *c, int order) {
    c->order = order;
    tg_tensor **g = from_arena((size_t)c->n_which * 3, sizeof *g); /* gradients, inputs, second gradients */
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

/* The first input that f does not depend on, neither by recorded ops nor by its values; -1: none. */
static int idle_input(const check *c) {
    for (int k = 0; k < c->n_which; k++)
        if (c->unused[k] && !c->moved[k] && tg_numel(c->in[c->which[k]]) > 0) return c->which[k];
    return -1;
}

static bool nothing_moved(const check *c) {
    for (int k = 0; k < c->n_which; k++)
        if (c->moved[k]) return false;
    return true;
}

static void say(tg_gradcheck_report *r, const char *format, ...) TG_PRINTF(2, 3);
static void say(tg_gradcheck_report *r, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(r->message, sizeof r->message, format, args);
    va_end(args);
}

/* The verdict on numbers that agree, or the worst of those that do not. */
static void conclude_numbers(check *c) {
    tg_gradcheck_report *r = c->r;
    char text[160];
    bool agree = r->worst <= 1, exacting = agree && !c->opts.allow_zero;
    int idle = exacting ? idle_input(c) : -1;
    bool zero = exacting && nothing_moved(c);
    r->ok = agree && idle < 0 && !zero;
    if (idle >= 0)
        say(r,
            "nothing was checked of input %d, %s: the result does not depend on it (.allow_zero accepts that)",
            idle, tg_describe(c->in[idle], text, sizeof text));
    else if (zero)
        say(r,
            "nothing was checked: every derivative is 0, analytic and numeric, %lld of them (.allow_zero accepts that)",
            (long long)r->compared);
    else
        say(r,
            "%s: %lld compared; the worst, in input %d at element %lld, order %d: analytic %.12g, numeric %.12g (%.3g of "
            "the tolerance)",
            r->ok ? "ok" : "gradients differ", (long long)r->compared, r->input, (long long)r->element,
            r->order, r->analytic, r->numeric, r->worst);
}

static void conclude(check *c) {
    tg_gradcheck_report *r = c->r;
    if (tg_error_status() != TG_OK)
        say(r, "%s", tg_error_message());
    else if (c->n_which == 0)
        say(r, "nothing was checked: no input requires a gradient");
    else if (r->compared == 0 && !(r->ok = c->opts.allow_empty))
        say(r, "nothing was checked: the inputs have no elements");
    else if (r->compared == 0)
        say(r, "ok: the inputs have no elements");
    else
        conclude_numbers(c);
}

/* 0 stands for the default, TG_ZERO for 0; what no check can work with is refused. */
static tg_status read_number(double *option, double otherwise, const char *name) {
    if (!(*option >= 0 && isfinite(*option)))
        return tg_fail(TG_ERR_ARGUMENT, "%s: .%s is %g; it must be positive, or 0 for %g", who, name, *option,
                       otherwise);
    *option = tg_option(*option, otherwise);
    return TG_OK;
}

static tg_status read_options(check *c, tg_tensor *const *in) {
    tg_gradcheck_opts *o = &c->opts;
    if (!c->f || !in || c->n < 1)
        return tg_fail(TG_ERR_ARGUMENT, "%s: a function and at least one input must be given", who);
    if (o->projections < 0 || o->order < 0 || o->order > 2)
        return tg_fail(TG_ERR_ARGUMENT,
                       "%s: .projections is %d and .order is %d; .projections must be positive, or 0 for 2, "
                       "and .order must be 1 or 2, or 0 for 1",
                       who, o->projections, o->order);
    if (o->projections == 0) o->projections = 2;
    tg_status s = read_number(&o->eps, 1e-6, "eps");
    if (s == TG_OK && o->eps == 0)
        s = tg_fail(TG_ERR_ARGUMENT, "%s: .eps is 0; the step of a difference must be positive", who);
    if (s == TG_OK) s = read_number(&o->atol, 1e-5, "atol");
    return s == TG_OK ? read_number(&o->rtol, 1e-3, "rtol") : s;
}

static void run(check *c, tg_tape *tape, tg_tensor *const *in) {
    bool was = tg_set_grad_enabled(true);
    tg_arena_mark scratch = tg_arena_get_mark(&tape->scratch);
    tg_mark mark = tg_tape_mark();
    if (read_options(c, in) == TG_OK && read_inputs(c, in) == TG_OK && c->n_which)
        for (int order = 1; order <= (c->opts.order == 2 ? 2 : 1) && tg_error_status() == TG_OK; order++)
            run_order(c, order);
    conclude(c);
    tg_tape_rewind(mark);
    tg_arena_rewind(&tape->scratch, scratch);
    tg_set_grad_enabled(was);
}

bool tg_gradcheck_with(tg_gradcheck_fn f, void *user, int n, tg_tensor *const *in,
                       tg_gradcheck_report *report, tg_gradcheck_opts opts) {
    tg_gradcheck_report none;
    check c = {
        .f = f, .user = user, .n = n, .opts = opts, .r = report ? report : &none, .rng = {.seed = opts.seed}};
    *c.r = (tg_gradcheck_report){.input = -1};
    bool pending = tg_error_status() != TG_OK;
    tg_tape *tape = pending ? NULL : tg_tape_get();
    if (tape && tg_may_do("tg_gradcheck"))
        run(&c, tape, in);
    else
        conclude(&c);
    if (!pending) tg_error_clear();
    return c.r->ok;
}
