/* The recurrent ops against what they stand for, written out in other ops; and what rows cannot say. */
#include "tests/ops/harness.h"

#include <math.h>

enum { INPUTS = 4 };
typedef tg_tensor *sequence_fn(tg_tensor *const *in);

/* Gate k of a. */
static tg_tensor *gate(tg_tensor *a, int64_t h, int k) { return tg_slice(a, -1, k * h, (k + 1) * h, 1); }

static tg_tensor *at(tg_tensor *x, int64_t t) { return tg_select(x, 1, t); }

static tg_tensor *join(tg_tensor *all, tg_tensor *h) {
    h = tg_unsqueeze(h, 1);
    return all ? tg_concat(1, all, h) : h;
}

/* in: a [n, t, 4h], w [4h, h], h0, c0 [n, h] */
static tg_tensor *lstm_by_hand(tg_tensor *const *in) {
    tg_tensor *h = in[2], *c = in[3], *all = NULL;
    int64_t size = tg_size(in[1], 1);
    for (int64_t t = 0; t < tg_size(in[0], 1); t++) {
        tg_tensor *a = tg_add(at(in[0], t), tg_matmul(h, tg_transpose(in[1], 0, 1)));
        c = tg_add(tg_mul(tg_sigmoid(gate(a, size, 1)), c),
                   tg_mul(tg_sigmoid(gate(a, size, 0)), tg_tanh(gate(a, size, 2))));
        h = tg_mul(tg_sigmoid(gate(a, size, 3)), tg_tanh(c));
        all = join(all, h);
    }
    return all;
}
static tg_tensor *lstm_as_op(tg_tensor *const *in) {
    return tg_lstm_scan(in[0], in[1], .h = in[2], .c = in[3]);
}
static tg_tensor *lstm_by_cells(tg_tensor *const *in) {
    tg_tensor *h = in[2], *c = in[3], *all = NULL;
    for (int64_t t = 0; t < tg_size(in[0], 1); t++) {
        h = tg_lstm_cell(tg_add(at(in[0], t), tg_matmul(h, tg_transpose(in[1], 0, 1))), c, .cell = &c);
        all = join(all, h);
    }
    return all;
}

/* in: a [n, t, 3h], w [3h, h], b [3h], h0 [n, h] */
static tg_tensor *gru_by_hand(tg_tensor *const *in) {
    tg_tensor *h = in[3], *all = NULL;
    int64_t size = tg_size(in[1], 1);
    for (int64_t t = 0; t < tg_size(in[0], 1); t++) {
        tg_tensor *a = at(in[0], t), *s = tg_add(tg_matmul(h, tg_transpose(in[1], 0, 1)), in[2]);
        tg_tensor *r = tg_sigmoid(tg_add(gate(a, size, 0), gate(s, size, 0)));
        tg_tensor *z = tg_sigmoid(tg_add(gate(a, size, 1), gate(s, size, 1)));
        tg_tensor *n = tg_tanh(tg_add(gate(a, size, 2), tg_mul(r, gate(s, size, 2))));
        h = tg_add(tg_mul(tg_affine(z, -1, 1), n), tg_mul(z, h));
        all = join(all, h);
    }
    return all;
}
static tg_tensor *gru_as_op(tg_tensor *const *in) {
    return tg_gru_scan(in[0], in[1], .b = in[2], .h = in[3]);
}
static tg_tensor *gru_by_cells(tg_tensor *const *in) {
    tg_tensor *h = in[3], *all = NULL;
    for (int64_t t = 0; t < tg_size(in[0], 1); t++) {
        tg_tensor *s = tg_add(tg_matmul(h, tg_transpose(in[1], 0, 1)), in[2]);
        h = tg_gru_cell(at(in[0], t), s, h);
        all = join(all, h);
    }
    return all;
}

/* in: a [n, t, h], w [h, h], a number for each of a that is added to it, h0 [n, h] */
static tg_tensor *rnn_by_hand(tg_tensor *const *in, bool relu) {
    tg_tensor *h = in[3], *all = NULL, *a = tg_add(in[0], in[2]);
    for (int64_t t = 0; t < tg_size(a, 1); t++) {
        h = tg_add(at(a, t), tg_matmul(h, tg_transpose(in[1], 0, 1)));
        h = relu ? tg_relu(h) : tg_tanh(h);
        all = join(all, h);
    }
    return all;
}
static tg_tensor *rnn_of_relu_by_hand(tg_tensor *const *in) { return rnn_by_hand(in, true); }
static tg_tensor *rnn_of_tanh_by_hand(tg_tensor *const *in) { return rnn_by_hand(in, false); }
static tg_tensor *rnn_of_relu_as_op(tg_tensor *const *in) {
    return tg_rnn_scan(tg_add(in[0], in[2]), in[1], .h = in[3], .relu = true);
}
static tg_tensor *rnn_as_op(tg_tensor *const *in) {
    return tg_rnn_scan(tg_add(in[0], in[2]), in[1], .h = in[3]);
}

