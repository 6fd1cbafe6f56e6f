/* What a plan leaves out, since nobody uses it, and what it does all the same. */
#define _XOPEN_SOURCE 700 /* tests/cache_folder.h */
#include "tests/autograd/plan/compiled.h"

#include <math.h>
#include <stdio.h>

static int called;

static tg_status count_forward(const tg_call *c) {
    called++;
    tg_array_copy(c->out[0], c->in[0]);
    return TG_OK;
}
static void count_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    (void)n;
    din[0] = dout[0];
}
static const tg_op count_op = {
    .name = "count", .n_in = 1, .infer = tg_infer_same, .forward = count_forward, .grad = count_grad};
static const tg_op pure_op = {.name = "count purely",
                              .n_in = 1,
                              .infer = tg_infer_same,
                              .forward = count_forward,
                              .grad = count_grad,
                              .pure = true};

/* Runs it as a plan and eagerly, five times, from the same random numbers; returns what the plan tells. */
static tg_plan_stats compare(tg_step *step, void *user, tg_tensor *x, char *print, size_t bytes) {
    tg_plan *plan = tg_plan_new(step, user);
    for (int i = 0; i < 5; i++) {
        const tg_mark before = tg_tape_mark();
        const tg_rng here = *tg_default_rng();
        tg_tensor *y = tg_plan_run(plan, x);
        const tg_rng after = *tg_default_rng();
        *tg_default_rng() = here;
        tg_tensor *z = step(&x, user);
        expect_ok();
        expect_same(y, z);
        ck_assert_uint_eq(after.next, tg_default_rng()->next);
        tg_tape_rewind(before);
    }
    plan_text(plan, print, bytes);
    const tg_plan_stats s = tg_plan_stats_of(plan);
    tg_plan_free(plan);
    return s;
}

/* The gradient of (sum of dL/dw v) by w, L = sum tanh(x w)^2: dL/dw itself is a product that nobody needs. */
static tg_tensor *hessian_times(tg_tensor *const *in, void *user) {
    tg_tensor *w = user, *g, *h, *l = tg_sum(tg_square(tg_tanh(tg_matmul(in[0], w))));
    tg_grad(1, &l, 1, &w, &g, .create_graph = true);
    tg_tensor *dot = tg_sum(tg_mul(g, tg_full_like(w, 0.5)));
    tg_grad(1, &dot, 1, &w, &h);
    return h;
}

START_TEST(test_a_second_walk_needs_no_numbers_of_the_first) {
    char print[8192] = "";
    tg_tensor *w = param(TG_SHAPE(5, 3)), *x = tg_keep(tg_randn(TG_F64, 7, 5));
    const tg_plan_stats s = compare(hessian_times, w, x, print, sizeof print);
    ck_assert_int_ge(s.unused, 4); /* l's sum and square, the product, its product with v, and the sum */
    ck_assert_ptr_nonnull(strstr(print, " left out that nobody uses"));
    tg_free(w), tg_free(x);
}
END_TEST

/* Draws, a change of a kept tensor and of a stored gradient, an op that may do anything, and one that does not. */
static tg_tensor *mixed(tg_tensor *const *in, void *user) {
    tg_tensor *kept = user, *y = tg_square(in[0]);
    tg_exp(tg_rand(TG_F64, 3));
    tg_sum(tg_apply(&count_op, (tg_tensor *[]){y}, 1, NULL));
    tg_sum(tg_apply(&pure_op, (tg_tensor *[]){y}, 1, NULL));
    tg_add_(kept, tg_detach(tg_exp(y)), 0.25);
    return tg_add_scalar(y, 1);
}

START_TEST(test_what_is_done_all_the_same) {
    char print[8192] = "";
    tg_tensor *kept = tg_keep(tg_zeros(TG_F64, 3)), *x = tg_keep(tg_randn(TG_F64, 3));
    tg_plan *plan = tg_plan_new(mixed, kept);
    const tg_plan_stats s = compare(mixed, kept, x, print, sizeof print);
    ck_assert_ptr_nonnull(strstr(print, "  count("));
    ck_assert_ptr_null(strstr(print, "count purely"));
    ck_assert_int_ge(s.unused, 2);
    tg_fill_(kept, 0);
    for (int i = 1; i <= 5; i++) {
        const tg_mark before = tg_tape_mark();
        called = 0;
        tg_plan_run(plan, x);
        ck_assert_int_eq(called, i <= 2 ? 2 : 1);
        ck_assert_double_eq_tol(tg_get(kept, 1), i * 0.25 * exp(tg_get(x, 1) * tg_get(x, 1)), 1e-12);
        tg_tape_rewind(before);
    }
    tg_plan_free(plan);
    tg_free(kept), tg_free(x);
}
END_TEST

/* A gradient that is changed after it was stored is one that somebody may look at. */
static tg_tensor *clip(tg_tensor *const *in, void *user) {
    tg_tensor *w = user, *l = tg_sum(tg_mul(in[0], tg_square(w)));
    tg_backward(l);
    const bool was = tg_set_grad_enabled(false);
    tg_mul_(tg_grad_of(w), tg_scalar(TG_F64, 0.5));
    tg_set_grad_enabled(was);
    return l;
}

START_TEST(test_a_gradient_is_used) {
    tg_tensor *w = param(TG_SHAPE(3)), *x = tg_keep(tg_randn(TG_F64, 3));
    tg_plan *plan = tg_plan_new(clip, w);
    for (int i = 0; i < 4; i++) {
        const tg_mark before = tg_tape_mark();
        tg_plan_run(plan, x);
        for (int k = 0; k < 3; k++)
            ck_assert_double_eq(tg_get(tg_grad_of(w), k), tg_get(x, k) * tg_get(w, k));
        tg_zero_grad(w);
        tg_tape_rewind(before);
    }
    ck_assert_int_eq(tg_plan_stats_of(plan).replayed, 2);
    tg_plan_free(plan);
    tg_free(w), tg_free(x);
}
END_TEST

/* An index that is out of range is an error, whether anybody uses what it gives or not. */
static tg_tensor *gather(tg_tensor *const *in, void *user) {
    tg_index_select(user, 0, in[0]);
    return tg_add_scalar(tg_to(in[0], TG_F64), 1);
}

START_TEST(test_what_is_refused_is_refused) {
    tg_tensor *table = param(TG_SHAPE(4, 2)), *at = tg_keep(tg_zeros(TG_I64, 3));
    tg_plan *plan = tg_plan_new(gather, table);
    for (int i = 0; i < 4; i++) {
        if (i == 3) *(int64_t *)tg_data_mut(at) = 9;
        tg_plan_run(plan, at);
        if (i < 3) expect_ok();
    }
    ck_assert_int_eq(tg_plan_stats_of(plan).replayed, 1);
    ck_assert_ptr_nonnull(strstr(tg_error_message(), "9"));
    tg_error_clear();
    tg_plan_free(plan);
    tg_free(table), tg_free(at);
}
END_TEST

TCase *tcase_unused(void) {
    TCase *t = tcase_create("unused");
    tcase_add_checked_fixture(t, begin_test, end_test);
    tcase_add_test(t, test_a_second_walk_needs_no_numbers_of_the_first);
    tcase_add_test(t, test_what_is_done_all_the_same);
    tcase_add_test(t, test_a_gradient_is_used);
    tcase_add_test(t, test_what_is_refused_is_refused);
    return t;
}
