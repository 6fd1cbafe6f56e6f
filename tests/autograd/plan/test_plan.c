/* Plans: when a run is recorded, what a replay does, what is refused. That every op does the same in a plan is held in
 * tests/ops/check_plan.c, and whole trainings in tests/plans.c. */
#include "tests/autograd/helpers.h"

#include <pthread.h>

/* ---- a step of the tests: one layer, the mean of squares, plain descent ---- */

typedef struct trainer {
    tg_tensor *w, *b;
    tg_plan *plan; /* for steps that misuse it */
    int kind;      /* which misuse */
    double number;
} trainer;

static trainer trainer_make(void) { return (trainer){.w = param(TG_SHAPE(4, 3)), .b = param(TG_SHAPE(3))}; }

static void trainer_end(trainer *t) {
    tg_plan_free(t->plan);
    tg_free(t->w);
    tg_free(t->b);
}

static void descend(tg_tensor *p) {
    bool was = tg_set_grad_enabled(false);
    tg_add_(p, tg_grad_of(p), -0.01);
    tg_set_grad_enabled(was);
    tg_zero_grad(p);
}

static tg_tensor *loss_of(const trainer *t, tg_tensor *x) {
    return tg_mean(tg_square(tg_tanh(tg_add(tg_matmul(x, t->w), t->b))));
}

static tg_tensor *train(tg_tensor *const *in, void *user) {
    trainer *t = user;
    tg_tensor *loss = loss_of(t, in[0]);
    tg_backward(loss);
    descend(t->w), descend(t->b);
    return loss;
}

static tg_tensor *batch(int rows, int number) {
    tg_tensor *x = tg_zeros(TG_F64, rows, 4);
    double *v = tg_data_mut(x);
    for (int i = 0; i < 4 * rows; i++) v[i] = ((i * 7 + number * 13) % 11 - 5) / 10.0;
    return x;
}

static double run(trainer *t, int rows, int number) {
    tg_mark before = tg_tape_mark();
    double loss = tg_item(tg_plan_run(t->plan, batch(rows, number)));
    tg_tape_rewind(before);
    return loss;
}

static double run_eagerly(trainer *t, int rows, int number) {
    tg_mark before = tg_tape_mark();
    tg_tensor *x = batch(rows, number);
    double loss = tg_item(train(&x, t));
    tg_tape_rewind(before);
    return loss;
}

static void expect_same_weights(const trainer *a, const trainer *b) {
    ck_assert_mem_eq(tg_data(a->w), tg_data(b->w), sizeof(double[12]));
    ck_assert_mem_eq(tg_data(a->b), tg_data(b->b), sizeof(double[3]));
}

/* ---- eager, recorded, replayed ---- */

START_TEST(test_a_plan_trains_as_the_eager_step) {
    trainer a = trainer_make(), b = trainer_make();
    a.plan = tg_plan_new(train, &a);
    for (int i = 0; i < 20; i++) ck_assert_double_eq(run(&a, 5, i), run_eagerly(&b, 5, i));
    expect_same_weights(&a, &b);
    tg_plan_stats s = tg_plan_stats_of(a.plan);
    ck_assert_int_eq(s.eager, 2);
    ck_assert_int_eq(s.replayed, 18);
    ck_assert_int_eq(s.recorded, 1);
    ck_assert(s.arena >= s.lower_bound && (double)s.arena <= 1.05 * (double)s.lower_bound);
    trainer_end(&a), trainer_end(&b);
}
END_TEST

START_TEST(test_each_shape_has_a_recording) {
    trainer a = trainer_make(), b = trainer_make();
    a.plan = tg_plan_new(train, &a);
    for (int i = 0; i < 30; i++) ck_assert_double_eq(run(&a, 2 + i % 3, i), run_eagerly(&b, 2 + i % 3, i));
    expect_same_weights(&a, &b);
    ck_assert_int_eq(tg_plan_stats_of(a.plan).kept, 3);
    ck_assert_int_eq(tg_plan_stats_of(a.plan).eager, 6);
    trainer_end(&a), trainer_end(&b);
}
END_TEST

START_TEST(test_the_recording_not_used_for_longest_goes) {
    trainer a = trainer_make();
    a.plan = tg_plan_new(train, &a, .recordings = 2);
    for (int rows = 1; rows < 5; rows++)
        for (int i = 0; i < 3; i++) run(&a, rows, i);
    ck_assert_int_eq(tg_plan_stats_of(a.plan).kept, 2);
    ck_assert_int_eq(tg_plan_stats_of(a.plan).replayed, 4);
    run(&a, 4, 0);
    ck_assert_int_eq(tg_plan_stats_of(a.plan).replayed, 5);
    trainer_end(&a);
}
END_TEST

START_TEST(test_replay_makes_no_malloc) {
    trainer a = trainer_make();
    a.plan = tg_plan_new(train, &a);
    for (int i = 0; i < 6; i++) run(&a, 5, i);
    uint64_t mallocs = tg_memory_now().mallocs;
    for (int i = 0; i < 20; i++) run(&a, 5, i);
    ck_assert_uint_eq(tg_memory_now().mallocs, mallocs);
    trainer_end(&a);
}
END_TEST