/* The gates of a cell: its pre-activations are so many times its hidden state. */
enum { RNN = 1, GRU = 3, LSTM = 4 };

static const struct oracle {
    const char *name;
    sequence_fn *is, *want;
    int gates;
} oracles[] = {
    {"lstm_scan", lstm_as_op, lstm_by_hand, LSTM},
    {"lstm_cell", lstm_by_cells, lstm_by_hand, LSTM},
    {"gru_scan", gru_as_op, gru_by_hand, GRU},
    {"gru_cell", gru_by_cells, gru_by_hand, GRU},
    {"rnn_scan of tanh", rnn_as_op, rnn_of_tanh_by_hand, RNN},
    {"rnn_scan of relu", rnn_of_relu_as_op, rnn_of_relu_by_hand, RNN},
};

/* The sequence ops, as the loop tests number them. */
static const struct {
    sequence_fn *as_op;
    int gates;
} scans[] = {{lstm_as_op, LSTM}, {gru_as_op, GRU}, {rnn_as_op, RNN}};

static void make_inputs(int of, tg_dtype f, int64_t n, int64_t t, int64_t h, tg_tensor **in) {
    int64_t gates = of * h;
    tg_seed(7);
    in[0] = tg_uniform(f, -2, 2, n, t, gates);
    in[1] = tg_uniform(f, -0.5, 0.5, gates, h);
    in[2] = of < LSTM ? tg_uniform(f, -1, 1, gates) : tg_uniform(f, -1, 1, n, h);
    in[3] = tg_uniform(f, -1, 1, n, h);
    for (int i = 0; i < INPUTS; i++) tg_set_requires_grad(in[i], true);
}

static void expect_equal(const char *what, const tg_tensor *is, const tg_tensor *want, double tolerance) {
    ck_assert_msg(tg_error_status() == TG_OK, "%s: %s", what, tg_error_message());
    for (int64_t i = 0; i < tg_numel(want); i++)
        ck_assert_msg(fabs(tg_get(is, i) - tg_get(want, i)) <= tolerance * fmax(1, fabs(tg_get(want, i))),
                      "%s: element %lld is %.17g, not %.17g", what, (long long)i, tg_get(is, i),
                      tg_get(want, i));
}

/* Value, gradient, and the gradient of a sum of gradients, which passes through every second derivative. */
START_TEST(ops_are_their_compositions) {
    static const int64_t sizes[][3] = {{3, 4, 5}, {1, 1, 1}, {18, 3, 17}, {2, 6, 3}};
    const struct oracle *o = &oracles[_i];
    for (int k = 0; k < COUNT(sizes); k++) {
        tg_mark mark = tg_tape_mark();
        tg_tensor *in[INPUTS], *y[2], *g[2][INPUTS], *gg[2][INPUTS];
        make_inputs(o->gates, TG_F64, sizes[k][0], sizes[k][1], sizes[k][2], in);
        tg_tensor *seed = tg_uniform_with(TG_F64, -1, 1, TG_SHAPE(sizes[k][0], sizes[k][1], sizes[k][2]));
        for (int i = 0; i < 2; i++) {
            y[i] = (i ? o->want : o->is)(in);
            tg_tensor *dot = tg_sum(tg_mul(y[i], seed));
            tg_grad(1, &dot, INPUTS, in, g[i], .create_graph = true);
            tg_tensor *sum = NULL;
            for (int p = 0; p < INPUTS; p++) {
                tg_tensor *term = tg_sum(tg_square(g[i][p]));
                sum = sum ? tg_add(sum, term) : term;
            }
            tg_grad(1, &sum, INPUTS, in, gg[i], .allow_unused = true); /* relu of one step has none */
        }
        expect_equal(o->name, y[0], y[1], 1e-13);
        for (int p = 0; p < INPUTS; p++) expect_equal(o->name, g[0][p], g[1][p], 1e-12);
        for (int p = 0; p < INPUTS; p++) expect_equal(o->name, gg[0][p], gg[1][p], 1e-11);
        tg_tape_rewind(mark);
    }
}
END_TEST

