/* Hooks: what they see, and what becomes of what they return. */
#include "helpers.h"

static tg_mark start;
static double seen[8];
static int n_seen;

static void setup(void) {
    tg_error_clear();
    start = tg_tape_mark();
    n_seen = 0;
}

static void teardown(void) {
    tg_memory_fail_at(-1);
    expect_ok();
    tg_tape_rewind(start);
}

static tg_tensor *look(tg_tensor *grad, void *user) {
    (void)user;
    if (n_seen < 8) seen[n_seen++] = tg_get(grad, 0);
    return grad;
}

static tg_tensor *look_only(tg_tensor *grad, void *user) {
    look(grad, user);
    return NULL;
}

static tg_tensor *scale(tg_tensor *grad, void *user) { return tg_mul_scalar(grad, *(double *)user); }

/* y = x^2, z = y^2 = x^4, at 2: dz/dy = 8, dz/dx = 32 */
typedef struct graph {
    tg_tensor *x, *y, *z;
} graph;
static graph record(void) {
    tg_tensor *x = leaf(2), *y = tg_square(x);
    return (graph){x, y, tg_square(y)};
}

START_TEST(test_sees_results_then_leaves) {
    graph g = record();
    ck_assert_int_eq(tg_register_hook(g.x, look, NULL), TG_OK);
    ck_assert_int_eq(tg_register_hook(g.y, look_only, NULL), TG_OK);
    ck_assert_int_eq(tg_register_hook(g.z, look, NULL), TG_OK);
    ck_assert_int_eq(tg_backward(g.z), TG_OK);
    ck_assert_int_eq(n_seen, 3);
    ck_assert_double_eq(seen[0], 1);
    ck_assert_double_eq(seen[1], 8);
    ck_assert_double_eq(seen[2], 32);
    expect_value(tg_grad_of(g.x), 32);
}
END_TEST

/* Uses are added up before a hook sees them. */
START_TEST(test_sees_the_sum) {
    tg_tensor *x = leaf(2), *y = tg_square(x), *z = tg_add(tg_mul(y, y), y);
    tg_register_hook(y, look, NULL);
    ck_assert_int_eq(tg_backward(tg_add(z, tg_mul(x, y))), TG_OK);
    ck_assert_int_eq(n_seen, 1);
    ck_assert_double_eq(seen[0], 8 + 1 + 2);
}
END_TEST

START_TEST(test_what_it_returns_goes_on) {
    double ten = 10, half = 0.5;
    graph g = record();
    tg_register_hook(g.y, scale, &ten);
    tg_register_hook(g.y, look, NULL);
    tg_register_hook(g.x, scale, &half);
    tg_retain_grad(g.y);
    ck_assert_int_eq(tg_backward(g.z, .retain = true), TG_OK);
    ck_assert_double_eq(seen[0], 80);
    expect_value(tg_grad_of(g.y), 80);
    expect_value(tg_grad_of(g.x), 160);
    tg_tensor *by_grad;
    tg_grad(1, &g.z, 1, &g.x, &by_grad, .retain = true);
    expect_value(by_grad, 160);
    tg_remove_hooks(g.y);
    tg_remove_hooks(g.x);
    tg_grad(1, &g.z, 1, &g.x, &by_grad);
    expect_value(by_grad, 32);
}
END_TEST

static tg_tensor *once(tg_tensor *grad, void *user) {
    tg_remove_hook(user, once, user);
    return look(grad, NULL);
}

/* One that removes itself stops nobody after it; what is not there is not missed. */
START_TEST(test_removed_one_by_one) {
    double ten = 10, half = 0.5;
    graph g = record();
    ck_assert_int_eq(tg_remove_hook(g.y, look, NULL), TG_OK);
    tg_register_hook(g.y, scale, &ten);
    tg_register_hook(g.y, once, g.y);
    tg_register_hook(g.y, scale, &half);
    tg_register_hook(g.y, look, NULL);
    tg_tensor *d;
    tg_grad(1, &g.z, 1, &g.x, &d, .retain = true);
    expect_value(d, 160);
    ck_assert_int_eq(n_seen, 2);
    ck_assert_double_eq(seen[0], 80);
    ck_assert_double_eq(seen[1], 40);
    ck_assert_int_eq(tg_remove_hook(g.y, scale, &g), TG_OK); /* another `user` */
    ck_assert_int_eq(tg_remove_hook(g.y, scale, &ten), TG_OK);
    ck_assert_int_eq(tg_remove_hook(g.y, look, NULL), TG_OK);
    tg_grad(1, &g.z, 1, &g.x, &d);
    expect_value(d, 16);
    ck_assert_int_eq(n_seen, 2);
}
END_TEST