START_TEST(test_another_dtype_is_another_recording) {
    trainer a = trainer_make();
    a.plan = tg_plan_new(train, &a);
    for (int i = 0; i < 4; i++) run(&a, 5, i);
    tg_plan_run(a.plan, tg_zeros(TG_F32, 5, 4));
    expect_error(TG_ERR_DTYPE, "matmul", "f32"); /* as the eager step says it */
    run(&a, 5, 1);
    ck_assert_int_eq(tg_plan_stats_of(a.plan).replayed, 3);
    trainer_end(&a);
}
END_TEST

/* ---- guards ---- */

START_TEST(test_a_replaced_parameter_is_recorded_anew) {
    trainer a = trainer_make(), b = trainer_make();
    a.plan = tg_plan_new(train, &a);
    for (int i = 0; i < 4; i++) run(&a, 5, i), run_eagerly(&b, 5, i);
    tg_tensor *old = a.w;
    a.w = tg_param(old), b.w = (tg_free(b.w), tg_param(old));
    tg_free(old);
    tg_tensor *copy = tg_param(tg_mul_scalar(tg_detach(a.w), 1)); /* b must not share a's elements */
    tg_free(b.w), b.w = copy;
    for (int i = 0; i < 6; i++) ck_assert_double_eq(run(&a, 5, i), run_eagerly(&b, 5, i));
    expect_same_weights(&a, &b);
    ck_assert_int_eq(tg_plan_stats_of(a.plan).recorded, 2);
    trainer_end(&a), trainer_end(&b);
}
END_TEST

START_TEST(test_freezing_is_recorded_anew) {
    trainer a = trainer_make();
    a.plan = tg_plan_new(train, &a);
    for (int i = 0; i < 4; i++) run(&a, 5, i);
    tg_set_requires_grad(a.w, false), tg_set_requires_grad(a.b, false);
    tg_plan_run(a.plan, batch(5, 0));
    expect_error(TG_ERR_TAPE, "gradient"); /* nothing to differentiate, as in the eager step */
    trainer_end(&a);
}
END_TEST

static tg_tensor *forward(tg_tensor *const *in, void *user) { return loss_of(user, in[0]); }

START_TEST(test_recording_on_and_off_are_two_recordings) {
    trainer a = trainer_make();
    a.plan = tg_plan_new(forward, &a);
    for (int i = 0; i < 8; i++) {
        tg_set_grad_enabled(i % 2);
        tg_tensor *x = batch(5, i), *y = tg_plan_run(a.plan, x);
        ck_assert(!tg_requires_grad(y));
        expect_value(y, tg_item(loss_of(&a, x)));
    }
    tg_set_grad_enabled(true);
    ck_assert_int_eq(tg_plan_stats_of(a.plan).kept, 2);
    trainer_end(&a);
}
END_TEST

START_TEST(test_what_holds_again_is_not_recorded_again) {
    trainer a = trainer_make();
    a.plan = tg_plan_new(forward, &a);
    for (int i = 0; i < 12; i++) {
        tg_set_requires_grad(a.b, i % 2); /* run by run, so that none is like the one before it */
        tg_tensor *x = batch(5, i);
        expect_value(tg_plan_run(a.plan, x), tg_item(loss_of(&a, x)));
    }
    ck_assert_int_eq(tg_plan_stats_of(a.plan).recorded, 2);
    ck_assert_int_eq(tg_plan_stats_of(a.plan).replayed, 8);
    trainer_end(&a);
}
END_TEST

START_TEST(test_failures_push_no_recording_out) {
    trainer a = trainer_make();
    a.plan = tg_plan_new(train, &a, .recordings = 2);
    for (int i = 0; i < 3; i++) run(&a, 5, i);
    for (int i = 0; i < 5; i++) {
        tg_plan_run(a.plan, tg_zeros(TG_F64, 2 + i, 3));
        expect_error(TG_ERR_SHAPE, "matmul");
    }
    run(&a, 5, 0);
    ck_assert_int_eq(tg_plan_stats_of(a.plan).replayed, 2);
    trainer_end(&a);
}
END_TEST

/* ---- gradients ---- */

static tg_tensor *differentiate(tg_tensor *const *in, void *user) {
    tg_tensor *loss = loss_of(user, in[0]);
    tg_backward(loss);
    return loss;
}

START_TEST(test_gradients_arrive_and_add_up) {
    trainer a = trainer_make(), b = trainer_make();
    a.plan = tg_plan_new(differentiate, &a);
    for (int i = 0; i < 9; i++) {
        tg_tensor *x = tg_set_requires_grad(batch(5, i), true), *y = tg_set_requires_grad(batch(5, i), true);
        tg_plan_run(a.plan, x), differentiate(&y, &b);
        ck_assert_mem_eq(tg_data(tg_grad_of(a.w)), tg_data(tg_grad_of(b.w)), sizeof(double[12]));
        ck_assert_mem_eq(tg_data(tg_grad_of(x)), tg_data(tg_grad_of(y)), sizeof(double[20]));
        if (i % 3 == 2) tg_zero_grad(a.w), tg_zero_grad(b.w), tg_zero_grad(a.b), tg_zero_grad(b.b);
    }
    ck_assert_int_gt(tg_plan_stats_of(a.plan).replayed, 4);
    trainer_end(&a), trainer_end(&b);
}
END_TEST

static tg_tensor *curve(tg_tensor *const *in, void *user) { /* d/dw of |dL/dw|^2, through a recorded walk */
    trainer *t = user;
    tg_tensor *loss = loss_of(t, in[0]), *g, *h;
    tg_grad(1, &loss, 1, &t->w, &g, .create_graph = true);
    tg_tensor *square = tg_sum(tg_square(g));
    tg_grad(1, &square, 1, &t->w, &h);
    return h;
}

