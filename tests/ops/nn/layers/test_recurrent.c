/* Recurrent layers: parameters, the ops they are made of, states, failures. */
#include "tests/ops/nn/helpers.h"

enum { N = 3, T = 4, IN = 2, HIDDEN = 5 };

typedef struct layer {
    const char *name;
    int gates;
} layer;
enum { LSTM, GRU, RNN, RELU };
static const layer layers[] = {{"lstm", 4}, {"gru", 3}, {"rnn", 1}, {"rnn", 1}};

/* Layer `which` with those of the options that it has. */
static tg_tensor *call_with(int which, tg_model *m, const char *name, tg_tensor *x, tg_nn_lstm_opts o) {
    if (which == LSTM)
        return tg_nn_lstm(m, name, x, HIDDEN, .h = o.h, .c = o.c, .lengths = o.lengths, .h_n = o.h_n,
                          .c_n = o.c_n, .cells = o.cells, .layers = o.layers,
                          .bidirectional = o.bidirectional, .no_bias = o.no_bias, .dropout = o.dropout);
    if (which == GRU)
        return tg_nn_gru(m, name, x, HIDDEN, .h = o.h, .lengths = o.lengths, .h_n = o.h_n, .layers = o.layers,
                         .bidirectional = o.bidirectional, .no_bias = o.no_bias, .dropout = o.dropout);
    return tg_nn_rnn(m, name, x, HIDDEN, .h = o.h, .lengths = o.lengths, .h_n = o.h_n, .layers = o.layers,
                     .bidirectional = o.bidirectional, .no_bias = o.no_bias, .dropout = o.dropout,
                     .relu = which == RELU);
}

static tg_tensor *call(int which, tg_model *m, tg_tensor *x, tg_tensor *h, tg_tensor *c, bool no_bias) {
    return call_with(which, m, "rnn", x, (tg_nn_lstm_opts){.h = h, .c = c, .no_bias = no_bias});
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
    int which = _i % COUNT(layers);
    bool states = _i / COUNT(layers) % 2, bias = _i / COUNT(layers) / 2;
    tg_model *m = tg_model_new(2);
    tg_tensor *x = tg_normal(TG_F64, 0, 1, N, T, IN), *h = NULL, *c = NULL;
    if (states) h = tg_normal(TG_F64, 0, 1, N, HIDDEN), c = tg_normal(TG_F64, 0, 1, N, HIDDEN);
    tg_tensor *y = call(which, m, x, h, c, !bias);
    expect_ok();
    tg_tensor *a = tg_matmul(x, tg_transpose(parameter(m, "rnn.weight_ih_l0"), 0, 1));
    tg_tensor *w = parameter(m, "rnn.weight_hh_l0"), *b = bias ? parameter(m, "rnn.bias_hh_l0") : NULL, *want;
    ck_assert_int_eq(tg_model_count(m), bias ? 4 : 2);
    if (bias) a = tg_add(a, parameter(m, "rnn.bias_ih_l0"));
    if (which == GRU)
        want = tg_gru_scan(a, w, .b = b, .h = h);
    else if (which >= RNN)
        want = tg_rnn_scan(b ? tg_add(a, b) : a, w, .h = h, .relu = which == RELU);
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
    tg_tensor *first = call_with(_i, m, "rnn", x1, (tg_nn_lstm_opts){.cells = _i ? NULL : &cells});
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
    call_with(_i, m, "", tg_zeros(TG_F32, N, T, IN), (tg_nn_lstm_opts){0});
    expect_error(TG_ERR_ARGUMENT, name, "name");
    tg_tensor *x = tg_zeros(TG_F32, N, T, IN), *cells = NULL;
    if (_i == LSTM) tg_nn_lstm(m, "rnn", x, 0, .cells = &cells), ck_assert(tg_is_poison(cells));
    if (_i == GRU) tg_nn_gru(m, "rnn", x, 0);
    if (_i >= RNN) tg_nn_rnn(m, "rnn", x, 0);
    expect_error(TG_ERR_ARGUMENT, name, "0");
    if (_i == LSTM) tg_nn_lstm(m, "rnn", x, INT64_MAX / 2);
    if (_i == GRU) tg_nn_gru(m, "rnn", x, INT64_MAX / 2);
    if (_i >= RNN) tg_nn_rnn(m, "rnn", x, INT64_MAX / 2);
    expect_error(_i >= RNN ? TG_ERR_MEMORY : TG_ERR_SHAPE, name);
    ck_assert_int_eq(tg_model_count(m), 0);
    tg_model_free(m);
}
END_TEST

