#include "tests/ops/nn/helpers.h"

/* L = sum(c p^2 / 2 + p) for p = (1, -2, 0.5), c = (1, 2, 3). */
static const double start[] = {1, -2, 0.5}, curvature[] = {1, 2, 3};

static tg_status fill_start(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    (void)rng, (void)init;
    return tg_copy_(w, tg_from(TG_F64, start, 3));
}

static tg_tensor *p_of(tg_model *m, tg_dtype dtype) {
    return tg_model_param(m, "p", dtype, TG_SHAPE(3), (tg_init){.fill = fill_start});
}

static void backward(tg_model *m, tg_dtype dtype) {
    tg_tensor *p = p_of(m, dtype), *c = tg_to(tg_from(TG_F64, curvature, 3), dtype);
    tg_tensor *loss = tg_add(tg_sum(tg_mul(c, tg_mul_scalar(tg_square(p), 0.5))), tg_sum(p));
    ck_assert_msg(tg_backward(loss) == TG_OK, "%s", tg_error_message());
}

static void step(tg_model *m, tg_optim *o, tg_dtype dtype) {
    tg_mark before = tg_tape_mark();
    backward(m, dtype);
    ck_assert_msg(tg_optim_step(o) == TG_OK, "%s", tg_error_message());
    tg_tape_rewind(before);
}

enum { KINDS = 16 };
static tg_optim *make_optim(tg_model *m, int i) {
    switch (i) {
    case 0:
        return tg_sgd(m, 0.1);
    case 1:
        return tg_sgd(m, 0.1, .weight_decay = 0.2);
    case 2:
        return tg_sgd(m, 0.1, .momentum = 0.9);
    case 3:
        return tg_sgd(m, 0.1, .momentum = 0.9, .weight_decay = 0.2);
    case 4:
        return tg_sgd(m, 0.1, .momentum = 0.9, .nesterov = true);
    case 5:
        return tg_sgd(m, 0.1, .momentum = 0.9, .weight_decay = 0.2, .nesterov = true);
    case 6:
        return tg_adam(m, 0.1);
    case 7:
        return tg_adam(m, 0.1, .beta1 = 0.8, .beta2 = 0.95, .eps = 0.01, .weight_decay = 0.2);
    case 8:
        return tg_adam(m, 0.1, .weight_decay = 0.2, .decoupled = true);
    case 9:
        return tg_adam(m, 0.1, .beta1 = 0.8, .beta2 = 0.95, .eps = 0.01, .weight_decay = 0.2,
                       .decoupled = true);
    case 10:
        return tg_adamw(m, 0.1, .amsgrad = true);
    case 11:
        return tg_adamax(m, 0.1, .weight_decay = 0.2);
    case 12:
        return tg_rmsprop(m, 0.01, .centered = true, .momentum = 0.9);
    case 13:
        return tg_adagrad(m, 0.1, .initial_accumulator_value = 0.1);
    case 14:
        return tg_adadelta(m, 1);
    default:
        return tg_lion(m, 0.01, .weight_decay = 0.2);
    }
}