START_TEST(test_recorded_walks_are_planned) {
    trainer a = trainer_make();
    a.plan = tg_plan_new(curve, &a);
    for (int i = 0; i < 6; i++) {
        tg_tensor *x = batch(5, i), *h = tg_plan_run(a.plan, x), *k = curve(&x, &a);
        ck_assert_mem_eq(tg_data(h), tg_data(k), sizeof(double[12]));
    }
    ck_assert_int_eq(tg_plan_stats_of(a.plan).replayed, 4);
    trainer_end(&a);
}
END_TEST

static tg_tensor *noisy(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_sum(tg_mul(tg_dropout(in[0], 0.5, true), tg_rand(TG_F64, 5, 4)));
}

START_TEST(test_random_numbers_go_on) {
    tg_plan *plan = tg_plan_new(noisy, NULL);
    double eager[8];
    tg_seed(3);
    for (int i = 0; i < 8; i++) eager[i] = tg_item(noisy((tg_tensor *[]){batch(5, i)}, NULL));
    tg_seed(3);
    for (int i = 0; i < 8; i++) expect_value(tg_plan_run(plan, batch(5, i)), eager[i]);
    ck_assert_int_eq(tg_plan_stats_of(plan).replayed, 6);
    tg_plan_free(plan);
}
END_TEST

/* ---- what is undone ---- */

static tg_rng of_user;

/* A deviation is found in another way where the squares are infinite, after numbers were drawn. */
static tg_tensor *overflows(tg_tensor *const *in, void *user) {
    trainer *t = user;
    tg_tensor *x = tg_mul(tg_dropout(in[0], 0.5, true, .rng = &of_user), tg_rand(TG_F64, 5, 4));
    if (t->kind == 1) tg_add_(in[0], in[0], 1);
    if (t->kind == 2) tg_backward(loss_of(t, x));
    tg_tensor *loss = tg_std(x);
    return tg_add(loss, loss_of(t, x));
}

static tg_tensor *far_batch(int number) {
    tg_tensor *x = batch(5, number);
    return number == 4 ? tg_mul_scalar(x, 1e200) : x;
}

START_TEST(test_an_undone_run_draws_once) {
    trainer a = trainer_make();
    a.kind = _i; /* 1: it changes its input once, too */
    a.plan = tg_plan_new(overflows, &a);
    double eager[8], left[8];
    for (int k = 0; k < 2; k++) {
        tg_seed(3), of_user = (tg_rng){.seed = 5};
        for (int i = 0; i < 8; i++) {
            tg_tensor *x = far_batch(i);
            if (k)
                expect_value(tg_plan_run(a.plan, x), eager[i]);
            else
                eager[i] = tg_item(overflows(&x, &a)), left[i] = tg_get(x, 3);
            ck_assert_double_eq(tg_get(x, 3), left[i]);
        }
    }
    ck_assert_int_eq(tg_plan_stats_of(a.plan).undone, 1);
    trainer_end(&a);
}
END_TEST

START_TEST(test_what_cannot_be_undone_is_an_error) {
    trainer a = trainer_make();
    a.kind = 2; /* gradients are stored before the decision */
    a.plan = tg_plan_new(overflows, &a);
    for (int i = 0; i < 4; i++) tg_plan_run(a.plan, far_batch(i));
    expect_ok();
    ck_assert(tg_is_poison(tg_plan_run(a.plan, far_batch(4))));
    expect_error(TG_ERR_TAPE, "another way", "changed already");
    tg_plan_run(a.plan, far_batch(5));
    expect_ok();
    trainer_end(&a);
}
END_TEST

/* ---- large arrays: groups run block by block ---- */

static tg_tensor *elementwise(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *y = tg_mul(tg_sigmoid(in[0]), tg_tanh(tg_add(in[0], in[1])));
    y = tg_where(tg_gt(y, in[1]), tg_exp(tg_neg(y)), tg_sub(tg_square(y), tg_scalar(TG_F32, 0.5)));
    tg_backward(tg_mean(y));
    return y;
}

START_TEST(test_groups_have_the_bits_of_single_calls) {
    tg_plan *plan = tg_plan_new(elementwise, NULL);
    int64_t n = 2048 + 37 * _i;
    for (int i = 0; i < 5; i++) {
        tg_mark before = tg_tape_mark();
        tg_tensor *in[2], *again[2];
        for (int k = 0; k < 2; k++) {
            in[k] = tg_set_requires_grad(tg_randn(TG_F32, n), true);
            again[k] = tg_set_requires_grad(tg_contiguous(tg_mul_scalar(tg_detach(in[k]), 1)), true);
        }
        tg_tensor *y = tg_plan_run_with(plan, 2, in), *z = elementwise(again, NULL);
        ck_assert_mem_eq(tg_data(y), tg_data(z), sizeof(float) * (size_t)n);
        for (int k = 0; k < 2; k++)
            ck_assert_mem_eq(tg_data(tg_grad_of(in[k])), tg_data(tg_grad_of(again[k])),
                             sizeof(float) * (size_t)n);
        tg_tape_rewind(before);
    }
    ck_assert_int_gt(tg_plan_stats_of(plan).fused, 8);
    ck_assert_int_eq(tg_plan_stats_of(plan).replayed, 3);
    tg_plan_free(plan);
}
END_TEST

