/* Checking without tensors: verdicts on gradients written by hand, right, wrong, and such that write where they should not. */
#include "autograd/check/function.h"

#include "core/memory.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- a function of many shapes: f(x) = sum sin(x_i) x_{i+1} + offset, and ways to get its gradient wrong ---- */

typedef enum slip {
    NONE,
    SIGN,
    SCALED,
    ZERO,
    ONE_ELEMENT,
    HALF,
    SHIFTED,
    MEAN,
    SHORT,
    ADDS,
    PAST,
    BEFORE,
    GRADIENT_CHANGES_X,
    FUNCTION_CHANGES_X,
    CHANGES_X_LATER,
    RANDOM,
    RANDOM_GRADIENT,
    FAILS,
    NAN_VALUE,
    NAN_GRADIENT,
    DRIFTS
} slip;

typedef struct subject {
    slip slip;
    double offset, unit;
    const double *theirs; /* must not be what the functions are given */
    int calls;
} subject;

static double waves(const double *x, size_t n, void *user) {
    subject *s = user;
    double sum = s->offset;
    ck_assert_ptr_ne(x, s->theirs);
    for (size_t i = 0; i < n; i++) sum += s->unit * sin(x[i]) * x[(i + 1) % n];
    s->calls++;
    if (s->slip == FUNCTION_CHANGES_X || (s->slip == CHANGES_X_LATER && s->calls > 12))
        ((double *)(uintptr_t)x)[1] += 1;
    if (s->slip == RANDOM) sum += 1e-9 * s->calls;
    if (s->slip == DRIFTS && s->calls > 80) sum *= 1.1;
    if (s->slip == FAILS && s->calls == 5) tg_fail(TG_ERR_ARGUMENT, "waves: no more");
    return s->slip == NAN_VALUE ? NAN : sum;
}

static void waves_gradient(const double *x, size_t n, double *grad, void *user) {
    subject *s = user;
    for (size_t i = 0; i < n; i++) {
        double g = s->unit * (cos(x[i]) * x[(i + 1) % n] + sin(x[(i + n - 1) % n]));
        if (s->slip == SIGN) g = -g;
        if (s->slip == SCALED) g *= 1.03;
        if (s->slip == HALF) g /= 2;
        if (s->slip == ZERO || (s->slip == ONE_ELEMENT && i == 2)) g = 0;
        if (s->slip == MEAN) g /= (double)n;
        if (s->slip == NAN_GRADIENT && i == 1) g = NAN;
        if (s->slip == SHORT && i == n - 1) continue;
        if (s->slip == ADDS)
            grad[i] += g;
        else
            grad[s->slip == SHIFTED ? (i + 1) % n : i] = g;
    }
    if (s->slip == PAST) grad[n + 3] = 1;
    if (s->slip == BEFORE) grad[-1] = 1;
    if (s->slip == GRADIENT_CHANGES_X) ((double *)(uintptr_t)x)[0] = 7;
    if (s->slip == RANDOM_GRADIENT) grad[1] += 1e-12 * s->calls, s->calls++;
}

static const double point[5] = {0.3, -1.2, 0.7, 2.1, 1.4};

static bool check_waves(subject s, tg_function_opts opts, tg_function_report *r) {
    double x[5];
    memcpy(x, point, sizeof x);
    if (s.unit == 0) s.unit = 1;
    s.theirs = x;
    bool ok = tg_check_function(waves, waves_gradient, &s, 5, x, opts, r);
    ck_assert(memcmp(x, point, sizeof x) == 0);
    ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
    ck_assert(ok == r->ok && strlen(r->message) > 0 && !strchr(r->message, '\n'));
    return ok;
}

