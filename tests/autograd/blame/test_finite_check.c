/* The finite check: what fails, what does not, and that all is as it was after a failure. */
#include "tests/autograd/helpers.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

static tg_tensor *w; /* of each row; a parameter */

static tg_tensor *fine(void) { return tg_sum(tg_square(w)); }
static tg_tensor *log_of_negative(void) { return tg_sum(tg_log(tg_affine(w, -1, 0))); }
static tg_tensor *overflow(void) { return tg_sum(tg_exp(tg_affine(w, 1000, 0))); }
static tg_tensor *data(void) {
    return tg_sum(tg_mul(w, tg_set_name(tg_from(TG_F64, ((double[]){1, NAN}), 2), "x")));
}
/* -inf where nothing is to be attended to */
static tg_tensor *mask_of_infinity(void) {
    tg_tensor *mask = tg_from(TG_F64, ((double[]){0, -INFINITY}), 2);
    return tg_sum(tg_square(tg_softmax(tg_add(w, mask), 0)));
}
static tg_tensor *mask_by_log(void) {
    tg_tensor *keep = tg_from(TG_F64, ((double[]){0, 1}), 2);
    return tg_sum(tg_square(tg_softmax(tg_add(w, tg_log(keep)), 0)));
}
static tg_tensor *beside(void) { /* a NaN that reaches no loss */
    tg_log(tg_affine(w, -1, 0));
    return fine();
}
static tg_tensor *chosen_away(void) {
    tg_tensor *bad = tg_log(tg_affine(w, -1, 0));
    return tg_sum(tg_where(tg_gt(w, tg_zeros(TG_F64, 2)), tg_square(w), bad));
}
static tg_tensor *root_of_zero(void) { return tg_sum(tg_sqrt(tg_affine(w, 0, 0))); }
static tg_tensor *infinite_slope(void) {
    return tg_sum(tg_sqrt(tg_sub(w, tg_from(TG_F64, ((double[]){1, 0}), 2))));
}

enum { NONE, VALUE, GRADIENT };
static const struct row {
    const char *name;
    tg_tensor *(*f)(void);
    int fails, each; /* at backward, at each op */
    const char *words[3];
} rows[] = {
    {"fine", fine, NONE, NONE, {0}},
    {"log", log_of_negative, VALUE, VALUE, {"log(-1) at [0]"}},
    {"overflow", overflow, VALUE, NONE, {"the loss is infinite", "exp(1000) at [0]"}},
    {"data", data, VALUE, NONE, {"the loss is NaN", "mul(2, nan) at [1]", "x [2] f64, has one already"}},
    {"mask of infinity", mask_of_infinity, NONE, NONE, {0}},
    {"mask by log", mask_by_log, NONE, NONE, {0}},
    {"beside", beside, NONE, VALUE, {"log(-1) at [0]"}},
    {"chosen away", chosen_away, NONE, VALUE, {0}},
    {"root",
     root_of_zero,
     GRADIENT,
     GRADIENT,
     {"the rule of ", "sqrt(", "inf at [0], of sqrt(0) and the gradient 1 of its result"}},
    {"infinite slope", infinite_slope, GRADIENT, GRADIENT, {"the rule of ", "sqrt(", "inf at [0]"}},
};

static void begin(void) {
    begin_test();
    w = tg_set_name(param(TG_SHAPE(2)), "w");
}
static void end(void) {
    tg_set_finite_check(TG_FINITE_OFF);
    tg_free(w);
    end_test();
}

START_TEST(off) {
    const struct row *r = &rows[_i];
    ck_assert_int_eq(tg_set_finite_check(TG_FINITE_OFF), TG_FINITE_OFF);
    ck_assert_int_eq(tg_backward(r->f()), TG_OK);
}
END_TEST

static void expect_words(const struct row *r) {
    for (int i = 0; i < 3 && r->words[i]; i++)
        ck_assert_msg(strstr(tg_error_message(), r->words[i]), "%s: no \"%s\" in: %s", r->name, r->words[i],
                      tg_error_message());
    ck_assert_msg(strstr(tg_error_message(), "test_finite_check.c:"), "%s", tg_error_message());
    ck_assert_int_eq(tg_error_status(), TG_ERR_ARGUMENT);
    tg_error_clear();
}