/* ---- memory that a step uses in other ways than from front to back ---- */

typedef struct state {
    tg_tensor *w;
} state;

static tg_tensor *ramp(int64_t n, int number) {
    tg_tensor *t = tg_zeros(TG_F64, n);
    double *v = tg_data_mut(t);
    for (int64_t i = 0; i < n; i++) v[i] = (double)((i * 7 + number * 13) % 101 - 50) / 40;
    return t;
}

static tg_tensor *last_to_all(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *y = tg_exp(in[0]);
    return tg_add(tg_mul_scalar(y, 2), tg_slice(y, 0, tg_numel(y) - 1, tg_numel(y), 1));
}

static tg_tensor *in_halves(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *both = tg_zeros(TG_F64, 2 * 4096);
    tg_copy_(tg_slice(both, 0, 0, 4096, 1), tg_exp(in[0]));
    tg_copy_(tg_slice(both, 0, 4096, 8192, 1), in[0]);
    return tg_mul_scalar(tg_slice(both, 0, 5, 4101, 1), 2);
}

static tg_tensor *squares_gradient(tg_tensor *const *in, void *user) {
    const state *s = user;
    tg_backward(tg_mean(tg_square(tg_mul(in[0], s->w))));
    return tg_square(tg_grad_of(s->w));
}

static tg_tensor *scales_gradient(tg_tensor *const *in, void *user) {
    const state *s = user;
    tg_tensor *loss = tg_mean(tg_square(tg_mul(in[0], s->w)));
    tg_backward(loss);
    tg_mul_(tg_grad_of(s->w), tg_scalar(TG_F64, 0.5));
    return loss;
}

static tg_tensor *walks_twice(tg_tensor *const *in, void *user) {
    const state *s = user;
    tg_tensor *y = tg_mul(in[0], s->w);
    tg_backward(tg_mean(tg_square(y)));
    tg_tensor *first = tg_square(tg_grad_of(s->w));
    tg_backward(tg_mean(tg_exp(tg_mul(in[0], s->w))));
    return tg_add(first, tg_grad_of(s->w));
}

/* Runs whose number has its bit in `zeroed` are followed by tg_zero_grad. */
static const struct memory_use {
    tg_step *step;
    unsigned zeroed;
    int replayed; /* at least */
} uses[] = {{last_to_all, 0, 6},      {in_halves, 0, 6},          {squares_gradient, 0, 5},
            {squares_gradient, 3, 0}, {squares_gradient, ~0u, 6}, {squares_gradient, 8, 1},
            {scales_gradient, 3, 0},  {scales_gradient, ~0u, 6},  {scales_gradient, 8, 1},
            {walks_twice, 0, 5},      {walks_twice, 3, 0},        {walks_twice, ~0u, 6}};

START_TEST(test_memory_is_used_as_by_the_step) {
    enum { USES = sizeof uses / sizeof *uses };
    const struct memory_use *u = &uses[_i % USES];
    const int64_t n = _i < USES || u->step == in_halves ? 4096 : 5; /* small gradients are copied */
    state a = {.w = tg_param(ramp(n, 1))}, b = {.w = tg_param(ramp(n, 1))};
    tg_plan *plan = tg_plan_new(u->step, &a);
    for (int i = 0; i < 8; i++) {
        tg_mark before = tg_tape_mark();
        tg_tensor *x = ramp(n, i), *y = tg_plan_run(plan, x), *z = u->step(&x, &b);
        expect_ok();
        ck_assert_mem_eq(tg_data(y), tg_data(z), sizeof(double) * (size_t)tg_numel(z));
        ck_assert_int_eq(tg_has_grad(a.w), tg_has_grad(b.w));
        if (tg_has_grad(b.w))
            ck_assert_mem_eq(tg_data(tg_grad_of(a.w)), tg_data(tg_grad_of(b.w)), sizeof(double) * (size_t)n);
        if (u->zeroed >> i & 1) tg_zero_grad(a.w), tg_zero_grad(b.w);
        tg_tape_rewind(before);
    }
    ck_assert_int_ge(tg_plan_stats_of(plan).replayed, u->replayed);
    tg_plan_free(plan);
    tg_free(a.w), tg_free(b.w);
}
END_TEST

/* ---- many pieces of memory, large ones ---- */

static tg_tensor *deep(tg_tensor *const *in, void *user) {
    const state *s = user;
    tg_tensor *y = tg_mul(in[0], s->w), *z = tg_scalar(TG_F64, 0);
    for (int i = 0; i < 300; i++) {
        if (i % 3 == 0) y = tg_softmax(tg_mul(tg_tanh(y), y), 0);
        if (i % 3 == 1) y = tg_mul_scalar(tg_exp(tg_neg(y)), 0.5);
        if (i % 3 == 2) z = tg_add(z, tg_sum(tg_cumsum(tg_concat(0, y, y), 0)));
    }
    tg_backward(tg_add(z, tg_sum(y)));
    return y;
}

