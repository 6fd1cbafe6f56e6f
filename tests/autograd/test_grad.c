#include "helpers.h"

#include <math.h>
#include <pthread.h>

START_TEST(test_leaves_and_intermediates) {
    tg_tensor *x = leaf(3), *b = leaf(4), *h = tg_square(x), *y = tg_mul(h, b), *g[3];
    ck_assert_int_eq(tg_grad(1, &y, 3, ((tg_tensor *[]){x, h, b}), g), TG_OK);
    expect_value(g[0], 24);
    expect_value(g[1], 4);
    expect_value(g[2], 9);
    ck_assert(!tg_has_grad(x) && !tg_has_grad(b)); /* touches nothing */
}
END_TEST

START_TEST(test_only_the_way_to_the_inputs_is_walked) {
    /* the branch through exp is not needed for b, so even its being spoilt does not matter */
    tg_tensor *x = leaf(1), *b = leaf(2), *c = tg_scalar(TG_F64, 3), *y = tg_add(tg_mul(x, c), tg_square(b)),
              *g;
    tg_fill_(c, 9);
    ck_assert_int_eq(tg_grad(1, &y, 1, &b, &g), TG_OK);
    expect_value(g, 4);
}
END_TEST

START_TEST(test_several_outputs_with_seeds) {
    tg_tensor *x = leaf(2), *y[2] = {tg_square(x), tg_mul(x, tg_square(x))}, *g;
    tg_tensor *seeds[2] = {tg_scalar(TG_F64, 10), NULL};
    ck_assert_int_eq(tg_grad(2, y, 1, &x, &g, .seeds = seeds), TG_OK);
    expect_value(g, 10 * 4 + 12);
}
END_TEST

START_TEST(test_output_that_is_the_input) {
    tg_tensor *x = leaf(2), *y = tg_square(x), *g[2];
    ck_assert_int_eq(tg_grad(1, &x, 1, &x, g), TG_OK);
    expect_value(g[0], 1);
    ck_assert_int_eq(tg_grad(1, &y, 2, ((tg_tensor *[]){y, x}), g), TG_OK);
    expect_value(g[0], 1);
    expect_value(g[1], 4);
}
END_TEST

START_TEST(test_unused) {
    tg_tensor *x = leaf(2), *z = tg_set_name(leaf(3), "z"), *y = tg_square(x), *g[2];
    ck_assert_int_eq(tg_grad(1, &y, 2, ((tg_tensor *[]){x, z}), g, .retain = true), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "no output depends", "input 1", "z []");
    ck_assert(tg_is_poison(g[0]) && tg_is_poison(g[1]));
    ck_assert_int_eq(tg_grad(1, &y, 2, ((tg_tensor *[]){x, z}), g, .allow_unused = true), TG_OK);
    expect_value(g[0], 4);
    expect_value(g[1], 0);
}
END_TEST

START_TEST(test_outputs_without_history) {
    tg_tensor *x = leaf(2), *c = tg_scalar(TG_F64, 3), *wide = tg_ones(TG_F64, 2),
              *y[3] = {c, tg_square(x), wide}, *g;
    ck_assert_int_eq(tg_grad(1, &c, 1, &x, &g), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "no history");
    for (int record = 0; record < 2; record++) {
        ck_assert_int_eq(tg_grad(1, &c, 1, &x, &g, .allow_unused = true, .create_graph = record), TG_OK);
        expect_value(g, 0);
        ck_assert_int_eq(
            tg_grad(2, y, 1, &x, &g, .allow_unused = true, .create_graph = record, .retain = true), TG_OK);
        expect_value(g, 4);
        ck_assert_int_eq(tg_grad(3, y, 1, &x, &g, .allow_unused = true, .create_graph = record), TG_ERR_SHAPE);
        expect_error(TG_ERR_SHAPE, "[2] f64", "seed"); /* is checked like any */
    }
    ck_assert_int_eq(tg_grad(1, &c, 1, &c, &g, .allow_unused = true), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "does not require");
}
END_TEST