/* In a recorded walk the work of the hook is recorded: 10 * 2 y * 2 x = 40 x^3, whose slope is 120 x^2. */
START_TEST(test_recorded) {
    double ten = 10;
    tg_tensor *x = leaf(2), *y = tg_square(x), *z = tg_square(y), *first, *second;
    tg_register_hook(y, scale, &ten);
    tg_grad(1, &z, 1, &x, &first, .create_graph = true);
    expect_value(first, 40 * 8);
    tg_remove_hooks(y);
    tg_grad(1, &first, 1, &x, &second);
    expect_value(second, 120 * 4);
}
END_TEST

static tg_tensor *wrong_shape(tg_tensor *grad, void *user) {
    (void)grad, (void)user;
    return tg_zeros(TG_F64, 3);
}

static tg_tensor *wrong_call(tg_tensor *grad, void *user) {
    (void)user;
    return tg_matmul(grad, grad);
}

START_TEST(test_errors) {
    graph g = record();
    ck_assert_int_eq(tg_register_hook(g.x, NULL, NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "NULL", "test_hook.c");
    ck_assert_int_eq(tg_register_hook(tg_scalar(TG_F64, 1), look, NULL), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, " requires no gradient, so a hook would never run");
    tg_register_hook(_i ? g.y : g.x, wrong_shape, NULL);
    ck_assert_int_eq(tg_backward(g.z, .retain = true), TG_ERR_SHAPE);
    expect_error(TG_ERR_SHAPE, "hook", "[3] f64");
    tg_remove_hooks(g.y), tg_remove_hooks(g.x);
    tg_register_hook(_i ? g.y : g.x, wrong_call, NULL);
    tg_tensor *d;
    ck_assert_int_eq(tg_grad(1, &g.z, 1, &g.x, &d, .create_graph = true), TG_ERR_SHAPE);
    expect_error(TG_ERR_SHAPE, "matmul");
    ck_assert(!tg_has_grad(g.x));
}
END_TEST

static tg_tensor *square(tg_tensor *const *in, void *user) {
    return tg_mul(tg_square(in[0]), (tg_tensor *)user);
}

/* A leaf's hook sees the whole gradient once: what flows through the checkpoint, and beside it. */
START_TEST(test_once_around_checkpoints) {
    tg_tensor *x = leaf(2), *c = leaf(3), *y = tg_checkpoint(square, c, 1, &x);
    tg_register_hook(c, look, NULL);
    ck_assert_int_eq(tg_backward(tg_add(y, c)), TG_OK);
    ck_assert_int_eq(n_seen, 1);
    ck_assert_double_eq(seen[0], 5);
}
END_TEST

START_TEST(test_any_allocation_can_fail) {
    tg_tensor *p = param(TG_SHAPE(3));
    double half = 0.5;
    for (int64_t n = 1;; n++) {
        tg_mark mark = tg_tape_mark();
        tg_memory_fail_at(n);
        tg_tensor *y = tg_square(p);
        tg_register_hook(y, scale, &half);
        tg_register_hook(p, scale, &half);
        tg_status s = tg_backward(tg_sum(y));
        tg_memory_fail_at(-1);
        ck_assert(s == TG_OK || s == TG_ERR_MEMORY);
        ck_assert_int_eq(tg_has_grad(p), s == TG_OK);
        tg_error_clear();
        tg_tape_rewind(mark);
        tg_remove_hooks(p);
        if (s == TG_OK) break;
        ck_assert_int_lt(n, 1000);
    }
    ck_assert_double_eq(tg_get(tg_grad_of(p), 1), 2 * 2 * 0.25);
    tg_register_hook(p, look, NULL); /* goes with p */
    tg_free(p);
}
END_TEST

TCase *tcase_hook(void) {
    TCase *tc = tcase_create("hook");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_sees_results_then_leaves);
    tcase_add_test(tc, test_sees_the_sum);
    tcase_add_test(tc, test_what_it_returns_goes_on);
    tcase_add_test(tc, test_removed_one_by_one);
    tcase_add_test(tc, test_recorded);
    tcase_add_loop_test(tc, test_errors, 0, 2);
    tcase_add_test(tc, test_once_around_checkpoints);
    tcase_add_test(tc, test_any_allocation_can_fail);
    return tc;
}