/* p after steps 1, 2 and 5, from PyTorch in float64, of the first optimisers above in this order. */
static const double trajectory[][3][3] = {
    /* torch.optim.SGD(lr=0.1) */
    {{0.80000000000000004, -1.7, 0.25},
     {0.62000000000000011, -1.46, 0.074999999999999983},
     {0.18098000000000006, -0.99152000000000007, -0.19327500000000003}},
    /* torch.optim.SGD(lr=0.1, weight_decay=0.2) */
    {{0.77999999999999992, -1.6599999999999999, 0.23999999999999996},
     {0.58639999999999992, -1.3948, 0.063199999999999978},
     {0.13417518079999993, -0.90074512960000008, -0.19436789760000001}},
    /* torch.optim.SGD(lr=0.1, momentum=0.9) */
    {{0.80000000000000004, -1.7, 0.25},
     {0.44000000000000006, -1.1899999999999999, -0.15000000000000002},
     {-1.0583199999999999, 0.37063000000000001, -0.98190000000000011}},
    /* torch.optim.SGD(lr=0.1, momentum=0.9, weight_decay=0.2) */
    {{0.77999999999999992, -1.6599999999999999, 0.23999999999999996},
     {0.38839999999999991, -1.0888, -0.17080000000000012},
     {-1.1512107232000002, 0.54166787840000008, -0.95039568960000009}},
    /* torch.optim.SGD(lr=0.1, momentum=0.9, nesterov=True) */
    {{0.62, -1.4299999999999999, 0.024999999999999974},
     {0.15019999999999992, -0.8335999999999999, -0.38175000000000003},
     {-1.2091633678, 0.12357637120000008, -0.62321019974999992}},
    /* torch.optim.SGD(lr=0.1, momentum=0.9, weight_decay=0.2, nesterov=True) */
    {{0.58199999999999996, -1.3539999999999999, 0.0059999999999999333},
     {0.081103999999999926, -0.70262799999999981, -0.3982480000000001},
     {-1.2268004990894081, 0.19769173787849614, -0.56791321614182411}},
    /* torch.optim.Adam(lr=0.1) */
    {{0.90000000049999995, -1.9000000003333333, 0.4000000004},
     {0.8001664866210928, -1.8002390622922801, 0.30053519334275058},
     {0.50295578259298579, -1.5043581694516794, 0.010731663482075687}},
    /* torch.optim.Adam(lr=0.1, betas=(0.8, 0.95), eps=0.01, weight_decay=0.2) */
    {{0.90045248868778283, -1.9002932551319649, 0.4003831417624521},
     {0.80119395248073511, -1.8009358672915265, 0.30155892499930226},
     {0.50726784156740468, -1.5076519134818327, 0.017359570409114761}},
    /* torch.optim.AdamW(lr=0.1, weight_decay=0.2) */
    {{0.88000000049999993, -1.8600000003333332, 0.39000000039999999},
     {0.76260895108358251, -1.7231744912180118, 0.28281623230857483},
     {0.42712725033254378, -1.3342675971694451, -0.016425792592424243}},
    /* torch.optim.AdamW(lr=0.1, betas=(0.8, 0.95), eps=0.01, weight_decay=0.2) */
    {{0.88049751243781094, -1.8603322259136212, 0.39039840637450196},
     {0.76370960701290025, -1.724008714637314, 0.28386163367171668},
     {0.43133241233344688, -1.33880866340027, -0.010072418138953987}},
};

START_TEST(walks_as_pytorch) {
    for (int f32 = 0; f32 < 2; f32++) {
        tg_dtype dtype = f32 ? TG_F32 : TG_F64;
        tg_model *m = tg_model_new(1);
        tg_optim *o = make_optim(m, _i);
        for (int t = 1; t <= 5; t++) {
            step(m, o, dtype);
            ck_assert(!tg_has_grad(p_of(m, dtype)));
            int row = t <= 2 ? t - 1 : 2;
            if (t <= 2 || t == 5) expect_elements(p_of(m, dtype), trajectory[_i][row], f32 ? 1e-6 : 1e-14);
        }
        tg_optim_free(o), tg_model_free(m);
    }
}
END_TEST

/* Blocks of the parallel loop and the tail of the vector loop: elements of a long parameter move as those
 * of a short one. */
START_TEST(length_does_not_matter) {
    enum { N = 3 * 32768 + 5 };
    tg_model *m = tg_model_new(1), *reference = tg_model_new(1);
    tg_optim *o = make_optim(m, _i), *ro = make_optim(reference, _i);
    tg_set_num_threads(2);
    for (int t = 0; t < 3; t++) {
        tg_mark before = tg_tape_mark();
        tg_tensor *w = tg_model_param(m, "w", TG_F64, TG_SHAPE(N), tg_init_ones());
        tg_tensor *r = tg_model_param(reference, "w", TG_F64, TG_SHAPE(1), tg_init_ones());
        ck_assert_int_eq(tg_backward(tg_sum(tg_square(w))), TG_OK);
        ck_assert_int_eq(tg_backward(tg_sum(tg_square(r))), TG_OK);
        ck_assert_int_eq(tg_optim_step(o), TG_OK);
        ck_assert_int_eq(tg_optim_step(ro), TG_OK);
        const double *v = tg_data(w);
        double want = tg_item(r);
        int same = 0;
        for (int i = 0; i < N; i++) same += fabs(v[i] - want) <= 1e-15;
        ck_assert_int_eq(same, N);
        tg_tape_rewind(before);
    }
    tg_optim_free(o), tg_optim_free(ro), tg_model_free(m), tg_model_free(reference);
}
END_TEST

/* Two half-steps of one batch, accumulated, are one step with the sum. */
START_TEST(gradients_accumulate_until_the_step) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.1);
    backward(m, TG_F64), backward(m, TG_F64);
    ck_assert_int_eq(tg_optim_step(o), TG_OK);
    for (int i = 0; i < 3; i++)
        expect_close(tg_get(p_of(m, TG_F64), i), start[i] - 0.2 * (curvature[i] * start[i] + 1), 1e-15);
    backward(m, TG_F64);
    tg_model_zero_grad(m);
    ck_assert(!tg_has_grad(p_of(m, TG_F64)));
    ck_assert_int_eq(tg_optim_step(o), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "tg_optim_step", "gradient", "test_optim.c:");
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

