/* Whole training loops: they converge, call malloc not once in the steady state, and do not grow. */
#include "tests/ops/nn/helpers.h"

#include <stdio.h>

static const double xor_x[] = {0, 0, 0, 1, 1, 0, 1, 1}, xor_y[] = {0, 1, 1, 0};

static tg_tensor *xor_loss(tg_model *m, tg_dtype dtype) {
    tg_tensor *x = tg_to(tg_from(TG_F64, xor_x, 4, 2), dtype), *y = tg_to(tg_from(TG_F64, xor_y, 4, 1), dtype);
    return tg_binary_cross_entropy_with_logits(
        tg_nn_linear(m, "out", tg_tanh(tg_nn_linear(m, "hidden", x, 8)), 1), y);
}

static tg_optim *choose(tg_model *m, int i) {
    return i == 0   ? tg_adam(m, 0.05)
           : i == 1 ? tg_sgd(m, 0.5, .momentum = 0.9)
                    : tg_adam(m, 0.05, .weight_decay = 1e-4, .decoupled = true);
}

START_TEST(learns_xor) {
    for (int seed = 0; seed < 3; seed++) {
        tg_dtype dtype = seed % 2 ? TG_F64 : TG_F32;
        tg_model *m = tg_model_new((uint64_t)seed);
        tg_optim *o = choose(m, _i);
        double first = NAN, loss = NAN;
        for (int step = 0; step < 500; step++) {
            tg_mark before = tg_tape_mark();
            tg_tensor *l = xor_loss(m, dtype);
            loss = tg_item(l);
            if (step == 0) first = loss;
            ck_assert_msg(tg_backward(l) == TG_OK && tg_optim_step(o) == TG_OK, "%s", tg_error_message());
            tg_tape_rewind(before);
        }
        ck_assert_msg(first > 0.5 && loss < 0.02, "seed %d: from %g to %g", seed, first, loss);
        tg_optim_free(o), tg_model_free(m);
    }
}
END_TEST

/* A batch of a classifier with two hidden layers. */
static void classifier_step(tg_model *m, tg_optim *o, const float *pixels, const int64_t *labels) {
    tg_mark before = tg_tape_mark();
    tg_tensor *x = tg_from(TG_F32, pixels, 32, 20), *y = tg_from(TG_I64, labels, 32);
    x = tg_relu(tg_nn_linear(m, "fc1", x, 24));
    x = tg_relu(tg_nn_linear(m, "fc2", x, 16));
    x = tg_nn_linear(m, "out", x, 10);
    double right = tg_accuracy(x, y);
    ck_assert(right >= 0 && right <= 1);
    ck_assert_msg(tg_backward(tg_cross_entropy(x, y)) == TG_OK, "%s", tg_error_message());
    ck_assert_msg(tg_optim_step(o) == TG_OK, "%s", tg_error_message());
    tg_tape_rewind(before);
}

START_TEST(a_steady_step_calls_no_malloc) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = choose(m, _i);
    float pixels[32 * 20];
    int64_t labels[32];
    tg_rng rng = {.seed = 4};
    for (int i = 0; i < COUNT(pixels); i++) pixels[i] = (float)tg_rng_normal(&rng);
    for (int i = 0; i < 32; i++) labels[i] = (int64_t)tg_rng_below(&rng, 10);
    for (int i = 0; i < 5; i++) classifier_step(m, o, pixels, labels);
    tg_memory_stats before = tg_memory_now();
    for (int i = 0; i < 50; i++) classifier_step(m, o, pixels, labels);
    tg_memory_stats after = tg_memory_now();
    ck_assert_uint_eq(after.mallocs, before.mallocs);
    ck_assert_uint_eq(after.frees, before.frees);
    ck_assert_uint_eq(after.live_buffer_bytes, before.live_buffer_bytes);
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

static long resident_pages(void) {
    long total, resident = -1;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) return -1;
    if (fscanf(f, "%ld %ld", &total, &resident) != 2) resident = -1;
    fclose(f);
    return resident;
}

START_TEST(ten_thousand_steps_do_not_grow) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_adam(m, 0.001);
    long settled = resident_pages(); /* the first call brings in pages of its own */
    for (int step = 0; step < 10000; step++) {
        tg_mark before = tg_tape_mark();
        tg_backward(xor_loss(m, TG_F32));
        tg_optim_step(o); /* no assertion here: Check writes each one to its log */
        tg_tape_rewind(before);
        if (step == 1000) settled = resident_pages();
    }
    long end = resident_pages();
    expect_ok();
    /* One lost allocation a step, the smallest that malloc makes, would be 9000 * 32 bytes: 70 pages. */
    ck_assert_msg(end - settled < 64, "from %ld to %ld pages", settled, end);
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

TCase *tcase_training(void) {
    TCase *t = tcase_create("training");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, learns_xor, 0, 3);
    tcase_add_loop_test(t, a_steady_step_calls_no_malloc, 0, 3);
    return t;
}

/* Apart, so that it can be left out where the process itself grows (Valgrind). */
TCase *tcase_endurance(void) {
    TCase *t = tcase_create("endurance");
    tcase_set_tags(t, "slow");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, ten_thousand_steps_do_not_grow);
    return t;
}
