/* Kernels on a few elements, compiled as straight-line code: the bits of the eager step, at every length, and one function for what
 * is repeated. */
#define _XOPEN_SOURCE 700 /* tests/cache_folder.h */
#include "core/kernels/kernels.h"
#include "tests/autograd/plan/compiled.h"

#include <math.h>
#include <stdio.h>

static void begin_folder(void) {
    begin_test();
    make_cache_folder();
}

static void end_folder(void) {
    remove_cache_folder();
    unsetenv("TG_CC");
    end_test();
}

/* ---- steps ---- */

/* A recurrence, and back: functions, a sum that all elements see, truth values, choices, powers. */
static tg_tensor *recur(tg_tensor *const *in, void *user) {
    tg_tensor *y = in[0], *x = in[1];
    for (int i = 0; i < 30; i++) {
        tg_tensor *r = tg_sum(tg_square(y), .keepdim = true);
        tg_tensor *pull = tg_mul(y, tg_pow_scalar(tg_add_scalar(r, 0.5), -1.5));
        tg_tensor *up = tg_where(tg_gt(y, x), tg_sigmoid(x), tg_neg(y));
        y = tg_add(tg_mul_scalar(y, 0.9), tg_mul_scalar(tg_add(pull, up), 0.1));
    }
    if (user) tg_backward(tg_sum(tg_mul(y, x)));
    return y;
}

/* Parts of arrays that are read and written as wholes in between, in memory of the caller's too. */
static tg_tensor *view(tg_tensor *const *in, void *user) {
    tg_tensor *kept = user, *y = tg_mul(in[0], in[1]);
    int64_t n = tg_numel(y);
    for (int i = 0; i < 12; i++) {
        tg_tensor *head = tg_slice(y, 0, 0, (n + 1) / 2, 1), *tail = tg_slice(y, 0, n / 2, n, 1);
        tg_add_(head, tg_exp(tail), 0.125);
        tg_mul_(tail, head);
        tg_add_(kept, y, -0.25);
        y = tg_tanh(tg_add(y, kept));
    }
    return tg_add(y, in[0]);
}

/* Two types, and a truth value that is the result. */
static tg_tensor *mixed(tg_tensor *const *in, void *user) {
    tg_tensor *a = in[0], *b = tg_to(in[1], tg_dtype_of(in[0]) == TG_F32 ? TG_F64 : TG_F32);
    (void)user;
    for (int i = 0; i < 10; i++) {
        for (int k = 0; k < 4; k++) a = tg_sin(tg_mul(a, in[1]));
        for (int k = 0; k < 4; k++) b = tg_cos(tg_add(b, b));
        a = tg_add(a, tg_to(b, tg_dtype_of(a)));
    }
    return tg_gt(tg_sigmoid(a), tg_clamp(a, -INFINITY, 0.5));
}

typedef tg_tensor *stepper(tg_tensor *const *in, void *user);

static tg_tensor *numbers(tg_dtype dtype, int64_t n) {
    tg_tensor *t = tg_mul_scalar(tg_randn(dtype, n), 0.5);
    return tg_set_requires_grad(t, true);
}

typedef struct pair { /* what the step is given: of the plan and of the eager run */
    void *plan, *eager;
} pair;

static tg_plan_stats train(stepper *f, pair user, tg_dtype dtype, int64_t n, FILE *print) {
    tg_plan *plan = tg_plan_new(f, user.plan, .compile = true);
    for (int i = 0; i < 5; i++) {
        tg_mark before = tg_tape_mark();
        tg_tensor *in[2], *again[2];
        for (int k = 0; k < 2; k++) again[k] = copy(in[k] = numbers(dtype, n));
        expect_same(tg_plan_run_with(plan, 2, in), f(again, user.eager));
        expect_ok();
        for (int k = 0; k < 2 && tg_has_grad(in[k]); k++)
            expect_same(tg_grad_of(in[k]), tg_grad_of(again[k]));
        tg_tape_rewind(before);
    }
    tg_plan_stats s = tg_plan_stats_of(plan);
    if (print) tg_plan_print(print, plan);
    tg_plan_free(plan);
    ck_assert_int_eq(s.replayed, 3);
    return s;
}

static bool vectors(void) { return strcmp(tg_isa(), "ref") != 0; } /* else only single numbers are vectors */

/* ---- tests ---- */

/* Lengths about those of vectors: what is longer is left to kernels, one after the other. */
static const int64_t lengths[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 40};