/* A parameter without a gradient stays, and its count of steps too; one that comes later starts at its own
 * step 1. */
START_TEST(parameters_come_and_skip) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_adam(m, 0.1);
    tg_tensor *idle = tg_model_param(m, "idle", TG_F32, TG_SHAPE(2), tg_init_ones());
    step(m, o, TG_F64);
    step(m, o, TG_F64);
    ck_assert(tg_get(idle, 0) == 1 && tg_get(idle, 1) == 1);
    tg_tensor *late = tg_model_param(m, "late", TG_F64, TG_SHAPE(1), tg_init_ones());
    ck_assert_int_eq(tg_backward(tg_sum(tg_mul_scalar(late, 3))), TG_OK);
    ck_assert_int_eq(tg_backward(tg_sum(tg_mul_scalar(idle, 3))), TG_OK);
    ck_assert_int_eq(tg_optim_step(o), TG_OK);
    expect_close(tg_item(late), 0.9, 1e-8); /* the first step of Adam is lr in size */
    expect_close(tg_get(idle, 0), 0.9, 1e-6);
    for (int t = 3; t <= 5; t++) step(m, o, TG_F64);
    expect_elements(p_of(m, TG_F64), trajectory[6][2], 1e-14);
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

/* What takes a freed parameter's place in the model starts without its state. */
START_TEST(a_replaced_parameter_starts_anew) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_adam(m, 0.1);
    for (int t = 0; t < 3; t++) step(m, o, TG_F64);
    tg_model_truncate(m, 0, 0);
    for (int t = 1; t <= 5; t++) step(m, o, TG_F64);
    expect_elements(p_of(m, TG_F64), trajectory[6][2], 1e-14);
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

START_TEST(learning_rate_changes) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.1);
    ck_assert(tg_optim_lr(o) == 0.1);
    ck_assert_int_eq(tg_optim_set_lr(o, 0), TG_OK);
    step(m, o, TG_F64);
    expect_elements(p_of(m, TG_F64), start, 0);
    ck_assert_int_eq(tg_optim_set_lr(o, 0.1), TG_OK);
    step(m, o, TG_F64);
    expect_elements(p_of(m, TG_F64), trajectory[0][0], 1e-15);
    const double wrong[] = {-1, NAN, INFINITY};
    for (int i = 0; i < COUNT(wrong); i++) {
        ck_assert_int_eq(tg_optim_set_lr(o, wrong[i]), TG_ERR_ARGUMENT);
        expect_error(TG_ERR_ARGUMENT, "learning rate");
        ck_assert(tg_optim_lr(o) == 0.1);
    }
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

#define expect_refused(call, ...) \
    do { \
        ck_assert_ptr_null(call); \
        expect_error(TG_ERR_ARGUMENT, __VA_ARGS__); \
    } while (0)

START_TEST(options_out_of_range) {
    tg_model *m = tg_model_new(1);
    expect_refused(tg_sgd(m, -0.1), "tg_sgd", "-0.1");
    expect_refused(tg_sgd(m, NAN), "tg_sgd");
    expect_refused(tg_sgd(m, 0.1, .momentum = -1), "momentum", "-1");
    expect_refused(tg_sgd(m, 0.1, .momentum = NAN), "momentum");
    expect_refused(tg_sgd(m, 0.1, .weight_decay = -1), "weight_decay", "-1");
    expect_refused(tg_sgd(m, 0.1, .nesterov = true), "nesterov");
    expect_refused(tg_sgd(NULL, 0.1), "model");
    expect_refused(tg_adam(m, INFINITY), "tg_adam");
    expect_refused(tg_adam(m, 0.1, .beta1 = 1), "beta1");
    expect_refused(tg_adam(m, 0.1, .beta1 = -0.1), "beta1");
    expect_refused(tg_adam(m, 0.1, .beta2 = 1), "beta2");
    expect_refused(tg_adam(m, 0.1, .beta2 = NAN), "beta2");
    expect_refused(tg_adam(m, 0.1, .eps = -1e-8), "eps");
    expect_refused(tg_adam(m, 0.1, .weight_decay = NAN), "weight_decay");
    expect_refused(tg_adam(NULL, 0.1), "model");
    ck_assert_int_eq(tg_optim_step(NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "NULL");
    ck_assert(isnan(tg_optim_lr(NULL)));
    expect_error(TG_ERR_ARGUMENT, "NULL");
    ck_assert_int_eq(tg_optim_set_lr(NULL, 1), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "NULL");
    tg_optim_free(NULL);
    expect_ok();
    for (int adam = 0; adam < 2; adam++) {
        tg_memory_fail_at(1);
        ck_assert_ptr_null(adam ? tg_adam(m, 0.1) : tg_sgd(m, 0.1));
        tg_memory_fail_at(-1);
        expect_error(TG_ERR_MEMORY, adam ? "tg_adam" : "tg_sgd");
    }
    tg_model_free(m);
}
END_TEST

START_TEST(refuses_while_an_error_is_pending) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.1);
    backward(m, TG_F64);
    tg_fail(TG_ERR_IO, "earlier");
    ck_assert_int_eq(tg_optim_step(o), TG_ERR_IO);
    expect_error(TG_ERR_IO, "earlier");
    expect_elements(p_of(m, TG_F64), start, 0);
    ck_assert(tg_has_grad(p_of(m, TG_F64)));
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