START_TEST(test_many_pieces_lie_close) {
    state a = {.w = tg_param(ramp(700, 1))}, b = {.w = tg_param(ramp(700, 1))};
    tg_plan *plan = tg_plan_new(deep, &a);
    for (int i = 0; i < 4; i++) {
        tg_mark before = tg_tape_mark();
        tg_tensor *x = ramp(700, i), *y = tg_plan_run(plan, x), *z = deep(&x, &b);
        expect_ok();
        ck_assert_mem_eq(tg_data(y), tg_data(z), sizeof(double[700]));
        ck_assert_mem_eq(tg_data(tg_grad_of(a.w)), tg_data(tg_grad_of(b.w)), sizeof(double[700]));
        tg_tape_rewind(before);
    }
    tg_plan_stats s = tg_plan_stats_of(plan);
    ck_assert_int_eq(s.replayed, 2);
    ck_assert_uint_gt(s.arena, 512 * sizeof(double[700]) / 2);
    ck_assert((double)s.arena <= 1.05 * (double)s.lower_bound);
    tg_plan_free(plan);
    tg_free(a.w), tg_free(b.w);
}
END_TEST

/* ---- results, inputs that are changed, streams ---- */

static tg_tensor *gives_input(tg_tensor *const *in, void *user) {
    (void)user;
    return in[0];
}
static tg_tensor *gives_parameter(tg_tensor *const *in, void *user) {
    (void)in;
    return ((const state *)user)->w;
}

START_TEST(test_a_result_has_memory_of_its_own) {
    state a = {.w = tg_param(ramp(5, 1))};
    tg_plan *plan = tg_plan_new(_i ? gives_parameter : gives_input, &a);
    for (int i = 0; i < 4; i++) {
        tg_tensor *x = ramp(5, i), *y = tg_plan_run(plan, x);
        double of_x = tg_get(x, 0), of_w = tg_get(a.w, 0);
        tg_fill_(y, 7);
        ck_assert_double_eq(tg_get(x, 0), of_x);
        ck_assert_double_eq(tg_get(a.w, 0), of_w);
    }
    expect_ok();
    tg_plan_free(plan);
    tg_free(a.w);
}
END_TEST

static tg_tensor *adds_and_decides(tg_tensor *const *in, void *user) {
    (void)user;
    tg_add_(in[0], in[1], 1);
    return tg_std(in[0]);
}

START_TEST(test_changed_inputs_are_undone_and_counted) {
    tg_plan *plan = tg_plan_new(adds_and_decides, NULL);
    for (int i = 0; i < 6; i++) {
        tg_tensor *x = ramp(8, i), *z = ramp(8, i), *by = ramp(8, i + 1);
        if (i == 4) tg_fill_(by, INFINITY);
        tg_tensor *w = tg_set_requires_grad(ramp(8, 3), true), *saved = tg_sum(tg_mul(w, x));
        tg_tensor *y = tg_plan_run(plan, x, by), *v = adds_and_decides((tg_tensor *[]){z, by}, NULL);
        expect_ok();
        ck_assert_mem_eq(tg_data(x), tg_data(z), sizeof(double[8]));
        if (i != 4) expect_value(y, tg_item(v));
        ck_assert_int_eq(tg_backward(saved), TG_ERR_TAPE); /* x was changed since */
        tg_error_clear();
    }
    ck_assert_int_eq(tg_plan_stats_of(plan).undone, 1);
    tg_plan_free(plan);
}
END_TEST

static tg_tensor *draws(tg_tensor *const *in, void *user) {
    tg_rng own = tg_rng_derive(7, 1, 0);
    return tg_add(in[0], tg_to(tg_randperm(5, .rng = user ? user : &own), TG_F64));
}

START_TEST(test_a_stream_outlives_the_step) {
    tg_rng stream = tg_rng_derive(7, 1, 0), again = stream;
    tg_plan *plan = tg_plan_new(draws, NULL), *good = tg_plan_new(draws, &stream);
    tg_plan_run(plan, ramp(5, 0));
    expect_error(TG_ERR_TAPE, "randperm", "variable of the step");
    for (int i = 0; i < 5; i++) {
        tg_tensor *x = ramp(5, i), *y = tg_plan_run(good, x), *z = draws(&x, &again);
        ck_assert_mem_eq(tg_data(y), tg_data(z), sizeof(double[5]));
    }
    ck_assert_int_eq(tg_plan_stats_of(good).replayed, 3);
    tg_plan_free(plan), tg_plan_free(good);
}
END_TEST

static tg_tensor *uses_views(tg_tensor *const *in, void *user) {
    tg_tensor **w = user, *y = in[0];
    for (int i = 0; i < 40; i++) y = tg_add(y, tg_flip(w[i]));
    tg_backward(tg_sum(y));
    return y;
}

START_TEST(test_views_of_many_parameters) {
    tg_tensor *w[40];
    for (int i = 0; i < 40; i++) w[i] = tg_param(ramp(5, i));
    tg_plan *plan = tg_plan_new(uses_views, w);
    for (int i = 0; i < 5; i++) {
        tg_tensor *x = ramp(5, i), *y = tg_plan_run(plan, x);
        double sum = tg_get(x, 0);
        for (int k = 0; k < 40; k++) sum += tg_get(w[k], 4);
        ck_assert_double_eq(tg_get(y, 0), sum);
        for (int k = 0; k < 40; k++) ck_assert_double_eq(tg_get(tg_grad_of(w[k]), 0), i + 1);
    }
    ck_assert_int_eq(tg_plan_stats_of(plan).replayed, 3);
    tg_plan_free(plan);
    for (int i = 0; i < 40; i++) tg_free(w[i]);
}
END_TEST

