/* Recurrent layers: parameters, the ops they are made of, states, failures. */
#include "tests/ops/nn/helpers.h"

enum { N = 3, T = 4, IN = 2, HIDDEN = 5 };

typedef struct layer {
    const char *name;
    int gates;
} layer;
static const layer layers[] = {{"lstm", 4}, {"gru", 3}};

static tg_tensor *call(int which, tg_model *m, tg_tensor *x, tg_tensor *h, tg_tensor *c, bool no_bias) {
    if (which) return tg_nn_gru(m, "rnn", x, HIDDEN, .h = h, .no_bias = no_bias);
    return tg_nn_lstm(m, "rnn", x, HIDDEN, .h = h, .c = c, .no_bias = no_bias);
}

static tg_tensor *parameter(tg_model *m, const char *name) {
    tg_tensor *p = tg_model_find(m, name);
    expect_ok();
    return p;
}

START_TEST(parameters_are_those_of_pytorch) {
    static const char *const names[] = {"rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_ih_l0",
                                        "rnn.bias_hh_l0"};
    tg_model *m = tg_model_new(1);
    call(_i, m, tg_zeros(TG_F32, N, T, IN), NULL, NULL, false);
    expect_ok();
    int64_t rows = layers[_i].gates * HIDDEN;
    const tg_shape shapes[] = {TG_SHAPE(rows, IN), TG_SHAPE(rows, HIDDEN), TG_SHAPE(rows), TG_SHAPE(rows)};
    ck_assert_int_eq(tg_model_count(m), 4);
    for (int i = 0; i < 4; i++) {
        tg_tensor *p = tg_model_at(m, i);
        double bound = 1 / sqrt(HIDDEN), largest = 0;
        ck_assert_str_eq(tg_name(p), names[i]);
        ck_assert(tg_shape_equal(tg_shape_of(p), shapes[i]));
        for (int64_t k = 0; k < tg_numel(p); k++) largest = fmax(largest, fabs(tg_get(p, k)));
        ck_assert_double_le(largest, bound);
        ck_assert_double_gt(largest, bound / 2);
    }
    tg_model_free(m);
}
END_TEST

/* One op over the sequence, with the products written out: in f64 to the last bits, whatever is given or left out. */
START_TEST(layers_are_products_and_a_scan) {
    int which = _i % 2;
    bool states = _i / 2 % 2, bias = _i / 4;
    tg_model *m = tg_model_new(2);
    tg_tensor *x = tg_normal(TG_F64, 0, 1, N, T, IN), *h = NULL, *c = NULL;
    if (states) h = tg_normal(TG_F64, 0, 1, N, HIDDEN), c = tg_normal(TG_F64, 0, 1, N, HIDDEN);
    tg_tensor *y = call(which, m, x, h, c, !bias);
    expect_ok();
    tg_tensor *a = tg_matmul(x, tg_transpose(parameter(m, "rnn.weight_ih_l0"), 0, 1));
    tg_tensor *w = parameter(m, "rnn.weight_hh_l0"), *b = bias ? parameter(m, "rnn.bias_hh_l0") : NULL, *want;
    ck_assert_int_eq(tg_model_count(m), bias ? 4 : 2);
    if (bias) a = tg_add(a, parameter(m, "rnn.bias_ih_l0"));
    if (which)
        want = tg_gru_scan(a, w, .b = b, .h = h);
    else
        want = tg_lstm_scan(b ? tg_add(a, b) : a, w, .h = h, .c = c);
    for (int64_t i = 0; i < tg_numel(want); i++) expect_close(tg_get(y, i), tg_get(want, i), 1e-14);
    tg_model_free(m);
}
END_TEST

/* A sequence in two parts, with the state carried over, is the sequence; cells gives c after each step. */
START_TEST(states_carry_over) {
    tg_model *m = tg_model_new(3);
    tg_tensor *x = tg_normal(TG_F64, 0, 1, N, T, IN), *cells = NULL;
    tg_tensor *x1 = tg_narrow(x, 1, 0, 1), *x2 = tg_narrow(x, 1, 1, T - 1),
              *whole = call(_i, m, x, NULL, NULL, false);
    tg_tensor *first = _i ? tg_nn_gru(m, "rnn", x1, HIDDEN) : tg_nn_lstm(m, "rnn", x1, HIDDEN, .cells = &cells);
    tg_tensor *rest = call(_i, m, x2, tg_select(first, 1, -1), cells ? tg_select(cells, 1, -1) : NULL, false);
    tg_tensor *joined = tg_concat(1, first, rest);
    expect_ok();
    for (int64_t i = 0; i < tg_numel(whole); i++) expect_close(tg_get(joined, i), tg_get(whole, i), 1e-14);
    tg_model_free(m);
}
END_TEST