START_TEST(at_backward) {
    const struct row *r = &rows[_i];
    tg_set_finite_check(TG_FINITE_AT_BACKWARD);
    tg_backward(fine()); /* a gradient that is to stay */
    const double before = tg_get(tg_grad_of(w), 1);
    tg_tensor *loss = r->f(), *g;
    expect_ok(); /* no op fails */
    ck_assert_int_eq(tg_backward(loss), r->fails == NONE ? TG_OK : TG_ERR_ARGUMENT);
    if (r->fails == NONE) return;
    ck_assert_msg(strstr(tg_error_message(), r->fails == VALUE
                                                 ? "tg_backward: the loss is "
                                                 : "tg_backward: the gradient of w [2] f64 is not finite: "),
                  "%s", tg_error_message());
    expect_words(r);
    ck_assert(tg_get(tg_grad_of(w), 1) == before);
    ck_assert_int_eq(tg_grad(1, &loss, 1, &w, &g), r->fails == VALUE ? TG_ERR_ARGUMENT : TG_ERR_TAPE);
    tg_error_clear();
    loss = r->f();
    ck_assert_int_eq(tg_grad(1, &loss, 1, &w, &g), TG_ERR_ARGUMENT);
    ck_assert(tg_is_poison(g));
    ck_assert_msg(strstr(tg_error_message(), "tg_grad: the "), "%s", tg_error_message());
    expect_words(r);
}
END_TEST

START_TEST(at_each_op) {
    const struct row *r = &rows[_i];
    ck_assert_int_eq(tg_set_finite_check(TG_FINITE_AT_EACH_OP), TG_FINITE_OFF);
    tg_tensor *loss = r->f();
    if (r->each == VALUE) {
        ck_assert(tg_is_poison(loss) || strcmp(r->name, "beside") == 0);
        ck_assert_msg(strncmp(tg_error_message(), "log: makes a NaN of [2] f64: log(-1) at [0]", 43) == 0,
                      "%s", tg_error_message());
        expect_words(&(struct row){.name = r->name, .words = {"log(-1) at [0]"}});
        return;
    }
    expect_ok();
    const bool fails = r->each == GRADIENT || r->fails == VALUE;
    ck_assert_int_eq(tg_backward(loss), fails ? TG_ERR_ARGUMENT : TG_OK);
    ck_assert(tg_has_grad(w) == !fails);
    if (fails) expect_words(r);
}
END_TEST

START_TEST(the_same_bits) {
    const double x[] = {0.3, 1.7};
    tg_grad_opts twice = {.create_graph = true};
    tg_tensor *g[3], *h[3];
    for (int check = 0; check < 3; check++) {
        tg_tensor *v = tg_set_requires_grad(tg_from(TG_F64, x, 2), true);
        tg_set_finite_check((tg_finite_check)check);
        tg_tensor *s = tg_sigmoid(v), *loss = tg_sum(tg_mul(tg_mul(s, v), tg_exp(s)));
        ck_assert_int_eq(tg_grad_with(1, &loss, 1, &v, &g[check], twice), TG_OK);
        tg_tensor *sum = tg_sum(g[check]);
        ck_assert_int_eq(tg_grad(1, &sum, 1, &v, &h[check]), TG_OK);
    }
    for (int i = 0; i < 2; i++)
        ck_assert(tg_get(g[0], i) == tg_get(g[1], i) && tg_get(g[0], i) == tg_get(g[2], i) &&
                  tg_get(h[0], i) == tg_get(h[1], i) && tg_get(h[0], i) == tg_get(h[2], i));
}
END_TEST

static tg_tensor *spoil(tg_tensor *grad, void *user) {
    ++*(int *)user;
    return tg_affine(grad, (double)INFINITY, 0);
}

START_TEST(by_a_hook) {
    for (int check = 1; check < 3; check++) {
        int runs = 0;
        tg_set_finite_check((tg_finite_check)check);
        tg_tensor *h = tg_square(w);
        tg_register_hook(h, spoil, &runs);
        ck_assert_int_eq(tg_backward(tg_sum(h)), TG_ERR_ARGUMENT);
        expect_error(TG_ERR_ARGUMENT, "a hook");
        ck_assert_int_eq(runs, 1);
        ck_assert(!tg_has_grad(w));
    }
}
END_TEST

static tg_tensor *part(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_sqrt(tg_affine(in[0], 0, 0));
}

START_TEST(in_a_checkpoint) {
    for (int check = 1; check < 3; check++) {
        tg_set_finite_check((tg_finite_check)check);
        tg_tensor *y = tg_checkpoint(part, NULL, 1, &w);
        ck_assert_int_eq(tg_backward(tg_sum(y)), TG_ERR_ARGUMENT);
        expect_error(TG_ERR_ARGUMENT, "the rule of ", "sqrt(", "inf at [0]");
        ck_assert(!tg_has_grad(w));
    }
}
END_TEST

START_TEST(what_was_dropped) {
    tg_set_finite_check(TG_FINITE_AT_BACKWARD);
    tg_tensor *zero = tg_affine(w, 0, 0), *root = tg_sqrt(zero);
    tg_tensor *loss = tg_sum(tg_mul(root, tg_exp(w)));
    tg_drop_elements(zero);
    tg_drop_elements(root);
    ck_assert_int_eq(tg_backward(loss), TG_ERR_ARGUMENT);
    expect_error(
        TG_ERR_ARGUMENT,
        "tg_backward: the gradient of w [2] f64 is not finite: which rule made it cannot be seen any more: ",
        "dropped by tg_drop_elements");
    ck_assert(!tg_has_grad(w));
}
END_TEST