static const struct {
    slip slip;
    tg_verdict verdict;
    const char *says[3];
} slips[] = {
    {NONE, TG_CORRECT, {"CORRECT: element ", "5 judged, an error of 3 % noticed in 5"}},
    {SIGN, TG_WRONG, {"WRONG: element ", "the sign is wrong"}},
    {SCALED, TG_WRONG, {"the gap is the same at every step"}},
    {ZERO, TG_WRONG, {"analytic 0", "missing"}},
    {ONE_ELEMENT, TG_WRONG, {"element 2 of 5, where x is 0.7: ", "analytic 0"}},
    {HALF, TG_WRONG, {"factor"}},
    {SHIFTED, TG_WRONG, {"another element has this value"}},
    {MEAN, TG_WRONG, {"a mean stands for a sum"}},
    {NAN_GRADIENT, TG_WRONG, {"element 1 of 5", "analytic nan"}},
    {SHORT, TG_NO_VERDICT, {"the gradient does not write element 4 of 5"}},
    {ADDS, TG_NO_VERDICT, {"the gradient does not write element 0 of 5, but adds"}},
    {PAST, TG_NO_VERDICT, {"the gradient writes element 8, past the end of 5"}},
    {BEFORE, TG_NO_VERDICT, {"the gradient writes element -1"}},
    {GRADIENT_CHANGES_X, TG_NO_VERDICT, {"the gradient changes its input: element 0 is 7, and was 0.29"}},
    {FUNCTION_CHANGES_X, TG_NO_VERDICT, {"the function changes its input: element 1"}},
    {CHANGES_X_LATER, TG_NO_VERDICT, {"the function changes its input: element 1"}},
    {RANDOM, TG_NO_VERDICT, {"the function is not deterministic", "1e-09 apart"}},
    {RANDOM_GRADIENT, TG_NO_VERDICT, {"the gradient is not deterministic", "element 1 of 5", "1e-12 apart"}},
    {FAILS, TG_NO_VERDICT, {"waves: no more"}},
    {NAN_VALUE, TG_NO_VERDICT, {"the function is nan at the point"}},
    {DRIFTS,
     TG_NO_VERDICT,
     {"the function is not deterministic: at the end of the check it gives ", "and gave "}},
};

START_TEST(slips_are_named) {
    tg_function_report r;
    bool ok = check_waves((subject){.slip = slips[_i].slip}, (tg_function_opts){.seed = 3}, &r);
    ck_assert_msg(ok == tg_verdict_passes(slips[_i].verdict) && r.verdict == slips[_i].verdict, "%s",
                  r.message);
    for (int k = 0; k < 3 && slips[_i].says[k]; k++)
        ck_assert_msg(strstr(r.message, slips[_i].says[k]), "no \"%s\" in: %s", slips[_i].says[k], r.message);
}
END_TEST

/* Along random directions, by samples, on all rungs: the same verdicts, as far as these can see. */
START_TEST(other_ways_to_look) {
    const tg_function_opts ways[] = {{.directions = 3}, {.full = true}, {.samples = 4, .seed = 2}};
    for (int w = 0; w < 3; w++)
        for (int s = NONE; s <= MEAN; s++) {
            tg_function_report r;
            check_waves((subject){.slip = (slip)s}, ways[w], &r);
            bool seen = s != ONE_ELEMENT || w != 2;
            ck_assert_msg(!seen || r.verdict == (s == NONE ? TG_CORRECT : TG_WRONG), "way %d, slip %d: %s", w,
                          s, r.message);
            ck_assert_int_eq(r.compared, w == 0 ? 3 : w == 1 ? 5 : 4);
            ck_assert_int_eq(r.left_out, w == 2);
            if (w == 0) ck_assert_ptr_nonnull(strstr(r.message, "directions only"));
        }
}
END_TEST

/* Gradients of 1e-9, values of 1e8, and both ways at once: wrong is wrong, and right is right or not to be told. */
START_TEST(small_gradients_and_large_offsets) {
    tg_function_report r;
    ck_assert(check_waves((subject){.unit = 1e-9}, (tg_function_opts){0}, &r));
    ck_assert(!check_waves((subject){.unit = 1e-9, .slip = SCALED}, (tg_function_opts){0}, &r) &&
              r.verdict == TG_WRONG);
    ck_assert(!check_waves((subject){.unit = 1e-9, .slip = ZERO}, (tg_function_opts){0}, &r) &&
              r.verdict == TG_WRONG);
    ck_assert_msg(check_waves((subject){.offset = 1e8}, (tg_function_opts){0}, &r), "%s", r.message);
    ck_assert(!check_waves((subject){.offset = 1e8, .slip = SIGN}, (tg_function_opts){0}, &r) &&
              r.verdict == TG_WRONG);
    ck_assert(!check_waves((subject){.offset = 1e8, .unit = 1e-9}, (tg_function_opts){0}, &r));
    ck_assert_msg(r.verdict == TG_NOISE_LIMITED || r.verdict == TG_NOT_EXERCISED, "%s", r.message);
}
END_TEST

