/* The checker's inputs: the same twice, views of one memory, repeated elements, none at all, large ones; its projections. */
#include "tests/autograd/helpers.h"

#include <math.h>

#define by_tolerances(...) tg_gradcheck(__VA_ARGS__, .tolerances = true)

enum { N = 4 };

/* sum of (i + 1) x_i^2 */
static tg_tensor *squares(tg_tensor *const *in, void *user) {
    tg_tensor *sum = tg_scalar(TG_F64, 0);
    for (int i = 0; i < *(int *)user; i++) sum = tg_add(sum, tg_mul_scalar(tg_square(in[i]), i + 1));
    return sum;
}

static tg_tensor *input(double from) {
    tg_tensor *x = tg_zeros(TG_F64, 2);
    ((double *)tg_data_mut(x))[0] = from, ((double *)tg_data_mut(x))[1] = from + 0.5;
    return tg_set_requires_grad(x, true);
}

/* Each pair of inputs is one tensor, or two views of one memory: derivatives by the two are apart. */
START_TEST(inputs_that_share) {
    int n = N;
    for (int i = 0; i < N; i++)
        for (int j = i + 1; j < N; j++)
            for (int view = 0; view < 3; view++) {
                tg_tensor *in[N];
                for (int k = 0; k < N; k++) in[k] = input(k + 1);
                tg_tensor *base = tg_detach(in[i]);
                in[j] = view == 0 ? in[i] : tg_set_requires_grad(tg_detach(base), true);
                if (view == 2) in[i] = tg_set_requires_grad(tg_flip(base, 0), true);
                tg_gradcheck_report r;
                ck_assert_msg(by_tolerances(squares, &n, N, in, &r, .order = 2), "%d and %d, %d: %s", i, j,
                              view, r.message);
            }
}
END_TEST

START_TEST(elements_that_repeat) {
    int n = N;
    for (int i = 0; i < N; i++) {
        tg_tensor *in[N];
        for (int k = 0; k < N; k++) in[k] = input(k + 1);
        in[i] = tg_set_requires_grad(tg_detach(tg_expand(tg_scalar(TG_F64, 3), 2)), true);
        tg_gradcheck_report r;
        ck_assert_msg(by_tolerances(squares, &n, N, in, &r), "%d: %s", i, r.message);
    }
}
END_TEST

/* The input that nothing depends on is named by its number, whatever stands before it; one without elements is not. */
START_TEST(idle_inputs) {
    int n = N - 1;
    for (int constants = 0; constants < N; constants++) { /* the first so many require no gradient */
        tg_tensor *in[N];
        for (int k = 0; k < N; k++) in[k] = input(k + 1);
        for (int k = 0; k < constants; k++) tg_set_requires_grad(in[k], false);
        tg_gradcheck_report r;
        ck_assert(!by_tolerances(squares, &n, N, in, &r));
        ck_assert_msg(strstr(r.message, constants < N - 1 ? "input 3" : "does not depend on any input"), "%s",
                      r.message);
        if (constants < N - 1) {
            in[N - 1] = tg_set_requires_grad(tg_zeros(TG_F64, 0), true);
            ck_assert_msg(by_tolerances(squares, &n, N, in, &r), "%s", r.message);
        }
    }
}
END_TEST

static tg_tensor *overflowing(tg_tensor *const *in, void *user) {
    return (void)user, tg_exp(tg_mul_scalar(in[0], 2));
}

/* Both sides infinite is no agreement. */
START_TEST(infinite_gradients) {
    tg_tensor *x = input(354.89);
    tg_gradcheck_report r;
    ck_assert(!by_tolerances(overflowing, NULL, 1, &x, &r, .eps = 0.01));
    ck_assert_msg(isinf(r.analytic) && r.analytic == r.numeric && isinf(r.worst), "%s", r.message);
}
END_TEST

static tg_tensor *itself(tg_tensor *const *in, void *user) { return (void)user, tg_mul_scalar(in[0], 1); }

static tg_tensor *difference(tg_tensor *const *in, void *user) {
    return tg_add_scalar(in[0], -*(double *)user);
}

/* The step is what the two numbers differ by, not what was asked for: next to a large number that is another one. */
START_TEST(large_numbers) {
    static double from[] = {1e6, 1e8, 1e9, -3e9, 7e9};
    for (int i = 0; i < 5; i++) {
        tg_tensor *x = input(from[i]);
        tg_gradcheck_report r;
        ck_assert_msg(by_tolerances(difference, &from[i], 1, &x, &r, .rtol = 1e-6, .projections = 4),
                      "%g: %s", from[i], r.message);
    }
}
END_TEST

/* Weights are in +-[0.5, 1.5), of both signs, and another seed gives others. */
START_TEST(projections) {
    int negative = 0;
    double last = 0;
    for (int seed = 0; seed < 40; seed++) {
        tg_tensor *x = input(1);
        tg_gradcheck_report r;
        ck_assert(by_tolerances(itself, NULL, 1, &x, &r, .seed = (uint64_t)seed, .projections = 1));
        double size = fabs(r.analytic);
        ck_assert_msg(size >= 0.5 && size < 1.5 && r.analytic != last, "seed %d: %g", seed, r.analytic);
        negative += r.analytic < 0;
        last = r.analytic;
    }
    ck_assert(negative > 8 && negative < 32);
}
END_TEST

TCase *tcase_tolerance_edges(void) {
    TCase *tc = tcase_create("tolerance_edges");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, begin_test, end_test);
    tcase_add_test(tc, inputs_that_share);
    tcase_add_test(tc, infinite_gradients);
    tcase_add_test(tc, elements_that_repeat);
    tcase_add_test(tc, idle_inputs);
    tcase_add_test(tc, large_numbers);
    tcase_add_test(tc, projections);
    return tc;
}