/* Blocks of rows must not change a bit: one thread against four. */
START_TEST(sequences_are_the_same_on_any_threads) {
    tg_tensor *in[INPUTS], *y[2], *g[2][INPUTS];
    make_inputs(scans[_i].gates, TG_F32, 70, 5, 33, in);
    int was = tg_set_num_threads(1);
    for (int i = 0; i < 2; i++) {
        tg_set_num_threads(i ? 4 : 1);
        y[i] = scans[_i].as_op(in);
        tg_tensor *loss = tg_sum(tg_square(y[i]));
        ck_assert_int_eq(tg_grad(1, &loss, INPUTS, in, g[i]), TG_OK);
    }
    tg_set_num_threads(was);
    expect_equal("value", y[0], y[1], 0);
    for (int p = 0; p < INPUTS; p++) expect_equal("gradient", g[0][p], g[1][p], 0);
}
END_TEST

/* A weight used by two sequences: the second product is added to the first. */
START_TEST(weight_gradients_add_up) {
    tg_tensor *in[INPUTS];
    make_inputs(scans[_i].gates, TG_F64, 3, 4, 2, in);
    sequence_fn *f = scans[_i].as_op;
    tg_tensor *once = tg_sum(f(in)), *twice = tg_add(tg_sum(f(in)), tg_mul_scalar(tg_sum(f(in)), 2)), *g, *g3;
    tg_grad(1, &once, 1, &in[1], &g);
    tg_grad(1, &twice, 1, &in[1], &g3);
    expect_equal("weight", g3, tg_mul_scalar(g, 3), 1e-14);
}
END_TEST

/* Sequences of no step, of no row and of no hidden unit have empty or zero gradients. */
START_TEST(nothing_is_a_sequence_too) {
    static const int64_t sizes[][3] = {{2, 0, 3}, {0, 2, 3}, {2, 3, 0}};
    for (int k = 0; k < COUNT(sizes); k++) {
        tg_tensor *in[INPUTS], *g[INPUTS];
        make_inputs(scans[_i].gates, TG_F32, sizes[k][0], sizes[k][1], sizes[k][2], in);
        tg_tensor *y = scans[_i].as_op(in), *loss = tg_sum(y);
        ck_assert_int_eq(tg_numel(y), 0);
        ck_assert_msg(tg_grad(1, &loss, INPUTS, in, g) == TG_OK, "%s", tg_error_message());
        for (int p = 0; p < INPUTS; p++)
            for (int64_t i = 0; i < tg_numel(g[p]); i++) ck_assert_double_eq(tg_get(g[p], i), 0);
    }
}
END_TEST

/* The cell, then the sequence: whichever allocation fails, there is neither a result nor gates. */
START_TEST(gates_fail_with_the_result) {
    tg_tensor *in[INPUTS], *s = tg_uniform(TG_F64, -1, 1, 2, 9), *a = tg_uniform(TG_F64, -1, 1, 2, 9);
    make_inputs(GRU, TG_F64, 2, 4, 3, in);
    bool failed = true;
    for (int64_t n = 1; failed; n++) {
        tg_mark mark = tg_tape_mark();
        tg_tensor *gates = NULL;
        tg_memory_fail_at(n);
        tg_tensor *y = _i ? tg_gru_scan(in[0], in[1], .b = in[2], .h = in[3], .gates = &gates)
                          : tg_gru_cell(a, s, in[3], .gates = &gates);
        tg_memory_fail_at(-1);
        failed = tg_error_status() != TG_OK;
        ck_assert_int_eq(tg_is_poison(y), failed);
        ck_assert_int_eq(tg_is_poison(gates), failed);
        tg_error_clear();
        tg_tape_rewind(mark);
        ck_assert_int_lt(n, 1000);
    }
}
END_TEST

static void clear(void) {
    tg_memory_fail_at(-1);
    tg_error_clear();
}

TCase *tcase_recurrent(void) {
    TCase *t = tcase_create("recurrent");
    tcase_add_checked_fixture(t, clear, clear);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, ops_are_their_compositions, 0, COUNT(oracles));
    tcase_add_loop_test(t, sequences_are_the_same_on_any_threads, 0, COUNT(scans));
    tcase_add_loop_test(t, weight_gradients_add_up, 0, COUNT(scans));
    tcase_add_loop_test(t, nothing_is_a_sequence_too, 0, COUNT(scans));
    tcase_add_loop_test(t, gates_fail_with_the_result, 0, 2);
    return t;
}
