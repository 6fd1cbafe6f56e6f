/* Recurrent layers: functions of (model, name, sequence, hidden size, options). x is [n, t, in], samples first, of f32 or
 * f64; the result y is the hidden state after each step, [n, t, hidden], and tg_select(y, 1, -1) the last state.
 * Parameters have PyTorch's names, shapes and order of gates, and start as there, uniform in
 * +-1 / sqrt(hidden).
 *
 *     y = tg_nn_lstm(m, "rnn", x, 128);
 *     y = tg_nn_gru(m, "rnn", x, 128, .h = previous);
 *     y = tg_nn_lstm(m, "rnn", x, 128, .layers = 2, .bidirectional = true, .lengths = lengths, .h_n = &last);
 *
 * What all of them take (torch.nn.RNN, LSTM and GRU with batch_first):
 *   layers         one upon the other, 1 where left out, at most 100; each reads the y of the one below
 *   bidirectional  each layer has a second set of weights, _reverse, that reads the sequence from its end; y is
 *                  [n, t, 2 hidden], the states of both directions at each step
 *   dropout        of the y between layers while the model is in training (tg_nn_dropout)
 *   h              the first states [layers * directions, n, hidden], layer by layer, forward before backward; or
 *                  [n, hidden] where that is one; zeros where left out
 *   h_n            where not NULL: receives the states after the last step [layers * directions, n, hidden], which
 *                  go in again as h
 *   lengths        i64 or i32 [n], each from 0 to t: sample i ends after lengths[i] steps, as in a packed sequence. Steps from
 *                  there on are not read, whatever they hold, and y is 0 there; h_n is the state at that length, and the
 *                  backward direction starts there
 *   no_bias        without bias_ih and bias_hh
 *   init           of all weights, and init_bias of all biases, in place of the above
 * Errors: TG_ERR_SHAPE (x, a state, lengths), TG_ERR_DTYPE, TG_ERR_ARGUMENT (a length that is none, layers, dropout). */
#ifndef TG_OPS_NN_RECURRENT_H
#define TG_OPS_NN_RECURRENT_H

#include "ops/nn/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* torch.nn.RNN(in, hidden): at each step
 *     h = tanh(x W_ih^T + b_ih + h W_hh^T + b_hh), or with relu max(.., 0) in place of tanh
 * with name.weight_ih_l0 [hidden, in], name.weight_hh_l0 [hidden, hidden], name.bias_ih_l0 and name.bias_hh_l0 [hidden]; of
 * layer k they end in _lk, and of the backward direction in _lk_reverse. A layer k > 0 has [hidden, directions * hidden] in
 * weight_ih_lk. */
typedef struct tg_nn_rnn_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *h, *lengths;
    tg_tensor **h_n;
    int layers;
    bool bidirectional, no_bias, relu;
    double dropout;
    tg_init init, init_bias;
} tg_nn_rnn_opts;
TG_API tg_tensor *tg_nn_rnn_with(tg_model *model, const char *name, tg_tensor *x, int64_t hidden,
                                 tg_nn_rnn_opts opts);

/* torch.nn.LSTM(in, hidden): at each step
 *     a = x W_ih^T + b_ih + h W_hh^T + b_hh     h, c = lstm_cell(a, c)     (ops/recurrent/recurrent.h)
 * with 4 hidden rows in each parameter. c and c_n are of the cells what h and h_n are of the states; *cells receives the top
 * layer's c after each step, [n, t, directions * hidden]. */
typedef struct tg_nn_lstm_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *h, *c, *lengths;
    tg_tensor **cells, **h_n, **c_n;
    int layers;
    bool bidirectional, no_bias;
    double dropout;
    tg_init init, init_bias;
} tg_nn_lstm_opts;
TG_API tg_tensor *tg_nn_lstm_with(tg_model *model, const char *name, tg_tensor *x, int64_t hidden,
                                  tg_nn_lstm_opts opts);

/* torch.nn.GRU(in, hidden): h = gru_cell(x W_ih^T + b_ih, h W_hh^T + b_hh, h), with 3 hidden rows in each parameter. */
typedef struct tg_nn_gru_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *h, *lengths;
    tg_tensor **h_n;
    int layers;
    bool bidirectional, no_bias;
    double dropout;
    tg_init init, init_bias;
} tg_nn_gru_opts;
TG_API tg_tensor *tg_nn_gru_with(tg_model *model, const char *name, tg_tensor *x, int64_t hidden,
                                 tg_nn_gru_opts opts);

#ifdef __cplusplus
}
#endif

#endif
