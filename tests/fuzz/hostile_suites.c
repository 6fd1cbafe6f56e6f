/* Gradient checks of plain functions, and suites, whose functions misbehave. */
#include "tests/fuzz/hostile.h"

#include <string.h>

static int pick(int n) { return (int)below(n); }

/* ---- functions of numbers ---- */

enum { MOST_NUMBERS = 6 };

/* One in so many numbers is another than it should be. */
static double spoilt(double v) { return one_in(60) ? draw_double("number") : v; }

static void disturb_caller(void) {
    if (hostile_depth > 0 && one_in(40)) call_back();
    if (one_in(200)) tg_fail(TG_ERR_ARGUMENT, "hostile: a function of numbers fails");
}

static double sum_of_squares(const double *x, size_t n, void *user) {
    double sum = 0;
    (void)user;
    for (size_t i = 0; i < n; i++) sum += x[i] * x[i];
    disturb_caller();
    return spoilt(sum);
}

static void twice(const double *x, size_t n, double *grad, void *user) {
    (void)user;
    for (size_t i = 0; i < n; i++)
        if (!one_in(60)) grad[i] = spoilt(2 * x[i]);
    if (one_in(20)) grad[n + (size_t)below(16)] = 1;
    disturb_caller();
}

static void squares(const double *x, size_t n, double *y, size_t m, void *user) {
    (void)user;
    for (size_t j = 0; j < m; j++) y[j] = n ? spoilt(x[j % n] * x[j % n]) : 0;
    if (one_in(60)) y[-1 - below(16)] = 1;
    disturb_caller();
}

static void transpose(const double *x, size_t n, const double *u, size_t m, double *xbar, void *user) {
    (void)user;
    for (size_t i = 0; i < n; i++) xbar[i] = 0;
    for (size_t j = 0; j < m && n > 0; j++) xbar[j % n] += spoilt(2 * x[j % n] * u[j]);
    disturb_caller();
}

static void forward(const double *x, size_t n, const double *v, double *ydot, size_t m, void *user) {
    (void)user;
    for (size_t j = 0; j < m; j++) ydot[j] = n ? spoilt(2 * x[j % n] * v[j % n]) : 0;
    disturb_caller();
}

static void saw(int64_t element, const tg_evidence *e, void *user) {
    (void)element, (void)e, (void)user;
    disturb_caller();
}
tg_function_each draw_tg_function_each(const char *name) {
    note(" %s", name);
    return one_in(3) ? saw : NULL;
}

static tg_function_opts options(void) {
    tg_function_opts o = {
        .seed = (uint64_t)below(99), .full = one_in(4), .allow_zero = one_in(3), .allow_empty = one_in(3)};
    if (one_in(4)) o.rtol = draw_double("rtol");
    if (one_in(4)) o.samples = (size_t)below(4);
    if (one_in(4)) o.directions = pick(4) - 1;
    if (one_in(4)) o.seconds = draw_double("seconds");
    o.each = draw_tg_function_each("each");
    return o;
}

/* The size is that of the array, or none that memory has. */
static size_t numbers(double *x) {
    for (int i = 0; i < MOST_NUMBERS; i++) x[i] = draw_double("x");
    return bad() ? SIZE_MAX / (size_t)(1 + below(9)) : (size_t)below(MOST_NUMBERS + 1);
}

void own_tg_check_function(void) {
    double x[MOST_NUMBERS];
    tg_function_report r;
    size_t n = numbers(x);
    tg_scalar_fn f = bad() ? NULL : sum_of_squares;
    tg_gradient_fn g = bad() ? NULL : twice;
    tg_function_opts o = options();
    const double *at = bad() ? NULL : x;
    call_begin();
    (void)tg_check_function(f, g, NULL, n, at, o, one_in(4) ? NULL : &r);
    end_void();
}

void own_tg_check_products(void) {
    double x[MOST_NUMBERS];
    tg_function_report r;
    size_t n = numbers(x), m = bad() ? SIZE_MAX : (size_t)below(4);
    tg_vector_fn f = bad() ? NULL : squares;
    tg_vjp_fn t = bad() ? NULL : transpose;
    tg_jvp_fn v = one_in(2) ? NULL : forward;
    tg_function_opts o = options();
    const double *at = bad() ? NULL : x;
    call_begin();
    (void)tg_check_products(f, t, v, NULL, n, at, m, o, one_in(4) ? NULL : &r);
    end_void();
}

/* ---- suites ---- */

static void result(const tg_check_result *r, void *user) {
    (void)r, (void)user;
    disturb_caller();
}
tg_check_result_fn draw_tg_check_result_fn(const char *name) {
    note(" %s", name);
    return one_in(3) ? result : NULL;
}

static tg_check_row draw_row(void) {
    static const char *const shapes[] = {"", "a", "ab", "2", "1b", "abcdefghi", "A"};
    tg_check_row row = {.name = bad() ? NULL : "row", .any_shape = one_in(3), .allow_zero = one_in(3)};
    for (int i = 0, n = bad() ? 0 : 1 + pick(3); i < n; i++) {
        row.in[i].shape = shapes[below(bad() ? 7 : 5)];
        if (one_in(4)) row.in[i].low = draw_double("low"), row.in[i].high = draw_double("high");
        if (one_in(6)) row.in[i].dtype = (tg_dtype)below(bad() ? 9 : TG_DTYPES);
        row.in[i].constant = one_in(6), row.in[i].distinct = one_in(6);
    }
    if (!bad() && one_in(2)) row.f = draw_tg_function("f"), row.user = draw_user();
    if (!row.f || bad()) row.op = draw_tg_op_p("op"), row.attr = draw_attr();
    if (one_in(6)) row.model = draw_tg_model_p("model");
    row.order = bad() ? -1 : pick(3);
    return row;
}

void own_tg_check_suite_with(void) {
    tg_check_row row[2] = {draw_row(), draw_row()};
    tg_check_report r;
    tg_check_suite_opts o = {.points = bad() ? -1 : 1, .seed = (uint64_t)below(99)};
    int n = bad() ? pick(3) - 1 : 1 + pick(2);
    if (one_in(3)) o.tap = draw_FILE_p("tap");
    if (one_in(3)) o.junit = draw_FILE_p("junit");
    if (one_in(6)) o.only = draw_text("only");
    o.each = draw_tg_check_result_fn("each");
    const char *name = bad() ? NULL : "suite";
    call_begin();
    (void)tg_check_suite_with(name, n, bad() ? NULL : row, one_in(4) ? NULL : &r, o);
    end_void();
}