/* ---- allocation failures ---- */

/* A model of three parameters of which the first has walked two steps, so that its state exists, and the
 * other two come to the optimiser in the third. */
typedef struct scene {
    tg_model *m;
    tg_optim *o;
} scene;

static scene set_scene(int i) {
    scene s = {.m = tg_model_new(1)};
    s.o = make_optim(s.m, i);
    step(s.m, s.o, TG_F64), step(s.m, s.o, TG_F64);
    tg_mark before = tg_tape_mark();
    tg_tensor *x = tg_ones(TG_F32, 4, 5);
    ck_assert_int_eq(tg_backward(tg_sum(tg_square(tg_nn_linear(s.m, "fc", x, 3)))), TG_OK);
    tg_tape_rewind(before);
    before = tg_tape_mark();
    backward(s.m, TG_F64);
    tg_tape_rewind(before);
    return s;
}

static void end_scene(scene s) { tg_optim_free(s.o), tg_model_free(s.m); }

static void run_step(void *context) { tg_optim_step(((scene *)context)->o); }

/* Values and gradients of all parameters of both models are equal in every byte. */
static void expect_equal(tg_model *a, tg_model *b) {
    tg_mark before = tg_tape_mark();
    ck_assert_int_eq(tg_model_count(a), tg_model_count(b));
    for (int i = 0; i < tg_model_count(a); i++) {
        const tg_tensor *p = tg_model_at(a, i), *q = tg_model_at(b, i);
        ck_assert(tg_has_grad(p) == tg_has_grad(q));
        for (int grad = 0; grad <= tg_has_grad(p); grad++) {
            size_t n, k;
            void *x = bytes_of(grad ? tg_grad_of(p) : p, &n), *y = bytes_of(grad ? tg_grad_of(q) : q, &k);
            ck_assert_uint_eq(n, k);
            ck_assert_mem_eq(x, y, n);
            free(x), free(y);
        }
    }
    tg_tape_rewind(before);
    expect_ok();
}

/* A failed step changes nothing: not the values and gradients, and not the state, since the step that
 * follows ends where that of an undisturbed twin ends. */
START_TEST(every_allocation_may_fail) {
    scene counted = set_scene(_i);
    int64_t most = count_allocations(run_step, &counted), failures = 0;
    end_scene(counted);
    scene twin = set_scene(_i);
    for (int64_t n = 1; n <= most + 3; n++) {
        scene s = set_scene(_i);
        size_t live = tg_memory_now().live_buffer_bytes;
        int64_t tensors = tg_tape_tensors();
        tg_memory_fail_at(n);
        tg_status status = tg_optim_step(s.o);
        tg_memory_fail_at(-1);
        if (status != TG_OK) {
            expect_error(TG_ERR_MEMORY, "");
            failures++;
            expect_equal(s.m, twin.m);
            ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
            ck_assert_int_eq(tg_tape_tensors(), tensors);
            ck_assert_int_eq(tg_optim_step(s.o), TG_OK);
        }
        scene after = set_scene(_i);
        ck_assert_int_eq(tg_optim_step(after.o), TG_OK);
        step(after.m, after.o, TG_F64), step(s.m, s.o, TG_F64);
        expect_equal(s.m, after.m);
        end_scene(after), end_scene(s);
    }
    end_scene(twin);
    ck_assert_int_ge(failures, 1);
}
END_TEST

TCase *tcase_optim(void) {
    TCase *t = tcase_create("optim");
    tcase_add_loop_test(t, walks_as_pytorch, 0, COUNT(trajectory));
    tcase_add_loop_test(t, length_does_not_matter, 0, KINDS);
    tcase_add_test(t, gradients_accumulate_until_the_step);
    tcase_add_test(t, parameters_come_and_skip);
    tcase_add_test(t, a_replaced_parameter_starts_anew);
    tcase_add_test(t, learning_rate_changes);
    tcase_add_test(t, options_out_of_range);
    tcase_add_test(t, refuses_while_an_error_is_pending);
    tcase_add_loop_test(t, every_allocation_may_fail, 0, KINDS);
    return t;
}