/* ---- what cannot be recorded ---- */

static tg_tensor *misuse(tg_tensor *const *in, void *user) {
    trainer *t = user;
    tg_tensor *y = loss_of(t, in[0]);
    switch (t->kind) {
    case 0:
        t->number = tg_item(y);
        break;
    case 1:
        t->number = tg_data(y) ? 1 : 0;
        break;
    case 2:
        tg_array_of(y);
        break;
    case 3:
        tg_seed(1);
        break;
    case 4:
        y = tg_plan_run(t->plan, in[0]);
        break;
    case 5:
        y = tg_add(y, tg_sum(t->b)), tg_register_hook(y, NULL, NULL);
        break;
    case 6:
        y = tg_mul_scalar(y, t->number += 1);
        break;
    case 7:
        y = tg_mul(y, tg_scalar(TG_F64, t->number += 1));
        break;
    case 8:
        tg_free(tg_keep(y));
        break;
    case 12: {
        tg_tensor *c = tg_zeros(TG_F64, 1);
        double *v = tg_data_mut(c);
        v[0] = 1, y = tg_mul(y, tg_sum(c)), v[0] = 2, y = tg_mul(y, tg_sum(c));
        break;
    }
    case 9:
        return NULL;
    case 11: /* stochastic depth */
        if (tg_rng_uniform(NULL) < 2) y = tg_add(y, tg_sum(t->b));
        break;
    case 10:
        return tg_matmul(in[0], in[0]);
    default:
        break;
    }
    return y;
}

static const struct misused {
    int kind;
    tg_status status;
    const char *words[3];
} misused[] = {
    {0, TG_ERR_TAPE, {"tg_item", "plan", "frozen"}},
    {1, TG_ERR_TAPE, {"tg_data", "plan"}},
    {2, TG_ERR_TAPE, {"tg_array_of", "plan"}},
    {3, TG_ERR_TAPE, {"tg_seed", "recorded"}},
    {4, TG_ERR_TAPE, {"tg_plan_run", "inside"}},
    {5, TG_ERR_TAPE, {"tg_register_hook", "recorded"}},
    {12, TG_ERR_TAPE, {"sum", "changed by hand"}},
    {9, TG_ERR_ARGUMENT, {"tg_plan_run", "NULL"}},
    {10, TG_ERR_SHAPE, {"matmul"}},
};

START_TEST(test_misuse_is_refused) {
    const struct misused *m = &misused[_i];
    trainer a = trainer_make();
    a.kind = m->kind;
    a.plan = tg_plan_new(misuse, &a);
    for (int i = 0; i < 2; i++) {
        ck_assert(tg_is_poison(tg_plan_run(a.plan, batch(5, 0))));
        expect_error(m->status, m->words[0], m->words[1] ? m->words[1] : "", m->words[2] ? m->words[2] : "");
    }
    a.kind = -1; /* nothing half recorded stays */
    for (int i = 0; i < 4; i++) run(&a, 5, i);
    ck_assert_int_eq(tg_plan_stats_of(a.plan).replayed, 2);
    trainer_end(&a);
}
END_TEST

START_TEST(test_what_changes_by_itself_never_freezes) {
    trainer a = trainer_make();
    a.kind = _i == 3 ? 11 : 6 + _i;
    a.plan = tg_plan_new(misuse, &a);
    for (int i = 0; i < 4; i++) run(&a, 5, i);
    expect_ok();
    ck_assert(tg_is_poison(tg_plan_run(a.plan, batch(5, 0))));
    expect_error(TG_ERR_ARGUMENT, "4 runs", "test_plan.c",
                 _i == 0   ? "affine"
                 : _i == 1 ? "mul"
                 : _i == 2 ? "kept"
                           : "random number");
    ck_assert_int_eq(tg_plan_stats_of(a.plan).replayed, 0);
    trainer_end(&a);
}
END_TEST

static tg_tensor *outside;
static tg_tensor *uses_outside(tg_tensor *const *in, void *user) {
    if (user && tg_fill_(outside, 3) != TG_OK) return tg_poison();
    return tg_mul(in[0], outside);
}

START_TEST(test_a_tensor_from_outside_is_refused) {
    tg_plan *plan = tg_plan_new(uses_outside, NULL);
    outside = tg_scalar(TG_F64, 2);
    tg_plan_run(plan, batch(5, 0));
    expect_error(TG_ERR_TAPE, "mul", "neither an input nor kept");
    tg_plan_free(plan);
    plan = tg_plan_new(uses_outside, &outside);
    tg_plan_run(plan, batch(5, 0));
    expect_error(TG_ERR_TAPE, "fill_", "neither an input nor kept");
    ck_assert_double_eq(tg_item(outside), 2);
    tg_plan_free(plan);
}
END_TEST

static tg_tensor *see(tg_tensor *g, void *user) { return (void)user, g; }
static tg_tensor *walks_from_a_leaf(tg_tensor *const *in, void *user) {
    size_t bytes = tg_memory_now().live_buffer_bytes;
    ck_assert_int_eq(tg_backward(user, .seed = in[0]), TG_ERR_TAPE);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, bytes);
    return tg_poison();
}

