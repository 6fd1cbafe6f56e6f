/* Every row in every kind it has, through every check that the kind asks for. */
#include "tests/ops/harness.h"

#include <string.h>

#define PLAINLY \
    (KIND(K_PLAIN) | KIND(K_SCALAR) | KIND(K_ONE) | KIND(K_LEFT) | KIND(K_RIGHT) | KIND(K_BOTH) | \
     KIND(K_STRIDED) | KIND(K_EXPANDED) | KIND(K_REPEATED) | KIND(K_LARGE) | KIND(K_SMALL) | KIND(K_SIZES))

/* Magnitudes, NaN and infinities are of floats. */
#define INTEGRAL ((PLAINLY | KIND(K_EMPTY)) & ~(KIND(K_LARGE) | KIND(K_SMALL)))

/* No trial leaves elements behind; and done over and over, none needs more of the system each time. */
static void run_and_look(const trial *t, void (*run)(const trial *t), bool first) {
    size_t bytes[3] = {0};
    for (int i = 0; i < (first ? 3 : 1); i++) {
        tg_mark before = tg_tape_mark();
        size_t live = tg_memory_now().live_buffer_bytes;
        run(t);
        tg_tape_rewind(before);
        ck_assert_msg(tg_memory_now().live_buffer_bytes == live, "%s, %s: %ld bytes of elements stay behind",
                      t->row->call, kind_name(t->kind), (long)tg_memory_now().live_buffer_bytes - (long)live);
        if (first) tg_memory_trim();
        bytes[i] = tg_memory_now().system_bytes;
    }
    ck_assert_msg(bytes[2] <= bytes[1], "%s, %s: %ld bytes of the system more each time", t->row->call,
                  kind_name(t->kind), (long)bytes[2] - (long)bytes[1]);
}

static void for_each_trial(int row, unsigned kinds, void (*run)(const trial *t)) {
    const call *c = find_call(sample_at(row)->call);
    if (c && op_of(c) && !chosen(op_of(c))) return;
    for (int k = 0; k < K_OPTIONS; k++) {
        if (!(kinds & KIND(k))) continue;
        trial t;
        for (int v = 0; trial_make(&t, sample_at(row), (kind)k, v); v++)
            run_and_look(&t, run, v == 0 && (k == K_PLAIN || k == K_STRIDED));
    }
}

START_TEST(f32_and_f64_agree) { for_each_trial(_i, PLAINLY, check_value); }
END_TEST

START_TEST(other_dtypes_agree) { for_each_trial(_i, INTEGRAL, check_dtypes); }
END_TEST

START_TEST(derivatives_match_differences) { for_each_trial(_i, PLAINLY, check_derivatives); }
END_TEST

START_TEST(both_forms_of_the_gradient_agree) { for_each_trial(_i, PLAINLY, check_kernel); }
END_TEST

START_TEST(plans_and_eager_runs_agree) { for_each_trial(_i, PLAINLY | KIND(K_EMPTY), check_plan); }
END_TEST

START_TEST(products_with_the_jacobian_are_adjoint) { for_each_trial(_i, PLAINLY, check_adjoint); }
END_TEST

START_TEST(f32_gradients_agree) { for_each_trial(_i, PLAINLY, check_f32_gradient); }
END_TEST

START_TEST(size_zero) { for_each_trial(_i, KIND(K_EMPTY), check_empty); }
END_TEST

START_TEST(nan_spreads_where_it_should) { for_each_trial(_i, KIND(K_NAN), check_nan); }
END_TEST

/* ---- faults that only the scales show ---- */

#define NAIVE(name, expression) \
    static tg_tensor *naive_##name(tg_tensor *const *in, const arguments *a) { \
        (void)a; \
        return expression; \
    }
NAIVE(norm, tg_sqrt(tg_sum(tg_square(in[0])))) /* the square leaves the range */
NAIVE(hypot, tg_sqrt(tg_add(tg_square(in[0]), tg_square(in[1]))))
NAIVE(abs, tg_mul(in[0], tg_div(in[0], tg_sqrt(tg_square(in[0]))))) /* right alone where the square is in range */
NAIVE(div, tg_mul(in[0], tg_div(tg_mul(in[1], in[1]), tg_mul(tg_mul(in[1], in[1]), in[1])))) /* infinity by infinity */

static const struct naive {
    const char *call;
    call_fn fn;
} naive[] = {{"norm", naive_norm}, {"hypot", naive_hypot}, {"abs", naive_abs}, {"div", naive_div}};

START_TEST(overflow_on_the_way_is_noticed) {
    const call *right = find_call(naive[_i].call);
    int i = 0, noticed = 0;
    while (strcmp(sample_at(i)->call, right->name) != 0) i++;
    trial t;
    for (int v = 0; trial_make(&t, sample_at(i), K_SCALED, v); v++) {
        call wrong = *right;
        wrong.fn = naive[_i].fn, t.call = &wrong;
        noticed += wrong_at_scale(&t) != NULL;
    }
    ck_assert_msg(noticed > 0, "%s: overflows on the way, and the scales do not show it", right->name);
}
END_TEST

START_TEST(every_scale_agrees) { for_each_trial(_i, KIND(K_SCALED), check_scaled); }
END_TEST

START_TEST(infinities_agree) { for_each_trial(_i, KIND(K_INF), check_inf); }
END_TEST

static void clear(void) { tg_error_clear(); }

TCase *tcase_samples(void) {
    TCase *t = tcase_create("samples");
    tcase_set_tags(t, "slow");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, clear, clear);
    int n = n_samples();
    tcase_add_loop_test(t, f32_and_f64_agree, 0, n);
    tcase_add_loop_test(t, other_dtypes_agree, 0, n);
    tcase_add_loop_test(t, derivatives_match_differences, 0, n);
    tcase_add_loop_test(t, both_forms_of_the_gradient_agree, 0, n);
    tcase_add_loop_test(t, plans_and_eager_runs_agree, 0, n);
    tcase_add_loop_test(t, products_with_the_jacobian_are_adjoint, 0, n);
    tcase_add_loop_test(t, f32_gradients_agree, 0, n);
    tcase_add_loop_test(t, size_zero, 0, n);
    tcase_add_loop_test(t, nan_spreads_where_it_should, 0, n);
    tcase_add_loop_test(t, infinities_agree, 0, n);
    return t;
}

TCase *tcase_scales(void) {
    TCase *t = tcase_create("scales");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_loop_test(t, every_scale_agrees, 0, n_samples());
    tcase_add_loop_test(t, overflow_on_the_way_is_noticed, 0, COUNT(naive));
    return t;
}