START_TEST(test_bad_arguments) {
    tg_tensor *x = leaf(2), *c = tg_scalar(TG_F64, 1), *y = tg_square(x), *g;
    ck_assert_int_eq(tg_grad(1, &y, 1, &c, &g), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "input 0", "does not require");
    ck_assert_int_eq(tg_grad(0, &y, 1, &x, &g), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_grad");
    ck_assert_int_eq(tg_grad(1, NULL, 1, &x, &g), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_grad");
    ck_assert_int_eq(tg_grad(1, &y, 1, NULL, &g), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_grad");
    ck_assert_int_eq(tg_grad(1, &y, 1, &x, NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_grad");
    ck_assert_int_eq(tg_grad(-1, &y, -1, &x, &g), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_grad");
}
END_TEST

/* d^k/dx^k of x^5 at 2: 80, 160, 240, 240, 120. */
START_TEST(test_any_order) {
    const double want[5] = {80, 160, 240, 240, 120};
    tg_tensor *x = leaf(2), *y = tg_mul(tg_square(tg_square(x)), x);
    for (int k = 0; k < 5; k++) {
        tg_tensor *g;
        ck_assert_int_eq(tg_grad(1, &y, 1, &x, &g, .create_graph = true), TG_OK);
        ck_assert_double_eq_tol(tg_item(g), want[k], 1e-9);
        y = g;
    }
}
END_TEST

START_TEST(test_third_order_closed_forms) {
    double at = 0.7, t = tanh(at), s = 1 - t * t;
    const struct {
        tg_tensor *(*f)(tg_tensor *);
        double third;
    } rows[] = {{tg_exp, exp(at)},
                {tg_log, 2 / (at * at * at)},
                {tg_sqrt, 3.0 / 8 * pow(at, -2.5)},
                {tg_tanh, -2 * s * (s - 2 * t * t)}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tg_tensor *x = leaf(at), *y = rows[i].f(x);
        for (int k = 0; k < 3; k++) ck_assert_int_eq(tg_grad(1, &y, 1, &x, &y, .create_graph = true), TG_OK);
        ck_assert_double_eq_tol(tg_item(y), rows[i].third, 1e-12);
    }
}
END_TEST

START_TEST(test_hessian_vector_product_with_broadcast) {
    /* f(w) = sum_ij (w_j)^3 x_i, so H v = 6 w v sum(x) */
    tg_tensor *w = param(TG_SHAPE(3)), *x = tg_full(TG_F64, 2, 4, 1), *v = tg_full(TG_F64, 0.5, 3), *g, *hv;
    tg_tensor *y = tg_sum(tg_mul(tg_mul(tg_square(w), w), x));
    ck_assert_int_eq(tg_grad(1, &y, 1, &w, &g, .create_graph = true), TG_OK);
    ck_assert_int_eq(tg_grad(1, &g, 1, &w, &hv, .seeds = &v), TG_OK);
    for (int i = 0; i < 3; i++) ck_assert_double_eq_tol(tg_get(hv, i), 6 * (i + 1) * 0.5 * 8, 1e-12);
    tg_free(w);
}
END_TEST

START_TEST(test_backward_through_a_recorded_gradient) {
    tg_tensor *x = leaf(3), *y = tg_mul(tg_square(x), x), *g;
    ck_assert_int_eq(tg_grad(1, &y, 1, &x, &g, .create_graph = true), TG_OK);
    ck_assert_int_eq(tg_backward(tg_square(g)), TG_OK); /* d (3x^2)^2 / dx = 36 x^3 */
    expect_value(tg_grad_of(x), 36 * 27);
}
END_TEST

enum { THREADS = 4, REPEAT = 200 };
static tg_tensor *shared;

static void *worker(void *result) {
    for (int i = 0; i < REPEAT; i++) {
        tg_mark m = tg_tape_mark();
        tg_tensor *y = tg_sum(tg_square(tg_transpose(shared, 0, 1))), *g;
        if (tg_grad(1, &y, 1, &shared, &g) != TG_OK) return NULL;
        *(double *)result += tg_get(g, 5);
        tg_tape_rewind(m);
    }
    return result;
}

START_TEST(test_threads_share_parameters) {
    shared = param(TG_SHAPE(2, 3));
    pthread_t thread[THREADS];
    double sum[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) pthread_create(&thread[i], NULL, worker, &sum[i]);
    for (int i = 0; i < THREADS; i++) {
        void *ok;
        pthread_join(thread[i], &ok);
        ck_assert_ptr_nonnull(ok);
        ck_assert_double_eq(sum[i], REPEAT * 12);
    }
    ck_assert(!tg_has_grad(shared));
    tg_free(shared);
}
END_TEST

TCase *tcase_grad(void) {
    TCase *tc = tcase_create("grad");
    tcase_add_checked_fixture(tc, begin_test, end_test);
    tcase_add_test(tc, test_leaves_and_intermediates);
    tcase_add_test(tc, test_only_the_way_to_the_inputs_is_walked);
    tcase_add_test(tc, test_several_outputs_with_seeds);
    tcase_add_test(tc, test_output_that_is_the_input);
    tcase_add_test(tc, test_unused);
    tcase_add_test(tc, test_outputs_without_history);
    tcase_add_test(tc, test_bad_arguments);
    tcase_add_test(tc, test_any_order);
    tcase_add_test(tc, test_third_order_closed_forms);
    tcase_add_test(tc, test_hessian_vector_product_with_broadcast);
    tcase_add_test(tc, test_backward_through_a_recorded_gradient);
    tcase_add_test(tc, test_threads_share_parameters);
    return tc;
}