/* ---- pages, and progress ---- */

START_TEST(pages) {
    char *page = NULL, *json = NULL;
    size_t size;
    for (int wrong = 0; wrong < 3; wrong++) { /* the last has no verdict */
        FILE *p = open_memstream(&page, &size), *j = open_memstream(&json, &size);
        tg_function_report r;
        check_waves((subject){.slip = wrong == 2 ? RANDOM
                                      : wrong    ? ONE_ELEMENT
                                                 : NONE},
                    (tg_function_opts){.page = p, .json = j}, &r);
        fclose(p), fclose(j);
        ck_assert_msg(strstr(page, "gradient check of a function of 5 numbers: ") && strstr(page, r.message),
                      "%s", page);
        ck_assert_msg(
            strstr(json, wrong ? "{\"ok\":false,\"verdict\":\"" : "{\"ok\":true,\"verdict\":\"CORRECT\""),
            "%s", json);
        ck_assert_msg(wrong != 1 || (strstr(json, "\"judged\":5,") && strstr(json, "\"wrong\":1,") &&
                                     strstr(json, "\"worst\":{\"element\":2,\"x\":0.69999999999999996,")),
                      "%s", json);
        int open = 0;
        for (const char *c = json; *c; c++) open += (*c == '{') - (*c == '}');
        ck_assert_int_eq(open, 0);
        free(page), free(json);
    }
}
END_TEST

static bool stop_at(int64_t done, int64_t all, void *user) {
    ck_assert(done <= all && all == 5);
    return done < *(int64_t *)user;
}
START_TEST(progress) {
    for (int64_t at = 0; at <= 6; at++) {
        tg_function_report r;
        tg_function_opts opts = {.progress = stop_at, .progress_user = &at};
        bool ok = check_waves((subject){0}, opts, &r);
        ck_assert_msg(r.compared == (at < 5 ? at : 5) && r.left_out == 5 - r.compared, "%s", r.message);
        ck_assert_msg(ok == (at > 0), "%s", r.message);
    }
}
END_TEST

/* ---- kinks, and what does not move ---- */

static double bend(const double *x, size_t n, void *user) {
    (void)n, (void)user;
    return fabs(x[0]) + 2 * x[1];
}
static void bend_gradient(const double *x, size_t n, double *grad, void *user) {
    (void)x, (void)n;
    grad[0] = *(double *)user, grad[1] = 2;
}
static double flat(const double *x, size_t n, void *user) {
    (void)x, (void)n, (void)user;
    return 3;
}
static void flat_gradient(const double *x, size_t n, double *grad, void *user) {
    (void)x, (void)user;
    for (size_t i = 0; i < n; i++) grad[i] = 0;
}

START_TEST(kinks_and_flat_functions) {
    const double x[2] = {0, 1};
    double slope = 0.5, beyond = 1.5;
    tg_function_report r;
    ck_assert(tg_check_function(bend, bend_gradient, &slope, 2, x, (tg_function_opts){0}, &r));
    ck_assert_msg(r.verdict == TG_KINK && r.element == 0 && r.verdicts[TG_KINK] == 1, "%s", r.message);
    ck_assert(!tg_check_function(bend, bend_gradient, &beyond, 2, x, (tg_function_opts){0}, &r) &&
              r.verdict == TG_WRONG);
    ck_assert(!tg_check_function(flat, flat_gradient, NULL, 2, x, (tg_function_opts){0}, &r));
    ck_assert_msg(r.verdict == TG_NOT_EXERCISED && strstr(r.message, "does not move"), "%s", r.message);
    ck_assert(tg_check_function(flat, flat_gradient, NULL, 2, x, (tg_function_opts){.allow_zero = true}, &r));
}
END_TEST

/* ---- products: y_j = x_j^2 x_{j+1}, and ways to get J^T u and J v wrong ---- */

typedef struct pair {
    double transpose, forward; /* factors */
    bool both;                 /* the term of x_{j+1} is forgotten in both */
    bool moved;                /* u_{j+1} for u_j in the transpose */
    slip slip;                 /* in the forward product or the values */
} pair;