START_TEST(test_it_has_the_bits_of_the_step) {
    const int64_t n = lengths[_i];
    for (tg_dtype dtype = TG_F32; dtype <= TG_F64; dtype++) {
        tg_plan_stats s = train(recur, (pair){&before_test, &before_test}, dtype, n, NULL);
        if (n == 1 || (n == 2 && vectors())) ck_assert_int_gt(s.straight, 1);
        s = train(mixed, (pair){0}, dtype, n, NULL);
        if (n == 1 || (n == 2 && vectors())) ck_assert_int_gt(s.straight, 1);
    }
}
END_TEST

START_TEST(test_views_meet_in_memory) {
    const int64_t n = lengths[_i];
    bool was = tg_set_grad_enabled(false);
    for (tg_dtype dtype = TG_F32; dtype <= TG_F64; dtype++) {
        tg_tensor *a = tg_keep(tg_ones(dtype, n)), *b = tg_keep(tg_ones(dtype, n));
        tg_plan_stats s = train(view, (pair){a, b}, dtype, n, NULL);
        if (n == 1) ck_assert_int_gt(s.straight, 0);
        expect_same(a, b);
        tg_free(a), tg_free(b);
    }
    tg_set_grad_enabled(was);
}
END_TEST

/* The text of the only file that was compiled. */
static char *text_of_file(void) {
    char name[600], *text = calloc(1, 1 << 20);
    snprintf(name, sizeof name, "cat %s/*.c", folder);
    FILE *f = popen(name, "r");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_gt(fread(text, 1, (1 << 20) - 1, f), 0);
    pclose(f);
    return text;
}

/* Thirty rounds are a few functions, each called for many. */
START_TEST(test_what_is_repeated_is_one_function) {
    char printed[1 << 16] = "";
    FILE *f = tmpfile();
    tg_plan_stats s = train(recur, (pair){&before_test, &before_test}, TG_F32, 1, f);
    rewind(f);
    ck_assert_uint_gt(fread(printed, 1, sizeof printed - 1, f), 0);
    fclose(f);
    ck_assert_ptr_nonnull(strstr(printed, "compiled as straight-line code"));
    char *text = text_of_file();
    int functions = 0;
    for (const char *at = text; (at = strstr(at, "void straight_")); at++) functions++;
    free(text);
    ck_assert_int_ge(functions, 2);
    ck_assert_msg(2 * functions < s.straight, "%d functions for %d parts", functions, s.straight);
}
END_TEST

START_TEST(test_without_a_compiler_kernels_are_called) {
    setenv("TG_CC", "false", 1);
    ck_assert_int_eq(train(recur, (pair){&before_test, &before_test}, TG_F64, 2, NULL).straight, 0);
}
END_TEST

START_TEST(test_threads_share_it) {
    tg_plan *plan = tg_plan_new(recur, NULL, .compile = true, .shared = true);
    share(plan, recur, 1);
    ck_assert_int_gt(tg_plan_stats_of(plan).straight, 0);
    tg_plan_free(plan);
}
END_TEST

/* Without memory for it the step is eager, or its kernels are called; nothing is lost. */
START_TEST(test_allocation_fails_at_each_point) {
    int failed = 0, straight = 0;
    for (int n = 0; n < 60; n++) {
        tg_plan *plan = tg_plan_new(recur, NULL, .compile = true);
        for (int i = 0; i < 4; i++) {
            tg_mark before = tg_tape_mark();
            tg_tensor *in[2] = {numbers(TG_F64, 1), numbers(TG_F64, 1)};
            if (i == 1) tg_memory_fail_at(4 * n);
            tg_tensor *y = tg_plan_run_with(plan, 2, in);
            tg_memory_fail_at(-1);
            failed += tg_is_poison(y);
            if (tg_is_poison(y)) ck_assert_int_eq(tg_error_status(), TG_ERR_MEMORY);
            tg_error_clear();
            if (!tg_is_poison(y)) expect_same(y, recur(in, NULL));
            tg_tape_rewind(before);
        }
        straight += tg_plan_stats_of(plan).straight > 0;
        tg_plan_free(plan);
    }
    ck_assert_int_gt(failed, 2);
    ck_assert_int_gt(straight, 2);
}
END_TEST

TCase *tcase_straight(void);
TCase *tcase_straight(void) {
    TCase *t = tcase_create("straight");
    tcase_set_tags(t, "spawn"); /* other programs, which Valgrind would run */
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, begin_folder, end_folder);
    const int n = (int)(sizeof lengths / sizeof *lengths);
    tcase_add_loop_test(t, test_it_has_the_bits_of_the_step, 0, n);
    tcase_add_loop_test(t, test_views_meet_in_memory, 0, n);
    tcase_add_test(t, test_what_is_repeated_is_one_function);
    tcase_add_test(t, test_without_a_compiler_kernels_are_called);
    tcase_add_test(t, test_threads_share_it);
    tcase_add_test(t, test_allocation_fails_at_each_point);
    return t;
}
