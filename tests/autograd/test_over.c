/* Gradients that are written over those of the result: taken where nobody else has that array, and nowhere else. */
#include "tests/autograd/helpers.h"

#include <math.h>

static int given; /* rules that were given dout's own array */

/* y = 2 x + 3 z */
static tg_status forward(const tg_call *c) {
    for (int64_t k = 0; k < c->out[0]->numel; k++)
        tg_array_set(c->out[0], k, 2 * tg_array_get(c->in[0], k) + 3 * tg_array_get(c->in[1], k));
    return TG_OK;
}
static tg_status scaled(const tg_array *g, double by, tg_array *din) {
    tg_status s = TG_OK;
    if (din->data)
        given += din->data == g->data;
    else
        s = tg_array_alloc_like(din, g);
    for (int64_t k = 0; s == TG_OK && k < g->numel; k++) tg_array_set(din, k, by * tg_array_get(g, k));
    return s;
}
static tg_status rule(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    tg_status s = tg_needs(n, 0) ? scaled(dout[0], 2, &din[0]) : TG_OK;
    return s == TG_OK && tg_needs(n, 1) ? scaled(dout[0], 3, &din[1]) : s;
}
static void rule_of_ops(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    if (tg_needs(n, 0)) din[0] = tg_mul_scalar(dout[0], 2);
    if (tg_needs(n, 1)) din[1] = tg_mul_scalar(dout[0], 3);
}
static const tg_op op = {.name = "both",
                         .n_in = 2,
                         .elementwise = true,
                         .over = TG_IN(0) | TG_IN(1),
                         .infer = tg_infer_same,
                         .forward = forward,
                         .grad = rule_of_ops,
                         .grad_kernel = rule};
static tg_tensor *both(tg_tensor *x, tg_tensor *z) { return tg_apply(&op, (tg_tensor *[]){x, z}, 2, NULL); }
static tg_tensor *numbers(double from) {
    return tg_set_requires_grad(tg_from(TG_F64, ((double[]){from, from + 1, from + 2}), 3), true);
}
static void expect_all(const tg_tensor *t, double a, double b, double c) {
    expect_ok();
    ck_assert_msg(tg_get(t, 0) == a && tg_get(t, 1) == b && tg_get(t, 2) == c, "%g %g %g", tg_get(t, 0),
                  tg_get(t, 1), tg_get(t, 2));
}

/* The last input that is needed is given the array, the other is not. */
START_TEST(the_last_that_is_needed) {
    for (int needed = 1; needed < 4; needed++) {
        tg_tensor *x = numbers(1), *z = numbers(5);
        tg_set_requires_grad(x, needed & 1);
        tg_set_requires_grad(z, needed >> 1);
        given = 0;
        tg_backward(tg_sum(tg_square(both(x, z))));
        ck_assert_int_eq(given, 1);
        if (needed & 1) expect_all(tg_grad_of(x), 68, 88, 108);
        if (needed & 2) expect_all(tg_grad_of(z), 102, 132, 162);
    }
}
END_TEST

/* Of a chain each rule is given the array that the one before it was. */
START_TEST(a_chain) {
    tg_tensor *x = numbers(1), *y = x, *none = tg_zeros(TG_F64, 3);
    for (int i = 0; i < 10; i++) y = both(y, none);
    given = 0;
    tg_backward(tg_sum(tg_square(y)));
    ck_assert_int_eq(given, 10);
    expect_all(tg_grad_of(x), 2 * 0x1p20, 4 * 0x1p20, 6 * 0x1p20);
}
END_TEST

static tg_tensor *kept;
static tg_tensor *keep(tg_tensor *grad, void *user) {
    (void)user;
    kept = tg_keep(tg_detach(grad));
    return NULL;
}

/* Whoever else has the adjoint finds it as it was. */
START_TEST(others_have_it) {
    tg_tensor *x = numbers(1), *none = tg_zeros(TG_F64, 3), *y = both(x, none), *loss = tg_sum(tg_square(y));
    tg_tensor *wanted[2] = {y, x}, *g[2];
    given = 0;
    tg_retain_grad(y);
    tg_backward(loss, .retain = true);
    expect_all(tg_grad_of(y), 4, 8, 12);
    expect_all(tg_grad_of(x), 8, 16, 24);
    tg_grad(1, &loss, 2, wanted, g, .retain = true);
    expect_all(g[0], 4, 8, 12);
    expect_all(g[1], 8, 16, 24);
    tg_register_hook(y, keep, NULL);
    tg_backward(loss, .retain = true);
    expect_all(kept, 4, 8, 12);
    tg_free(kept);
    tg_tensor *seed = tg_from(TG_F64, ((double[]){1, 2, 3}), 3);
    tg_tensor *again = both(x, none);
    tg_grad(1, &again, 1, &x, g, .seeds = &seed);
    expect_all(seed, 1, 2, 3);
    expect_all(g[0], 2, 4, 6);
    ck_assert_int_eq(given, 0);
}
END_TEST

/* Two contributions of one gradient: add passes it on to both. */
START_TEST(passed_on_twice) {
    tg_tensor *x = numbers(1), *z = numbers(5), *none = tg_zeros(TG_F64, 3);
    tg_backward(tg_sum(tg_square(tg_add(both(x, none), both(z, none)))));
    expect_all(tg_grad_of(x), 48, 64, 80);
    expect_all(tg_grad_of(z), 48, 64, 80);
    tg_tensor *w = numbers(1);
    tg_backward(tg_sum(tg_mul(tg_mul(w, w), tg_exp(tg_mul_scalar(w, 0)))));
    expect_all(tg_grad_of(w), 2, 4, 6);
}
END_TEST

/* The peak of a chain of ops of the library: two arrays for the walk, and what was saved. */
START_TEST(memory_of_a_chain) {
    enum { N = 1 << 16, OPS = 8 };
    tg_tensor *x = tg_param(tg_ones(TG_F64, N)), *y = tg_square(x);
    for (int i = 0; i < OPS; i++) y = tg_mul_scalar(y, 0.5);
    tg_tensor *loss = tg_sum(tg_square(y));
    size_t before = tg_memory_now().live_buffer_bytes;
    tg_memory_reset_peak();
    tg_backward(loss);
    size_t more = tg_memory_now().peak_buffer_bytes - before;
    ck_assert_msg(more <= 2 * N * sizeof(double), "%zu more", more);
    tg_free(x);
}
END_TEST

TCase *tcase_over(void);
TCase *tcase_over(void) {
    TCase *tc = tcase_create("over");
    tcase_add_checked_fixture(tc, begin_test, end_test);
    tcase_add_test(tc, the_last_that_is_needed);
    tcase_add_test(tc, a_chain);
    tcase_add_test(tc, others_have_it);
    tcase_add_test(tc, passed_on_twice);
    tcase_add_test(tc, memory_of_a_chain);
    return tc;
}