/* A call with wrong options fails with this status and these words, and leaves neither a parameter nor a result. */
#define REFUSED(status, options, ...) \
    do { \
        tg_tensor *last = NULL; \
        tg_nn_lstm_opts o = options; \
        o.h_n = &last; \
        call_with(_i, m, "rnn", x, o); \
        expect_error(status, layers[_i].name, __VA_ARGS__); \
        ck_assert(tg_is_poison(last)); \
        ck_assert_int_eq(tg_model_count(m), 0); \
    } while (0)
#define OPTIONS(...) ((tg_nn_lstm_opts){__VA_ARGS__})

START_TEST(wrong_options_leave_no_trace) {
    tg_model *m = tg_model_new(1);
    tg_tensor *x = tg_zeros(TG_F32, N, T, IN);
    const int64_t far[N] = {1, 5, 2}, negative[N] = {1, 2, -1};
    REFUSED(TG_ERR_ARGUMENT, OPTIONS(.layers = -1), "-1 layers", "1..100");
    REFUSED(TG_ERR_ARGUMENT, OPTIONS(.layers = 101), "101 layers");
    REFUSED(TG_ERR_ARGUMENT, OPTIONS(.dropout = 1.5), "dropout", "1.5");
    REFUSED(TG_ERR_ARGUMENT, OPTIONS(.dropout = NAN), "dropout", "nan");
    REFUSED(TG_ERR_SHAPE, OPTIONS(.h = tg_zeros(TG_F32, 2, N, HIDDEN)), "h must", "[3, 5]", "[2, 3, 5] f32");
    REFUSED(TG_ERR_SHAPE, OPTIONS(.h = tg_zeros(TG_F32, N, HIDDEN), .layers = 2), "h must", "[2, 3, 5]");
    REFUSED(TG_ERR_SHAPE, OPTIONS(.h = tg_zeros(TG_F32, 2, N, HIDDEN), .layers = 2, .bidirectional = true),
            "h must", "[4, 3, 5]", "[2, 3, 5] f32");
    REFUSED(TG_ERR_DTYPE, OPTIONS(.h = tg_zeros(TG_F64, N, HIDDEN)), "f64");
    REFUSED(TG_ERR_SHAPE, OPTIONS(.lengths = tg_zeros(TG_I64, N, 1)), "lengths must", "[3]", "[3, 1] i64");
    REFUSED(TG_ERR_DTYPE, OPTIONS(.lengths = tg_zeros(TG_F32, N)), "lengths", "[3] f32");
    REFUSED(TG_ERR_ARGUMENT, OPTIONS(.lengths = tg_from(TG_I64, far, N)),
            "length 5 of sample 1 is not in 0..4");
    REFUSED(TG_ERR_ARGUMENT, OPTIONS(.lengths = tg_from(TG_I64, negative, N)), "length -1 of sample 2");
    tg_model_free(m);
}
END_TEST

/* ---- layers, directions, lengths ---- */