START_TEST(test_a_leaf_with_hooks_gets_no_gradient) {
    tg_tensor *leaf = tg_keep(tg_set_requires_grad(tg_ones(TG_F64, 3), true));
    tg_register_hook(leaf, see, NULL);
    tg_plan *plan = tg_plan_new(walks_from_a_leaf, leaf);
    tg_plan_run(plan, tg_ones(TG_F64, 3));
    expect_error(TG_ERR_TAPE, "tg_backward", "hooks");
    ck_assert(!tg_has_grad(leaf));
    tg_plan_free(plan);
    tg_free(leaf);
}
END_TEST

START_TEST(test_one_memory_as_two_inputs) {
    tg_plan *plan = tg_plan_new(elementwise, NULL);
    tg_tensor *x = tg_set_requires_grad(tg_ones(TG_F32, 3), true), *in[2] = {x, x};
    tg_plan_run_with(plan, 2, in);
    expect_error(TG_ERR_ARGUMENT, "input 1", "memory of another");
    tg_plan_free(plan);
}
END_TEST

static tg_tensor *change_first(tg_tensor *const *in, void *user) {
    (void)user;
    tg_add_(in[0], tg_mul_scalar(in[1], 2), 0.5);
    return tg_add(tg_sum(in[0]), tg_sum(in[1]));
}

/* Where one is changed the other is, which neither a recording nor a replay would do. */
START_TEST(test_one_memory_is_not_changed_as_two_inputs) {
    tg_tensor *x = tg_keep(tg_ones(TG_F64, 3)), *y = tg_keep(tg_ones(TG_F64, 3));
    for (int before = 0; before <= 4; before++) {
        tg_plan *plan = tg_plan_new(change_first, NULL);
        for (int i = 0; i < before; i++) tg_plan_run(plan, x, y);
        const double was = tg_get(x, 0);
        tg_plan_run(plan, x, x);
        expect_error(before < 2 ? TG_ERR_TAPE : TG_ERR_ARGUMENT, "input",
                     before < 2 ? "add_" : "memory of input 0");
        ck_assert_double_eq(tg_get(x, 0), was);
        tg_plan_run(plan, x, y);
        expect_ok();
        tg_plan_free(plan);
    }
    tg_free(x), tg_free(y);
}
END_TEST

static tg_tensor *never(tg_tensor *grad, void *user) {
    (void)user;
    return tg_mul_scalar(grad, 0);
}

START_TEST(test_an_input_with_hooks_is_refused) {
    tg_tensor *x = tg_keep(tg_set_requires_grad(tg_ones(TG_F32, 3), true));
    for (int before = 0; before <= 4; before++) {
        tg_plan *plan = tg_plan_new(elementwise, NULL);
        tg_tensor *y = tg_ones(TG_F32, 3);
        for (int i = 0; i < before; i++) tg_plan_run(plan, x, y);
        tg_register_hook(x, never, NULL);
        tg_plan_run(plan, x, y);
        expect_error(TG_ERR_TAPE, "tg_plan_run", "has hooks");
        tg_remove_hooks(x);
        tg_plan_run(plan, x, y);
        expect_ok();
        tg_plan_free(plan);
    }
    tg_free(x);
}
END_TEST

START_TEST(test_bad_plans) {
    ck_assert_ptr_null(tg_plan_new(NULL, NULL));
    expect_error(TG_ERR_ARGUMENT, "tg_plan_new", "step is NULL");
    ck_assert(tg_is_poison(tg_plan_run(NULL, batch(1, 1))));
    expect_error(TG_ERR_ARGUMENT, "tg_plan_run", "NULL");
    trainer a = trainer_make();
    tg_plan *plan = tg_plan_new(train, &a);
    tg_plan_run(plan, NULL);
    expect_error(TG_ERR_ARGUMENT, "tg_plan_run", "NULL");
    tg_plan_free(plan);
    tg_plan_run(plan, batch(1, 1));
    expect_error(TG_ERR_ARGUMENT, "tg_plan_run", "freed");
    tg_plan_free(plan);
    expect_error(TG_ERR_ARGUMENT, "tg_plan_free", "freed");
    tg_plan_free((tg_plan *)(void *)a.w);
    expect_error(TG_ERR_ARGUMENT, "something else");
    tg_plan_free(NULL);
    trainer_end(&a);
}
END_TEST

/* ---- a plan on two threads ---- */

static pthread_barrier_t inside, tried;

static tg_tensor *slow(tg_tensor *const *in, void *user) {
    (void)user;
    pthread_barrier_wait(&inside);
    pthread_barrier_wait(&tried);
    return tg_square(in[0]);
}

static void *run_slowly(void *plan) {
    tg_plan_run((tg_plan *)plan, tg_ones(TG_F64, 2));
    return NULL;
}

START_TEST(test_a_running_plan_is_refused_to_another_thread) {
    pthread_barrier_init(&inside, NULL, 2), pthread_barrier_init(&tried, NULL, 2);
    tg_plan *plan = tg_plan_new(slow, NULL);
    pthread_t other;
    ck_assert_int_eq(pthread_create(&other, NULL, run_slowly, plan), 0);
    pthread_barrier_wait(&inside);
    tg_plan_run(plan, tg_ones(TG_F64, 2));
    expect_error(TG_ERR_ARGUMENT, "running", "another thread");
    tg_plan_free(plan);
    expect_error(TG_ERR_ARGUMENT, "tg_plan_free", "running");
    pthread_barrier_wait(&tried);
    pthread_join(other, NULL);
    tg_plan_free(plan);
    pthread_barrier_destroy(&inside), pthread_barrier_destroy(&tried);
}
END_TEST

