/* The elementwise functions of one and of two tensors, and their gradients, in groups that are compiled: the bits of the eager
 * step, also where numbers are special. */
#define _XOPEN_SOURCE 700 /* tests/cache_folder.h */
#include "tests/cache_folder.h"
#include "tests/ops/harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const unary[] = {
#define DO(name) #name,
#include "tests/unaries.def"
#undef DO
};
static const char *const binary[] = {"add", "sub", "mul",   "div",       "pow",   "maximum",
                                     "minimum", "fmod", "remainder", "atan2", "hypot", "xlogy",
                                     "logaddexp", "half_square_over", "copysign", "eq", "ne", "lt",
                                     "le", "gt", "ge"};
enum {
    UNARY = sizeof unary / sizeof *unary,
    BINARY = sizeof binary / sizeof *binary,
    FUNCTIONS = UNARY + BINARY,
    INPUTS = UNARY + 2 * BINARY, /* each function has its own, so that one gradient's NaN is not in another */
    N = 2048 + 37
};

static const double special[] = {0, -0.0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 1.5, -2.5, 6, 20, -20, 40, 88.5, -88.5,
                                 -104, 710, -746, 0x1.921fb6p1, -0x1.921fb6p0, 1e5, -1e10, 0x1p31, 1e20, -1e20,
                                 1e-5, -1e-8, 1e-20, 1e-39, -1e-42, 0x1p-149, 3e38, -3e38, 1e-310, 1e300, -1e300,
                                 0x1.fffffep-1, 0x1.fffffffffffffp-1, 170.5, 35.1, INFINITY, -INFINITY, NAN};
enum { SPECIAL = sizeof special / sizeof *special };

static void begin(void) {
    tg_error_clear();
    make_cache_folder();
}

static void end(void) {
    remove_cache_folder();
    tg_error_clear();
}

/* Truth values choose between numbers, so that a result is of the inputs' dtype. */
static tg_tensor *call_one(const char *name, tg_tensor *const *in) {
    tg_tensor *y = find_call(name)->fn(in, &(arguments){.n = 0});
    return tg_dtype_of(y) == TG_BOOL ? tg_where(y, in[0], tg_neg(in[0])) : y;
}

static tg_tensor *step(tg_tensor *const *in, void *user) {
    tg_tensor *y[FUNCTIONS];
    (void)user;
    for (int i = 0; i < UNARY; i++) y[i] = call_one(unary[i], &in[i]);
    for (int i = 0; i < BINARY; i++) y[UNARY + i] = call_one(binary[i], &in[UNARY + 2 * i]);
    tg_tensor *all = tg_stack_with(0, FUNCTIONS, y);
    tg_backward(tg_sum(all));
    return all;
}

/* Of a function of two tensors the first of all pairs of special numbers, as far as they fit, then numbers around 0. */
static double number(int input, int64_t i) {
    bool second = input >= UNARY && (input - UNARY) % 2;
    int64_t pair = (input - UNARY) / 2 + i;
    if (input < UNARY && i < SPECIAL) return special[i];
    if (input >= UNARY && i < N - 256) return special[(second ? pair : pair / SPECIAL) % SPECIAL];
    return sin((double)(i * (input + 3))) * (i % 3 ? 4 : 30);
}

static tg_tensor *make(tg_dtype dtype, int input) {
    tg_tensor *t = tg_zeros(dtype, N);
    for (int64_t i = 0; i < N; i++) tg_array_set(tg_array_of(t), i, number(input, i));
    return tg_set_requires_grad(t, true);
}

/* To the bit; one NaN is as good as another. */
static void expect_same(tg_tensor *a, tg_tensor *b, const char *what, int of) {
    const tg_array *x = tg_array_of(a), *y = tg_array_of(b);
    for (int64_t i = 0; i < tg_numel(a); i++) {
        double v = tg_array_get(x, i), w = tg_array_get(y, i);
        const char *name = of >= 0 ? NULL : i / N < UNARY ? unary[i / N] : binary[i / N - UNARY];
        if (!name) name = of < UNARY ? unary[of] : binary[(of - UNARY) / 2];
        ck_assert_msg(memcmp(&v, &w, sizeof v) == 0 || (v != v && w != w), "%s of %s, element %d: %.17g and %.17g",
                      what, name, (int)(i % N), v, w);
    }
}

static void compare(tg_plan *plan, tg_dtype dtype) {
    tg_tensor *in[INPUTS], *again[INPUTS];
    for (int i = 0; i < INPUTS; i++) in[i] = make(dtype, i), again[i] = make(dtype, i);
    tg_tensor *y = tg_plan_run_with(plan, INPUTS, in), *z = step(again, NULL);
    ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
    expect_same(y, z, "value", -1);
    for (int i = 0; i < INPUTS; i++) {
        ck_assert_int_eq(tg_has_grad(in[i]), tg_has_grad(again[i]));
        if (tg_has_grad(in[i])) expect_same(tg_grad_of(in[i]), tg_grad_of(again[i]), "gradient", i);
    }
}

START_TEST(all_functions_have_the_bits_of_the_step) {
    tg_plan *plan = tg_plan_new(step, NULL, .compile = true);
    for (int i = 0; i < 3; i++) {
        tg_mark before = tg_tape_mark();
        compare(plan, (tg_dtype)_i);
        tg_tape_rewind(before);
    }
    tg_plan_stats s = tg_plan_stats_of(plan);
    ck_assert_int_eq(s.replayed, 1);
    ck_assert_int_gt(s.compiled, 0);
    ck_assert_int_eq(s.compiled, s.groups);
    ck_assert_int_gt(s.fused, FUNCTIONS);
    tg_plan_free(plan);
}
END_TEST

TCase *tcase_compiled(void) {
    TCase *t = tcase_create("compiled");
    tcase_set_tags(t, "spawn"); /* other programs, which Valgrind would run */
    tcase_set_timeout(t, 300);
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_loop_test(t, all_functions_have_the_bits_of_the_step, TG_F32, TG_F64 + 1);
    return t;
}