START_TEST(wrong_inputs_leave_no_trace) {
    tg_model *m = tg_model_new(1);
    const char *name = layers[_i].name;
    call(_i, m, tg_zeros(TG_F32, N, IN), NULL, NULL, false);
    expect_error(TG_ERR_SHAPE, name, "[n, t, in]", "[3, 2] f32", "test_recurrent.c:");
    call(_i, m, tg_zeros(TG_I32, N, T, IN), NULL, NULL, false);
    expect_error(TG_ERR_DTYPE, name, "i32");
    call(_i, m, tg_zeros(TG_F32, N, T, IN), tg_zeros(TG_F32, N, HIDDEN + 1), NULL, false);
    expect_error(TG_ERR_SHAPE, name, "[3, 6]");
    call(_i, NULL, tg_zeros(TG_F32, N, T, IN), NULL, NULL, false);
    expect_error(TG_ERR_ARGUMENT, "model is NULL");
    if (_i)
        tg_nn_gru(m, "", tg_zeros(TG_F32, N, T, IN), 4);
    else
        tg_nn_lstm(m, "", tg_zeros(TG_F32, N, T, IN), 4);
    expect_error(TG_ERR_ARGUMENT, name, "name");
    tg_tensor *cells;
    if (_i)
        tg_nn_gru(m, "rnn", tg_zeros(TG_F32, N, T, IN), 0);
    else
        tg_nn_lstm(m, "rnn", tg_zeros(TG_F32, N, T, IN), 0, .cells = &cells), ck_assert(tg_is_poison(cells));
    expect_error(TG_ERR_ARGUMENT, name, "0");
    ck_assert_int_eq(tg_model_count(m), 0);
    tg_model_free(m);
}
END_TEST

typedef struct layer_call {
    tg_model *model;
    tg_tensor *x;
    int which;
} layer_call;

static void train(void *context) {
    layer_call *c = context;
    tg_tensor *y = call(c->which, c->model, c->x, NULL, NULL, false);
    if (!tg_is_poison(y)) tg_backward(tg_sum(y));
}

/* Forward and backward with each allocation failing in turn: no gradient is left half done. */
START_TEST(every_allocation_may_fail) {
    int failures = 0;
    for (int64_t n = 1, most = 1; n <= most + 2; n++) {
        tg_mark before = tg_tape_mark();
        tg_model *m = tg_model_new(1);
        layer_call c = {m, tg_ones(TG_F32, N, T, IN), _i};
        if (n == 1) {
            most = count_allocations(train, &c);
            tg_model_truncate(m, 0, 0);
        }
        tg_memory_fail_at(n);
        train(&c);
        tg_memory_fail_at(-1);
        if (tg_error_status() != TG_OK) {
            failures++;
            expect_error(TG_ERR_MEMORY, "");
            for (int i = 0; i < tg_model_count(m); i++) ck_assert(!tg_has_grad(tg_model_at(m, i)));
            train(&c);
        }
        expect_ok();
        ck_assert(tg_has_grad(parameter(m, "rnn.weight_hh_l0")));
        tg_model_free(m);
        tg_tape_rewind(before);
    }
    ck_assert_int_ge(failures, 10);
}
END_TEST

/* Which of two numbers came first: without a memory of the first step no better than chance, a loss of log 2. */
START_TEST(layers_learn_to_remember) {
    tg_model *m = tg_model_new(4);
    tg_optim *adam = tg_adam(m, 0.03);
    double last = 1;
    tg_seed(3);
    tg_tensor *x = tg_keep(tg_normal(TG_F32, 0, 1, 64, 6, IN)), *y = tg_keep(tg_zeros(TG_F32, 64, 1));
    for (int64_t i = 0; i < 64; i++) tg_array_set(tg_array_of(y), i, tg_get(x, i * 6 * IN) > 0);
    for (int step = 0; step < 120; step++) {
        tg_mark mark = tg_tape_mark();
        tg_tensor *h = tg_select(call(_i, m, x, NULL, NULL, false), 1, -1);
        tg_tensor *loss = tg_binary_cross_entropy_with_logits(tg_nn_linear(m, "out", h, 1), y);
        ck_assert_msg(tg_backward(loss) == TG_OK, "%s", tg_error_message());
        last = tg_item(loss);
        tg_optim_step(adam);
        tg_tape_rewind(mark);
    }
    expect_ok();
    ck_assert_double_lt(last, 0.1);
    tg_optim_free(adam);
    tg_model_free(m);
    tg_free(x), tg_free(y);
}
END_TEST

TCase *tcase_recurrent_layers(void) {
    TCase *t = tcase_create("recurrent");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, parameters_are_those_of_pytorch, 0, 2);
    tcase_add_loop_test(t, layers_are_products_and_a_scan, 0, 8);
    tcase_add_loop_test(t, states_carry_over, 0, 2);
    tcase_add_loop_test(t, wrong_inputs_leave_no_trace, 0, 2);
    tcase_add_loop_test(t, every_allocation_may_fail, 0, 2);
    tcase_add_loop_test(t, layers_learn_to_remember, 0, 2);
    return t;
}
