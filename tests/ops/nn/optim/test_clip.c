/* Clipping of gradients: PyTorch's numbers, numbers that are none, what is left alone. */
#include "tests/ops/nn/helpers.h"

/* Three parameters, of which the last has no gradient. */
static tg_model *model_of(tg_dtype dtype, const double *a, const double *b) {
    tg_model *m = tg_model_new(1);
    tg_tensor *p = tg_model_param(m, "p", dtype, TG_SHAPE(2, 2), tg_init_zeros());
    tg_tensor *q = tg_model_param(m, "q", TG_F64, TG_SHAPE(1), tg_init_zeros());
    tg_model_param(m, "idle", dtype, TG_SHAPE(3), tg_init_zeros());
    tg_mark mark = tg_tape_mark();
    tg_tensor *g = tg_to(tg_from(TG_F64, a, 2, 2), dtype), *h = tg_from(TG_F64, b, 1);
    ck_assert(tg_backward(p, .seed = g) == TG_OK && tg_backward(q, .seed = h) == TG_OK);
    tg_tape_rewind(mark);
    return m;
}

static tg_tensor *gradient(tg_model *m, int i) { return tg_grad_of(tg_model_at(m, i)); }

static const double a[] = {3, -4, 0, 12}, b[] = {-84}; /* norms 13 and 84, together 85 */

START_TEST(by_the_norm) {
    static const struct {
        double p, norm, max;
    } cases[] = {{0, 85, 17},       {2, 85, 100},       {2, 85, 0},
                 {2, 85, INFINITY}, {INFINITY, 84, 21}, {1, 103, 10.3}};
    for (int i = 0; i < COUNT(cases); i++)
        for (int f32 = 0; f32 < 2; f32++) {
            tg_model *m = model_of(f32 ? TG_F32 : TG_F64, a, b);
            int64_t nodes = tg_tape_nodes(), tensors = tg_tape_tensors();
            double norm = tg_clip_grad_norm(m, cases[i].max, .norm_type = cases[i].p);
            ck_assert(tg_tape_nodes() == nodes && tg_tape_tensors() == tensors && tg_grad_enabled());
            expect_close(norm, cases[i].norm, f32 ? 1e-6 : 1e-14);
            double factor = fmin(1, cases[i].max / (cases[i].norm + 1e-6));
            for (int k = 0; k < 4; k++)
                expect_close(tg_get(gradient(m, 0), k), a[k] * factor, f32 ? 1e-6 : 1e-14);
            expect_close(tg_get(gradient(m, 1), 0), b[0] * factor, f32 ? 1e-6 : 1e-14);
            ck_assert(!tg_has_grad(tg_model_at(m, 2)));
            tg_model_free(m);
        }
}
END_TEST

START_TEST(by_value) {
    const double with_nan[] = {3, -4, NAN, -INFINITY};
    for (int f32 = 0; f32 < 2; f32++) {
        tg_model *m = model_of(f32 ? TG_F32 : TG_F64, with_nan, b);
        ck_assert_int_eq(tg_clip_grad_value(m, 3.5), TG_OK);
        ck_assert(tg_get(gradient(m, 0), 0) == 3 && tg_get(gradient(m, 0), 1) == -3.5);
        ck_assert(isnan(tg_get(gradient(m, 0), 2)) && tg_get(gradient(m, 0), 3) == -3.5);
        ck_assert(tg_get(gradient(m, 1), 0) == -3.5);
        ck_assert_int_eq(tg_clip_grad_value(m, INFINITY), TG_OK);
        ck_assert_int_eq(tg_clip_grad_value(m, 0), TG_OK);
        ck_assert(tg_get(gradient(m, 1), 0) == 0);
        tg_model_free(m);
    }
}
END_TEST

/* As PyTorch: NaN reaches all, an infinite norm makes finite gradients 0. Or an error, with nothing changed. */
START_TEST(norms_that_are_no_numbers) {
    for (int nan = 0; nan < 2; nan++) {
        const double bad[] = {3, nan ? NAN : INFINITY, 0, 1};
        tg_model *m = model_of(TG_F64, bad, b);
        ck_assert(isnan(tg_clip_grad_norm(m, 1, .error_if_nonfinite = true)));
        expect_error(TG_ERR_ARGUMENT, "tg_clip_grad_norm: the norm of the gradients is", nan ? "nan" : "inf",
                     "test_clip.c:");
        ck_assert(tg_get(gradient(m, 0), 0) == 3 && tg_get(gradient(m, 1), 0) == -84);
        double norm = tg_clip_grad_norm(m, INFINITY);
        ck_assert((nan ? isnan(norm) : norm == INFINITY) && tg_get(gradient(m, 0), 0) == 3);
        norm = tg_clip_grad_norm(m, 1);
        ck_assert(nan ? isnan(norm) : norm == INFINITY);
        double first = tg_get(gradient(m, 0), 0), other = tg_get(gradient(m, 1), 0);
        ck_assert(nan ? isnan(first) && isnan(other) : first == 0 && other == 0);
        ck_assert(isnan(tg_get(gradient(m, 0), 1)));
        expect_ok();
        tg_model_free(m);
    }
}
END_TEST

