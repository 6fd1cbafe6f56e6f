/* Functions written by hand, called on copies, with marks in what they write. */
#include "autograd/check/products.h"
#include "autograd/check/tally.h"
#include "core/alloc.h"
#include "core/random.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Signalling NaNs that nobody computes. What is added to one is a quiet one with the same payload: its highest bit set. */
enum { AROUND = 16 };
static const uint64_t MARK = UINT64_C(0x7ff4746761706572), EDGE = UINT64_C(0x7ff4656467657267);
static const uint64_t QUIET = UINT64_C(1) << 51;

/* ---- memory ---- */

static double *reserve(size_t n) {
    size_t bytes;
    double *p = tg_size_mul(n, sizeof *p, &bytes) ? tg_alloc(bytes) : NULL;
    if (!p) tg_fail_memory(n > SIZE_MAX / sizeof *p ? SIZE_MAX : n * sizeof *p);
    return p;
}

static void release(double *p, size_t n) {
    if (p) tg_dealloc(p, n * sizeof *p);
}

static void reserve_marked(tg_marked *a, size_t n) {
    *a = (tg_marked){.n = n};
    if (n > SIZE_MAX / sizeof *a->v - 2 * AROUND)
        tg_fail_memory(SIZE_MAX);
    else
        a->block = reserve(n + 2 * AROUND);
    if (a->block) a->v = a->block + AROUND;
}

/* ---- marks: as integers, for a signalling NaN that passes through a register may become quiet ---- */

static uint64_t bits(const double *at) {
    uint64_t b;
    memcpy(&b, at, sizeof b);
    return b;
}

static void set_marks(const tg_marked *a) {
    for (size_t i = 0; i < a->n + 2 * AROUND; i++) {
        bool inside = i >= AROUND && i < a->n + AROUND;
        memcpy(a->block + i, inside ? &MARK : &EDGE, sizeof MARK);
    }
}

static tg_status check_edges(const tg_by_hand *p, const tg_marked *a, const char *what) {
    for (size_t i = 0; i < AROUND; i++) {
        if (bits(a->v + a->n + i) != EDGE)
            return tg_fail(TG_ERR_ARGUMENT, "%s: %s writes element %zu, past the end of %zu", p->who, what,
                           a->n + i, a->n);
        if (bits(a->v - 1 - i) != EDGE)
            return tg_fail(TG_ERR_ARGUMENT, "%s: %s writes element -%zu, before the first", p->who, what,
                           i + 1);
    }
    return TG_OK;
}

static tg_status check_written(const tg_by_hand *p, const tg_marked *a, const char *what) {
    for (size_t i = 0; i < a->n; i++)
        if ((bits(a->v + i) | QUIET) == (MARK | QUIET))
            return tg_fail(TG_ERR_ARGUMENT, "%s: %s does not write element %zu of %zu%s", p->who, what, i, a->n,
                           bits(a->v + i) == MARK ? "" : ", but adds to what is there, and that is not 0");
    return check_edges(p, a, what);
}

/* ---- calls ---- */

static tg_status check_input(const tg_by_hand *p, const double *is, const double *was, const char *what) {
    if (memcmp(is, was, p->n * sizeof *is) == 0) return tg_error_status();
    size_t i = 0;
    while (bits(is + i) == bits(was + i)) i++;
    return tg_fail(TG_ERR_ARGUMENT, "%s: %s changes its input: element %zu is %.17g, and was %.17g", p->who,
                   what, i, is[i], was[i]);
}

/* y = f(x); the caller looks whether x is what it was. */
static tg_status call_function(tg_by_hand *p) {
    set_marks(&p->y);
    p->evaluations++;
    if (p->scalar)
        *p->y.v = p->scalar(p->x, p->n, p->user);
    else
        p->vector(p->x, p->n, p->y.v, p->m, p->user);
    return tg_error_status() == TG_OK ? check_written(p, &p->y, "the function") : tg_error_status();
}

static tg_status call_transpose(tg_by_hand *p) {
    const char *what = p->scalar ? "the gradient" : "the transpose product";
    set_marks(&p->grad);
    if (p->scalar)
        p->gradient(p->x, p->n, p->grad.v, p->user);
    else
        p->transpose(p->x, p->n, p->u, p->m, p->grad.v, p->user);
    tg_status s = tg_error_status() == TG_OK ? check_written(p, &p->grad, what) : tg_error_status();
    return s == TG_OK ? check_input(p, p->x, p->was, what) : s;
}

/* sum u_j y_j, and the sum of the terms' magnitudes. */
static double project(const tg_by_hand *p, double *size) {
    double sum = 0;
    for (size_t j = 0; j < p->m; j++) {
        double term = p->u[j] * p->y.v[j];
        sum += term, *size += fabs(term);
    }
    return sum;
}

/* v is the axis of `element`, or is there already. */
static void point_along(tg_by_hand *p, int64_t element) {
    if (element < 0) return;
    memset(p->v, 0, p->n * sizeof *p->v);
    p->v[element] = 1;
}

double tg_products_forward(tg_by_hand *p, int64_t element, double *size) {
    point_along(p, element);
    set_marks(&p->y);
    p->forward(p->x, p->n, p->v, p->y.v, p->m, p->user);
    if (tg_error_status() != TG_OK || check_written(p, &p->y, "the forward product") != TG_OK) return NAN;
    return check_input(p, p->x, p->was, "the forward product") == TG_OK ? project(p, size) : NAN;
}