static void cubic(const double *x, size_t n, double *y, size_t m, void *user) {
    const pair *p = user;
    for (size_t j = 0; j < m; j++) y[j] = x[j] * x[j] * x[(j + 1) % n];
    if (p->slip == PAST) y[m] = 1;
}
static void cubic_transpose(const double *x, size_t n, const double *u, size_t m, double *xbar, void *user) {
    const pair *p = user;
    for (size_t i = 0; i < n; i++) xbar[i] = 0;
    for (size_t j = 0; j < m; j++) {
        double w = p->transpose * u[p->moved ? (j + 1) % m : j];
        xbar[j] += w * 2 * x[j] * x[(j + 1) % n];
        if (!p->both) xbar[(j + 1) % n] += w * x[j] * x[j];
    }
}
static void cubic_forward(const double *x, size_t n, const double *v, double *ydot, size_t m, void *user) {
    const pair *p = user;
    for (size_t j = 0; j < m; j++)
        ydot[j] =
            p->forward * (2 * x[j] * x[(j + 1) % n] * v[j] + (p->both ? 0 : x[j] * x[j] * v[(j + 1) % n]));
    if (p->slip == BEFORE) ydot[-2] = 1;
}

static const struct {
    pair p;
    tg_verdict verdict;
    tg_function_fault fault;
} pairs[] = {
    {{1, 1, false, false, NONE}, TG_CORRECT, TG_FUNCTION_RIGHT},
    {{2, 1, false, false, NONE}, TG_WRONG, TG_FUNCTION_TRANSPOSE},
    {{1, 1, false, true, NONE}, TG_WRONG, TG_FUNCTION_TRANSPOSE},
    {{1, -1, false, false, NONE}, TG_WRONG, TG_FUNCTION_FORWARD},
    {{1, 1 + 1e-5, false, false, NONE}, TG_WRONG, TG_FUNCTION_FORWARD},
    {{1, (double)INFINITY, false, false, NONE}, TG_WRONG, TG_FUNCTION_FORWARD},
    {{1, 1, true, false, NONE}, TG_WRONG, TG_FUNCTION_DERIVATIVE},
    {{2, 3, false, false, NONE}, TG_WRONG, TG_FUNCTION_BOTH},
};

START_TEST(products) {
    tg_function_report r;
    pair p = pairs[_i].p;
    for (int directions = 0; directions < 3; directions += 2)
        for (size_t m = 3; m <= 5; m += 2) {
            bool ok = tg_check_products(cubic, cubic_transpose, cubic_forward, &p, 5, point, m,
                                        (tg_function_opts){.directions = directions}, &r);
            ck_assert_msg(ok == r.ok && r.verdict == pairs[_i].verdict, "%s", r.message);
            ck_assert_msg(r.fault == pairs[_i].fault, "fault %d: %s", r.fault, r.message);
            if (!ok) ck_assert_ptr_nonnull(strstr(r.message, tg_function_fault_name(r.fault)));
            static const char by[] = "by the transpose product ";
            const char *said = strstr(r.message, by);
            if (r.fault == TG_FUNCTION_FORWARD) /* which is the derivative itself */
                ck_assert_msg(said && fabs(atof(said + strlen(by)) - r.evidence.numeric) < 1e-6, "%s",
                              r.message);
            /* without the forward product: what the transpose shows */
            ok = tg_check_products(cubic, cubic_transpose, NULL, &p, 5, point, m,
                                   (tg_function_opts){.directions = directions}, &r);
            ck_assert_msg(ok == (pairs[_i].fault == TG_FUNCTION_RIGHT || pairs[_i].fault == TG_FUNCTION_FORWARD),
                          "%s", r.message);
            ck_assert(r.fault == TG_FUNCTION_RIGHT && isnan(r.forward));
        }
}
END_TEST

START_TEST(products_out_of_bounds) {
    tg_function_report r;
    pair past = {1, 1, false, false, PAST}, before = {1, 1, false, false, BEFORE};
    ck_assert(!tg_check_products(cubic, cubic_transpose, NULL, &past, 5, point, 4, (tg_function_opts){0}, &r));
    ck_assert_msg(strstr(r.message, "the function writes element 4, past the end of 4"), "%s", r.message);
    ck_assert(!tg_check_products(cubic, cubic_transpose, cubic_forward, &before, 5, point, 4,
                                 (tg_function_opts){0}, &r));
    ck_assert_msg(strstr(r.message, "the forward product writes element -2"), "%s", r.message);
}
END_TEST