/* Squares beyond the range. */
START_TEST(every_scale) {
    for (int e = -300; e <= 300; e += 100) {
        const double size = pow(10, e), p[] = {3 * size, -4 * size, 0, 12 * size}, q[] = {-84 * size};
        tg_model *m = model_of(TG_F64, p, q);
        ck_assert_double_eq_tol(tg_clip_grad_norm(m, INFINITY) / size, 85, 1e-12);
        tg_model_free(m);
    }
}
END_TEST

START_TEST(refused_and_empty) {
    tg_model *m = tg_model_new(1);
    ck_assert(tg_clip_grad_norm(m, 1) == 0 && tg_clip_grad_value(m, 1) == TG_OK);
    tg_model_param(m, "p", TG_F64, TG_SHAPE(2), tg_init_zeros());
    ck_assert(tg_clip_grad_norm(m, 1) == 0 && tg_clip_grad_value(m, 1) == TG_OK);
    static const double wrong[] = {-1, NAN};
    for (int i = 0; i < 2; i++) {
        ck_assert(isnan(tg_clip_grad_norm(m, wrong[i])));
        expect_error(TG_ERR_ARGUMENT, "tg_clip_grad_norm: max_norm is");
        ck_assert_int_eq(tg_clip_grad_value(m, wrong[i]), TG_ERR_ARGUMENT);
        expect_error(TG_ERR_ARGUMENT, "tg_clip_grad_value: max is");
    }
    tg_backward(tg_sum(tg_model_at(m, 0)));
    ck_assert(isnan(tg_clip_grad_norm(m, 1, .norm_type = -1)));
    expect_error(TG_ERR_ARGUMENT, "tg_clip_grad_norm");
    ck_assert(isnan(tg_clip_grad_norm(NULL, 1)));
    expect_error(TG_ERR_ARGUMENT, "NULL");
    ck_assert_int_eq(tg_clip_grad_value(NULL, 1), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "NULL");
    tg_fail(TG_ERR_IO, "earlier");
    ck_assert(isnan(tg_clip_grad_norm(m, 0)) && tg_clip_grad_value(m, 0) == TG_ERR_IO);
    expect_error(TG_ERR_IO, "earlier");
    ck_assert(tg_get(gradient(m, 0), 0) == 1);
    tg_model_free(m);
}
END_TEST

static void clip(void *m) { tg_clip_grad_norm(m, 17); }

START_TEST(every_allocation_may_fail) {
    tg_model *m = model_of(TG_F64, a, b);
    int64_t most = count_allocations(clip, m), failures = 0;
    tg_model_free(m);
    for (int64_t n = 1; n <= most + 1; n++) {
        m = model_of(TG_F64, a, b);
        tg_memory_fail_at(n);
        clip(m);
        tg_memory_fail_at(-1);
        bool failed = tg_error_status() != TG_OK;
        failures += failed;
        if (failed) expect_error(TG_ERR_MEMORY, "tg_clip_grad_norm");
        expect_close(tg_get(gradient(m, 0), 0), failed ? 3 : 3 * 17 / 85.000001, 1e-13);
        expect_close(tg_get(gradient(m, 1), 0), failed ? -84 : -84 * 17 / 85.000001, 1e-13);
        tg_model_free(m);
    }
    ck_assert_int_ge(failures, 1);
}
END_TEST

/* Blocks of the parallel loop: bits are equal at any number of threads. */
START_TEST(long_gradients) {
    enum { N = 3 * 32768 + 5 };
    static double is[2][N];
    for (int threads = 1; threads <= 3; threads += 2) {
        tg_model *m = tg_model_new(1);
        tg_tensor *p = tg_model_param(m, "p", TG_F64, TG_SHAPE(N), tg_init_zeros());
        tg_backward(p, .seed = tg_linspace(TG_F64, -1, 1, N));
        int was = tg_set_num_threads(threads);
        expect_close(tg_clip_grad_norm(m, 1), sqrt(N / 3.0), 1e-4);
        tg_clip_grad_value(m, 0.004);
        tg_set_num_threads(was);
        tg_copy_out(gradient(m, 0), is[threads / 2], sizeof *is);
        tg_model_free(m);
    }
    expect_ok();
    ck_assert_mem_eq(is[0], is[1], sizeof *is);
    ck_assert(is[0][0] == -0.004 && is[0][N - 1] == 0.004 && fabs(is[0][N / 4]) < 0.004);
}
END_TEST

TCase *tcase_clip(void);
TCase *tcase_clip(void) {
    TCase *t = tcase_create("clip");
    tcase_add_test(t, by_the_norm);
    tcase_add_test(t, by_value);
    tcase_add_test(t, norms_that_are_no_numbers);
    tcase_add_test(t, every_scale);
    tcase_add_test(t, refused_and_empty);
    tcase_add_test(t, every_allocation_may_fail);
    tcase_add_test(t, long_gradients);
    return t;
}