/* ---- lines ---- */

static double on_axis(tg_by_hand *p, size_t i, double *t) {
    double size = 0, to = p->was[i] + *t;
    *t = to - p->was[i];
    p->x[i] = to;
    tg_status s = call_function(p);
    if (s == TG_OK && bits(p->x + i) != bits(&to))
        s = tg_fail(TG_ERR_ARGUMENT, "%s: the function changes its input: element %zu is %.17g, and was %.17g",
                    p->who, i, p->x[i], to);
    p->x[i] = p->was[i];
    return s == TG_OK && check_input(p, p->x, p->was, "the function") == TG_OK ? project(p, &size) : NAN;
}

/* The gradient's array has room for what x was: it is needed no more. */
static double on_direction(tg_by_hand *p, double t) {
    double size = 0;
    for (size_t i = 0; i < p->n; i++) p->x[i] = p->grad.v[i] = p->was[i] + t * p->v[i];
    tg_status s = call_function(p);
    if (s == TG_OK) s = check_input(p, p->x, p->grad.v, "the function");
    memcpy(p->x, p->was, p->n * sizeof *p->x);
    return s == TG_OK ? project(p, &size) : NAN;
}

double tg_products_on_line(double *t, void *of) {
    const tg_products_line *line = of;
    if (tg_error_status() != TG_OK) return NAN;
    return line->element < 0 ? on_direction(line->products, *t)
                             : on_axis(line->products, (size_t)line->element, t);
}

/* ---- the beginning ---- */

/* Of two calls each number is the same, to the bit or NaN. */
static tg_status check_same(const tg_by_hand *p, const double *is, const double *was, size_t n,
                            const char *what) {
    for (size_t i = 0; i < n; i++)
        if (bits(is + i) != bits(was + i) && !(isnan(is[i]) && isnan(was[i])))
            return tg_fail(
                TG_ERR_ARGUMENT,
                "%s: %s is not deterministic: called twice, element %zu of %zu is %.17g and %.17g, %.3g apart",
                p->who, what, i, n, was[i], is[i], fabs(is[i] - was[i]));
    return TG_OK;
}

static tg_status call_function_twice(tg_by_hand *p) {
    double *first = reserve(p->m);
    tg_status s = first ? call_function(p) : tg_error_status();
    if (s == TG_OK) s = check_input(p, p->x, p->was, "the function");
    if (s == TG_OK) memcpy(first, p->y.v, p->m * sizeof *first);
    if (s == TG_OK) s = call_function(p);
    if (s == TG_OK) s = check_input(p, p->x, p->was, "the function");
    if (s == TG_OK) s = check_same(p, p->y.v, first, p->m, "the function");
    release(first, p->m);
    for (size_t j = 0; s == TG_OK && j < p->m; j++)
        if (!isfinite(p->y.v[j]))
            s = tg_fail(TG_ERR_ARGUMENT,
                        "%s: there is no derivative: the function is %g at the point (value %zu of %zu)",
                        p->who, p->y.v[j], j, p->m);
    return s;
}

tg_status tg_products_check_still(tg_by_hand *p) {
    double size = 0, now = call_function(p) == TG_OK ? project(p, &size) : NAN;
    if (tg_error_status() != TG_OK || now == p->at_point) return tg_error_status();
    return tg_fail(
        TG_ERR_ARGUMENT,
        "%s: the function is not deterministic: at the end of the check it gives %.17g at the point, and gave "
        "%.17g at the beginning; it counts its calls, or keeps something of them",
        p->who, now, p->at_point);
}

static tg_status call_transpose_twice(tg_by_hand *p) {
    tg_status s = call_transpose(p);
    if (s == TG_OK) memcpy(p->analytic, p->grad.v, p->n * sizeof *p->analytic);
    if (s == TG_OK) s = call_transpose(p);
    return s == TG_OK ? check_same(p, p->grad.v, p->analytic, p->n,
                                   p->scalar ? "the gradient" : "the transpose product")
                      : s;
}

tg_status tg_products_begin(tg_by_hand *p, const double *x, uint64_t seed) {
    tg_rng rng = {.seed = seed};
    p->was = reserve(p->n), p->x = reserve(p->n), p->v = reserve(p->n), p->analytic = reserve(p->n);
    p->u = reserve(p->m);
    reserve_marked(&p->y, p->m), reserve_marked(&p->grad, p->n);
    if (tg_error_status() != TG_OK) return tg_error_status();
    memcpy(p->was, x, p->n * sizeof *x), memcpy(p->x, x, p->n * sizeof *x);
    for (size_t j = 0; j < p->m; j++) p->u[j] = p->scalar ? 1 : tg_check_signed(tg_rng_uniform(&rng));
    tg_status s = call_function_twice(p);
    double size = 0;
    if (s == TG_OK) p->at_point = project(p, &size);
    return s == TG_OK ? call_transpose_twice(p) : s;
}

void tg_products_end(tg_by_hand *p) {
    release(p->was, p->n), release(p->x, p->n), release(p->v, p->n), release(p->analytic, p->n);
    release(p->u, p->m);
    release(p->y.block, p->m + 2 * AROUND), release(p->grad.block, p->n + 2 * AROUND);
}