/* The state or weight that PyTorch's layer `l` and direction `d` has, in a model with one layer called "rnn". */
static void share_weights(tg_model *from, tg_model *to, int l, int d) {
    static const char *const parts[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    bool was = tg_set_grad_enabled(false);
    for (int i = 0; i < 4; i++) {
        char name[64], single[64];
        snprintf(name, sizeof name, "rnn.%s_l%d%s", parts[i], l, d ? "_reverse" : "");
        snprintf(single, sizeof single, "rnn.%s_l0", parts[i]);
        tg_tensor *w = parameter(from, name);
        tg_copy_(tg_model_param(to, single, tg_dtype_of(w), tg_shape_of(w), (tg_init){0}), w);
    }
    tg_set_grad_enabled(was);
    expect_ok();
}

/* The whole network by layers of one direction and sequences turned round. */
static tg_tensor *by_hand(int which, tg_model *m, tg_tensor *x, int layers_, int directions, tg_tensor *h0,
                          tg_tensor *c0, tg_tensor **h_n, tg_tensor **c_n) {
    tg_tensor *h[8], *c[8];
    for (int l = 0; l < layers_; l++) {
        tg_tensor *y[2];
        for (int d = 0; d < directions; d++) {
            int at = l * directions + d;
            tg_model *one = tg_model_new(1);
            share_weights(m, one, l, d);
            tg_nn_lstm_opts o = {.h = tg_select(h0, 0, at), .c = tg_select(c0, 0, at)};
            tg_tensor *cells = NULL;
            if (which == LSTM) o.cells = &cells;
            y[d] = call_with(which, one, "rnn", d ? tg_flip(x, 1) : x, o);
            h[at] = tg_select(y[d], 1, -1), c[at] = cells ? tg_select(cells, 1, -1) : h[at];
            if (d) y[d] = tg_flip(y[d], 1);
            tg_model_free(one);
        }
        x = directions > 1 ? tg_concat(-1, y[0], y[1]) : y[0];
    }
    *h_n = tg_stack_with(0, layers_ * directions, h), *c_n = tg_stack_with(0, layers_ * directions, c);
    return x;
}

#define EXPECT_SAME(is, want) expect_same(__LINE__, is, want)
static void expect_same(int line, const tg_tensor *is, const tg_tensor *want) {
    expect_ok();
    ck_assert_msg(tg_shape_equal(tg_shape_of(is), tg_shape_of(want)), "line %d", line);
    for (int64_t i = 0; i < tg_numel(want); i++) expect_close_at(line, tg_get(is, i), tg_get(want, i), 1e-13);
}

START_TEST(layers_and_directions_are_layers_of_one) {
    int which = _i % COUNT(layers), count = 1 + _i / COUNT(layers) % 3, directions = 1 + _i / COUNT(layers) / 3;
    tg_model *m = tg_model_new(7);
    tg_tensor *x = tg_normal(TG_F64, 0, 1, N, T, IN), *h_n, *c_n = NULL, *want_h, *want_c;
    tg_tensor *h = tg_normal(TG_F64, 0, 1, count * directions, N, HIDDEN),
              *c = tg_normal(TG_F64, 0, 1, count * directions, N, HIDDEN);
    tg_nn_lstm_opts o = {.h = h, .c = c, .h_n = &h_n, .layers = count, .bidirectional = directions > 1};
    if (which == LSTM) o.c_n = &c_n;
    tg_tensor *y = call_with(which, m, "rnn", x, o);
    expect_ok();
    ck_assert_int_eq(tg_model_count(m), 4 * count * directions);
    tg_tensor *want = by_hand(which, m, x, count, directions, h, c, &want_h, &want_c);
    EXPECT_SAME(y, want);
    EXPECT_SAME(h_n, want_h);
    if (c_n) EXPECT_SAME(c_n, want_c);
    o.h = h_n; /* a final state goes in again */
    if (which == LSTM) o.c = c_n;
    ck_assert(tg_is_alive(call_with(which, m, "rnn", x, o)));
    expect_ok();
    tg_model_free(m);
}
END_TEST

/* Padding of NaN: each sample is what it is alone, and nothing of the padding reaches a gradient. */
START_TEST(a_sequence_ends_at_its_length) {
    enum { SAMPLES = 4, STEPS = 5, COUNT_ = 2 };
    static const int32_t lengths[SAMPLES] = {3, 5, 0, 1};
    int which = _i % COUNT(layers), directions = 1 + _i / COUNT(layers);
    tg_model *m = tg_model_new(8);
    tg_tensor *x = tg_normal(TG_F64, 0, 1, SAMPLES, STEPS, IN), *h_n, *c_n = NULL, *cells = NULL;
    for (int64_t i = 0; i < tg_numel(x); i++)
        if (i / IN % STEPS >= lengths[i / IN / STEPS]) tg_array_set(tg_array_of(x), i, NAN);
    tg_set_requires_grad(x, true);
    tg_tensor *h = tg_normal(TG_F64, 0, 1, COUNT_ * directions, SAMPLES, HIDDEN),
              *c = tg_normal(TG_F64, 0, 1, COUNT_ * directions, SAMPLES, HIDDEN);
    tg_nn_lstm_opts o = {.h = h, .c = c, .h_n = &h_n, .layers = COUNT_, .bidirectional = directions > 1};
    o.lengths = tg_from(TG_I32, lengths, SAMPLES);
    if (which == LSTM) o.c_n = &c_n, o.cells = &cells;
    tg_tensor *y = call_with(which, m, "rnn", x, o), *alone = NULL;
    expect_ok();
    for (int s = 0; s < SAMPLES; s++) {
        tg_tensor *xs = tg_narrow(tg_narrow(x, 0, s, 1), 1, 0, lengths[s]), *hs, *cs = NULL, *cells_s = NULL;
        tg_nn_lstm_opts os = o;
        os.lengths = NULL, os.h_n = &hs, os.h = tg_narrow(h, 1, s, 1), os.c = tg_narrow(c, 1, s, 1);
        if (which == LSTM) os.c_n = &cs, os.cells = &cells_s;
        tg_tensor *ys = call_with(which, m, "rnn", xs, os);
        EXPECT_SAME(tg_narrow(tg_narrow(y, 0, s, 1), 1, 0, lengths[s]), ys);
        EXPECT_SAME(tg_narrow(h_n, 1, s, 1), hs);
        if (cs) EXPECT_SAME(tg_narrow(c_n, 1, s, 1), cs);
        if (cs) EXPECT_SAME(tg_narrow(tg_narrow(cells, 0, s, 1), 1, 0, lengths[s]), cells_s);
        tg_tensor *behind = tg_narrow(tg_narrow(y, 0, s, 1), 1, lengths[s], STEPS - lengths[s]);
        for (int64_t i = 0; i < tg_numel(behind); i++) ck_assert(tg_get(behind, i) == 0);
        tg_tensor *part = tg_add(tg_sum(tg_square(ys)), tg_sum(tg_square(hs)));
        alone = alone ? tg_add(alone, part) : part;
    }
    tg_tensor *loss = tg_add(tg_sum(tg_square(y)), tg_sum(tg_square(h_n))), *g[2], *want[2];
    tg_tensor *of[2] = {x, parameter(m, directions > 1 ? "rnn.weight_hh_l1_reverse" : "rnn.weight_hh_l1")};
    ck_assert_msg(tg_grad(1, &loss, 2, of, g) == TG_OK, "%s", tg_error_message());
    ck_assert_int_eq(tg_grad(1, &alone, 2, of, want), TG_OK);
    for (int i = 0; i < 2; i++) EXPECT_SAME(g[i], want[i]);
    tg_model_free(m);
}
END_TEST

/* What runs on behind the end of a sequence overflows, and no gradient notices. */
START_TEST(relu_stops_at_the_end) {
    const int64_t lengths[2] = {2, 700};
    tg_model *m = tg_model_new(1);
    tg_tensor *x = tg_zeros(TG_F32, 2, 700, 1), *y;
    tg_array_set(tg_array_of(x), 0, 1);
    tg_model_param(m, "rnn.weight_ih_l0", TG_F32, TG_SHAPE(1, 1), tg_init_ones());
    tg_tensor *w = tg_model_param(m, "rnn.weight_hh_l0", TG_F32, TG_SHAPE(1, 1), tg_init_ones());
    bool was = tg_set_grad_enabled(false);
    tg_mul_(w, tg_scalar(TG_F32, 2));
    tg_set_grad_enabled(was);
    y = tg_nn_rnn(m, "rnn", x, 1, .relu = true, .no_bias = true, .lengths = tg_from(TG_I64, lengths, 2));
    ck_assert_int_eq(tg_backward(tg_sum(y)), TG_OK);
    ck_assert(tg_get(y, 1) == 2 && tg_get(y, 2) == 0 && tg_get(tg_grad_of(w), 0) == 1);
    expect_ok();
    tg_model_free(m);
}
END_TEST

/* Between layers alone, and in training alone. */
START_TEST(dropout_is_between_layers) {
    tg_model *m = tg_model_new(9);
    tg_tensor *x = tg_normal(TG_F64, 0, 1, N, T, IN);
    tg_nn_lstm_opts two = {.layers = 2}, dropped = {.layers = 2, .dropout = 1};
    tg_tensor *plain = call_with(_i, m, "rnn", x, two), *none = call_with(_i, m, "rnn", x, dropped);
    tg_tensor *other = call_with(_i, m, "rnn", tg_neg(x), dropped);
    EXPECT_SAME(other, none); /* the top layer sees zeros, whatever x is */
    ck_assert(tg_item(tg_sum(plain)) != tg_item(tg_sum(none)));
    tg_model_set_training(m, false);
    EXPECT_SAME(call_with(_i, m, "rnn", x, dropped), plain);
    tg_model_set_training(m, true);
    tg_nn_lstm_opts one = {.dropout = 1};
    tg_tensor *y = call_with(_i, m, "rnn", x, one);
    tg_tensor *again = call_with(_i, m, "rnn", x, (tg_nn_lstm_opts){0});
    EXPECT_SAME(y, again);
    tg_model_free(m);
}
END_TEST

/* Of no step the last state is the first. */
START_TEST(of_no_step_the_state_stays) {
    tg_model *m = tg_model_new(9);
    tg_tensor *x = tg_zeros(TG_F32, N, 0, IN), *h = tg_normal(TG_F32, 0, 1, 4, N, HIDDEN), *h_n;
    tg_nn_lstm_opts o = {.h = h, .h_n = &h_n, .layers = 2, .bidirectional = true};
    for (int lengths = 0; lengths < 2; lengths++) {
        if (lengths) o.lengths = tg_zeros(TG_I64, N);
        tg_tensor *y = call_with(_i, m, "rnn", x, o);
        EXPECT_SAME(h_n, h);
        ck_assert(tg_shape_equal(tg_shape_of(y), TG_SHAPE(N, 0, 2 * HIDDEN)));
    }
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
    int32_t lengths[N] = {T, 1, 2};
    tg_tensor *h_n;
    tg_nn_lstm_opts o = {.layers = 2, .bidirectional = true, .h_n = &h_n};
    if (c->which >= COUNT(layers)) o.lengths = tg_from(TG_I32, lengths, N);
    tg_tensor *y = c->which < COUNT(layers) ? call(c->which, c->model, c->x, NULL, NULL, false)
                                            : call_with(c->which % COUNT(layers), c->model, "rnn", c->x, o);
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
    for (int step = 0; step < (_i == RELU ? 240 : 120); step++) {
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
    tcase_add_loop_test(t, parameters_are_those_of_pytorch, 0, COUNT(layers));
    tcase_add_loop_test(t, layers_are_products_and_a_scan, 0, 4 * COUNT(layers));
    tcase_add_loop_test(t, states_carry_over, 0, COUNT(layers));
    tcase_add_loop_test(t, wrong_inputs_leave_no_trace, 0, COUNT(layers));
    tcase_add_loop_test(t, every_allocation_may_fail, 0, 2 * COUNT(layers));
    tcase_add_loop_test(t, layers_learn_to_remember, 0, COUNT(layers));
    tcase_add_loop_test(t, wrong_options_leave_no_trace, 0, COUNT(layers));
    tcase_add_loop_test(t, layers_and_directions_are_layers_of_one, 0, 6 * COUNT(layers));
    tcase_add_loop_test(t, a_sequence_ends_at_its_length, 0, 2 * COUNT(layers));
    tcase_add_test(t, relu_stops_at_the_end);
    tcase_add_loop_test(t, dropout_is_between_layers, 0, COUNT(layers));
    tcase_add_loop_test(t, of_no_step_the_state_stays, 0, COUNT(layers));
    return t;
}