/* ---- noise in one element alone must not look like a wrong gradient ---- */

/* A number of [0, 1) that the last bit of x decides. */
static double hash_of(double x) {
    uint64_t b;
    memcpy(&b, &x, sizeof b);
    b *= UINT64_C(0x9e3779b97f4a7c15), b ^= b >> 29, b *= UINT64_C(0xbf58476d1ce4e5b9);
    return (double)(b >> 11) * 0x1p-53;
}
static double grainy(const double *x, size_t n, void *user) {
    (void)n;
    return x[0] * x[0] + sin(x[1]) + *(double *)user * hash_of(x[1]);
}
static void grainy_gradient(const double *x, size_t n, double *grad, void *user) {
    (void)n, (void)user;
    grad[0] = 2 * x[0], grad[1] = cos(x[1]);
}
START_TEST(noise_of_one_element) {
    for (double size = 1e-12; size < 1; size *= 10) {
        tg_function_report r;
        tg_check_function(grainy, grainy_gradient, &size, 2, point, (tg_function_opts){0}, &r);
        ck_assert_msg(r.verdict == (size < 3e-4 ? TG_CORRECT : TG_NOISE_LIMITED), "%g: %s", size, r.message);
    }
}
END_TEST

/* ---- large and empty inputs, time ---- */

static double weighted(const double *x, size_t n, void *user) {
    (void)user;
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)(i % 7) * x[i] * x[i];
    return sum;
}
static void weighted_gradient(const double *x, size_t n, double *grad, void *user) {
    for (size_t i = 0; i < n; i++) grad[i] = 2 * (double)(i % 7) * x[i] * (user ? 1.1 : 1);
}

START_TEST(many_elements) {
    size_t n = 200000;
    double *x = malloc(n * sizeof *x);
    ck_assert_ptr_nonnull(x);
    for (size_t i = 0; i < n; i++) x[i] = (double)(i % 13) - 6.5;
    tg_function_report r;
    ck_assert_msg(
        tg_check_function(weighted, weighted_gradient, NULL, n, x, (tg_function_opts){.samples = 40}, &r),
        "%s", r.message);
    ck_assert(r.compared == 40 && r.left_out == (int64_t)n - 40);
    ck_assert(
        !tg_check_function(weighted, weighted_gradient, &r, n, x, (tg_function_opts){.directions = 1}, &r));
    ck_assert_msg(r.verdict == TG_WRONG, "%s", r.message);
    /* how many it gets to, a slow machine decides; what it has not got to is counted */
    tg_check_function(weighted, weighted_gradient, NULL, n, x, (tg_function_opts){.seconds = 0.1}, &r);
    ck_assert_msg(r.left_out > 0 && r.compared + r.left_out == (int64_t)n && r.verdicts[TG_WRONG] == 0, "%s",
                  r.message);
    ck_assert_msg(r.ok == (r.noticed > 0), "%s", r.message);
    free(x);
}
END_TEST

START_TEST(nothing_to_check) {
    tg_function_report r;
    ck_assert(!tg_check_function(flat, flat_gradient, NULL, 0, NULL, (tg_function_opts){0}, &r));
    ck_assert_msg(strstr(r.message, "nothing was checked: there are no elements"), "%s", r.message);
    ck_assert(
        tg_check_function(flat, flat_gradient, NULL, 0, NULL, (tg_function_opts){.allow_empty = true}, &r));
    pair p = {1, 1, false, false, NONE};
    ck_assert(!tg_check_products(cubic, cubic_transpose, NULL, &p, 5, point, 0, (tg_function_opts){0}, &r));
    ck_assert_msg(strstr(r.message, "there are no values"), "%s", r.message);
    ck_assert(!check_waves((subject){0}, (tg_function_opts){.seconds = TG_ZERO}, &r));
    ck_assert_msg(strstr(r.message, "there was no time for it") && r.left_out == 5, "%s", r.message);
}
END_TEST