/* ---- any allocation can fail ---- */

START_TEST(test_allocation_fails_at_each_point) {
    trainer a = trainer_make(), b = trainer_make();
    int failed = 0, runs = 0;
    for (int n = 0; n < 300; n++) { /* in the first runs of a plan, in the recording, in planning, in a replay */
        a.plan = tg_plan_new(train, &a);
        for (int i = 0; i < 4; i++) {
            double before = *(const double *)tg_data(a.w);
            tg_tensor *x = batch(5, i);
            tg_memory_fail_at(n);
            bool poison = tg_is_poison(tg_plan_run(a.plan, x));
            tg_memory_fail_at(-1);
            if (!poison) {
                run_eagerly(&b, 5, i), runs++;
                continue;
            }
            ck_assert_int_eq(tg_error_status(), TG_ERR_MEMORY);
            ck_assert_double_eq(*(const double *)tg_data(a.w), before);
            tg_error_clear(), failed++;
            tg_zero_grad(a.w), tg_zero_grad(a.b);
        }
        tg_plan_free(a.plan), a.plan = NULL;
    }
    ck_assert_int_gt(failed, 20);
    ck_assert_int_gt(runs, 50);
    expect_same_weights(&a, &b);
    trainer_end(&a), trainer_end(&b);
}
END_TEST

START_TEST(test_a_plan_is_printed) {
    trainer a = trainer_make();
    char text[8192];
    a.plan = tg_plan_new(train, &a);
    for (int i = 0; i < 3; i++) run(&a, 5, i);
    ck_assert_uint_gt(strlen(plan_text(a.plan, text, sizeof text)), 100);
    ck_assert_ptr_nonnull(strstr(text, "matmul(i0[5, 4] k1[4, 3])"));
    ck_assert_ptr_nonnull(strstr(text, "tanh backward"));
    ck_assert_ptr_nonnull(strstr(text, "test_plan.c:"));
    trainer_end(&a);
}
END_TEST

/* Of more shapes in turn than recordings are kept each pushes out the one before, and all runs are eager. */
START_TEST(test_more_shapes_than_recordings) {
    trainer a = trainer_make();
    char text[512];
    a.plan = tg_plan_new(train, &a, .recordings = 2);
    for (int i = 0; i < 12; i++) run(&a, 3 + i % 3, i);
    ck_assert_int_eq(tg_plan_stats_of(a.plan).eager, 12);
    ck_assert_ptr_nonnull(strstr(plan_text(a.plan, text, sizeof text), "more shapes than 2 take turns"));
    trainer_end(&a);
}
END_TEST

TCase *tcase_plan(void) {
    TCase *t = tcase_create("plan");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, begin_test, end_test);
    tcase_add_test(t, test_a_plan_trains_as_the_eager_step);
    tcase_add_test(t, test_each_shape_has_a_recording);
    tcase_add_test(t, test_the_recording_not_used_for_longest_goes);
    tcase_add_test(t, test_replay_makes_no_malloc);
    tcase_add_test(t, test_another_dtype_is_another_recording);
    tcase_add_test(t, test_a_replaced_parameter_is_recorded_anew);
    tcase_add_test(t, test_freezing_is_recorded_anew);
    tcase_add_test(t, test_recording_on_and_off_are_two_recordings);
    tcase_add_test(t, test_what_holds_again_is_not_recorded_again);
    tcase_add_test(t, test_failures_push_no_recording_out);
    tcase_add_test(t, test_gradients_arrive_and_add_up);
    tcase_add_test(t, test_recorded_walks_are_planned);
    tcase_add_test(t, test_random_numbers_go_on);
    tcase_add_loop_test(t, test_an_undone_run_draws_once, 0, 2);
    tcase_add_test(t, test_what_cannot_be_undone_is_an_error);
    tcase_add_loop_test(t, test_groups_have_the_bits_of_single_calls, 0, 8);
    tcase_add_loop_test(t, test_memory_is_used_as_by_the_step, 0, 2 * (int)(sizeof uses / sizeof *uses));
    tcase_add_test(t, test_many_pieces_lie_close);
    tcase_add_loop_test(t, test_a_result_has_memory_of_its_own, 0, 2);
    tcase_add_test(t, test_changed_inputs_are_undone_and_counted);
    tcase_add_test(t, test_a_stream_outlives_the_step);
    tcase_add_test(t, test_views_of_many_parameters);
    tcase_add_loop_test(t, test_misuse_is_refused, 0, (int)(sizeof misused / sizeof *misused));
    tcase_add_loop_test(t, test_what_changes_by_itself_never_freezes, 0, 4);
    tcase_add_test(t, test_a_tensor_from_outside_is_refused);
    tcase_add_test(t, test_a_leaf_with_hooks_gets_no_gradient);
    tcase_add_test(t, test_one_memory_as_two_inputs);
    tcase_add_test(t, test_one_memory_is_not_changed_as_two_inputs);
    tcase_add_test(t, test_an_input_with_hooks_is_refused);
    tcase_add_test(t, test_bad_plans);
    tcase_add_test(t, test_a_running_plan_is_refused_to_another_thread);
    tcase_add_test(t, test_allocation_fails_at_each_point);
    tcase_add_test(t, test_a_plan_is_printed);
    tcase_add_test(t, test_more_shapes_than_recordings);
    return t;
}