START_TEST(a_seed) {
    tg_set_finite_check(TG_FINITE_AT_BACKWARD);
    tg_tensor *seed = tg_from(TG_F64, ((double[]){1, INFINITY}), 2);
    ck_assert_int_eq(tg_backward(tg_square(w), .seed = seed), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "the gradient of w [2] f64 is not finite: the first gradient");
    /* Outputs of several elements are not looked at: the seed may leave some out. */
    tg_tensor *y = tg_add(w, tg_from(TG_F64, ((double[]){0, -INFINITY}), 2));
    ck_assert_int_eq(tg_backward(y, .seed = tg_ones(TG_F64, 2)), TG_OK);
    ck_assert(tg_get(tg_grad_of(w), 0) == 1);
}
END_TEST

static void *ask(void *none) {
    (void)none;
    return (void *)(intptr_t)tg_set_finite_check(TG_FINITE_OFF);
}

START_TEST(of_threads) {
    pthread_t thread;
    void *was;
    tg_set_finite_check(TG_FINITE_AT_EACH_OP);
    pthread_create(&thread, NULL, ask, NULL);
    pthread_join(thread, &was);
    ck_assert_int_eq((int)(intptr_t)was, TG_FINITE_OFF);
    tg_set_finite_check((tg_finite_check)3);
    expect_error(TG_ERR_ARGUMENT, "tg_set_finite_check: 3 is no check", "test_finite_check.c");
    ck_assert_int_eq(tg_set_finite_check(TG_FINITE_OFF), TG_FINITE_AT_EACH_OP);
}
END_TEST

START_TEST(beside_a_profile) {
    tg_set_finite_check(TG_FINITE_AT_EACH_OP);
    tg_profile *p = tg_profile_begin(0);
    tg_backward(fine());
    ck_assert_int_eq(tg_profile_end(p), TG_OK);
    tg_profile_row row;
    ck_assert_int_gt((int)tg_profile_rows(p, &row, 1), 3);
    tg_profile_free(p);
    ck_assert(tg_is_poison(log_of_negative())); /* still on */
    expect_error(TG_ERR_ARGUMENT, "log: makes a NaN");
}
END_TEST

static tg_tensor *scaled(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *loss = tg_sum(tg_log(tg_mul(w, in[0])));
    tg_backward(loss);
    return loss;
}

/* A plan is looked at while it is recorded. */
START_TEST(of_a_plan) {
    tg_tensor *good = tg_ones(TG_F64, 2), *bad = tg_full(TG_F64, -1, 2);
    for (int check = 1; check < 3; check++) {
        tg_set_finite_check((tg_finite_check)check);
        tg_plan *plan = tg_plan_new(scaled, NULL);
        ck_assert(tg_is_poison(tg_plan_run(plan, bad)));
        expect_error(TG_ERR_ARGUMENT, "log(-1) at [0]");
        ck_assert(!tg_has_grad(w));
        for (int i = 0; i < 4; i++) {
            ck_assert(tg_item(tg_plan_run(plan, good)) == log(2));
            ck_assert(tg_get(tg_grad_of(w), 1) == 0.5);
            tg_zero_grad(w);
        }
        ck_assert_int_ge((int)tg_plan_stats_of(plan).replayed, 1);
        tg_plan_free(plan);
    }
}
END_TEST

/* Each allocation of a failing walk fails in turn: an error all the same, and no gradient. */
START_TEST(without_memory) {
    tg_set_finite_check(1 + _i == 1 ? TG_FINITE_AT_BACKWARD : TG_FINITE_AT_EACH_OP);
    for (int64_t n = 1; n < 200; n++) {
        const tg_mark mark = tg_tape_mark();
        tg_tensor *loss = root_of_zero();
        tg_memory_trim();
        tg_memory_fail_at(n);
        tg_status s = tg_backward(loss);
        tg_memory_fail_at(-1);
        ck_assert(s == TG_ERR_ARGUMENT || s == TG_ERR_MEMORY);
        ck_assert(!tg_has_grad(w));
        tg_error_clear();
        tg_tape_rewind(mark);
    }
    ck_assert_int_eq(tg_backward(fine()), TG_OK);
}
END_TEST

TCase *tcase_finite_check(void);
TCase *tcase_finite_check(void) {
    TCase *t = tcase_create("finite check");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_loop_test(t, off, 0, COUNT(rows));
    tcase_add_loop_test(t, at_backward, 0, COUNT(rows));
    tcase_add_loop_test(t, at_each_op, 0, COUNT(rows));
    tcase_add_test(t, the_same_bits);
    tcase_add_test(t, by_a_hook);
    tcase_add_test(t, in_a_checkpoint);
    tcase_add_test(t, what_was_dropped);
    tcase_add_test(t, a_seed);
    tcase_add_test(t, of_threads);
    tcase_add_test(t, beside_a_profile);
    tcase_add_test(t, of_a_plan);
    tcase_add_loop_test(t, without_memory, 0, 2);
    return t;
}