/* A row leaves out what is as usual. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
static const struct {
    tg_scalar_fn f;
    tg_gradient_fn g;
    size_t n;
    const double *x;
    tg_function_opts opts;
    const char *says;
} bad[] = {
    {NULL, flat_gradient, 2, point, {0}, "the function is NULL"},
    {flat, NULL, 2, point, {0}, "the gradient is NULL"},
    {flat, flat_gradient, 2, NULL, {0}, "the point is NULL"},
    {flat, flat_gradient, 2, point, {.rtol = -1}, ".rtol is -1"},
    {flat, flat_gradient, 2, point, {.rtol = NAN}, ".rtol is nan"},
    {flat, flat_gradient, 2, point, {.seconds = -2}, ".seconds is -2"},
    {flat, flat_gradient, 2, point, {.directions = -1}, ".directions is -1"},
    {flat, flat_gradient, 2, point, {.directions = 1, .samples = 2}, ".samples is 2"},
    {flat, flat_gradient, SIZE_MAX / 8, point, {0}, "memory"},
    {flat, flat_gradient, SIZE_MAX, point, {0}, "memory"},
};
START_TEST(bad_input) {
    tg_function_report r;
    ck_assert(!tg_check_function(bad[_i].f, bad[_i].g, NULL, bad[_i].n, bad[_i].x, bad[_i].opts, &r));
    ck_assert_msg(strstr(r.message, bad[_i].says), "no \"%s\" in: %s", bad[_i].says, r.message);
    ck_assert(r.verdict == TG_NO_VERDICT && r.compared == 0 && tg_error_status() == TG_OK);
    ck_assert(!tg_check_function(bad[_i].f, bad[_i].g, NULL, bad[_i].n, bad[_i].x, bad[_i].opts, NULL));
}
END_TEST

START_TEST(a_pending_error_is_the_reason) {
    tg_function_report r;
    tg_fail(TG_ERR_IO, "before: something");
    subject s = {.unit = 1};
    ck_assert(!tg_check_function(waves, waves_gradient, &s, 5, point, (tg_function_opts){0}, &r));
    ck_assert(strstr(r.message, "before: something") && s.calls == 0 && tg_error_status() == TG_ERR_IO);
    tg_error_clear();
}
END_TEST

START_TEST(failing_allocations) {
    size_t before = tg_memory_now().system_bytes;
    int failures = 0;
    for (int64_t at = 1;; at++) {
        tg_function_report r;
        tg_memory_fail_at(at);
        bool ok = check_waves((subject){0}, (tg_function_opts){0}, &r);
        tg_memory_fail_at(-1);
        ck_assert(tg_memory_now().system_bytes == before);
        if (ok) break;
        ck_assert_msg(strstr(r.message, "memory"), "%s", r.message);
        failures++;
    }
    ck_assert_int_ge(failures, 7);
}
END_TEST

static void count(int64_t element, const tg_evidence *e, void *user) {
    int64_t *next = user;
    ck_assert(element == *next && e->verdict == TG_CORRECT);
    ++*next;
}
START_TEST(each_is_shown) {
    int64_t next = 0;
    tg_function_report r;
    ck_assert(check_waves((subject){0}, (tg_function_opts){.each = count, .each_user = &next}, &r));
    ck_assert(next == 5 && r.evaluations <= 2 + 56 + 29 * 5);
    ck_assert_str_eq(tg_function_fault_name((tg_function_fault)99), "");
}
END_TEST

TCase *tcase_function(void) {
    TCase *tc = tcase_create("function");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, slips_are_named, 0, (int)(sizeof slips / sizeof *slips));
    tcase_add_test(tc, other_ways_to_look);
    tcase_add_test(tc, pages);
    tcase_add_test(tc, progress);
    tcase_add_test(tc, small_gradients_and_large_offsets);
    tcase_add_test(tc, kinks_and_flat_functions);
    tcase_add_loop_test(tc, products, 0, (int)(sizeof pairs / sizeof *pairs));
    tcase_add_test(tc, products_out_of_bounds);
    tcase_add_test(tc, noise_of_one_element);
    tcase_add_test(tc, many_elements);
    tcase_add_test(tc, nothing_to_check);
    tcase_add_loop_test(tc, bad_input, 0, (int)(sizeof bad / sizeof *bad));
    tcase_add_test(tc, a_pending_error_is_the_reason);
    tcase_add_test(tc, failing_allocations);
    tcase_add_test(tc, each_is_shown);
    return tc;
}
