/* Recurrent layers: functions of (model, name, sequence, hidden size, options). x is [n, t, in], samples first, of f32 or
 * f64; the result y is the hidden state after each step, [n, t, hidden], and tg_select(y, 1, -1) the last state.
 * Parameters have PyTorch's names, shapes and order of gates, and start as there, uniform in
 * +-1 / sqrt(hidden).
 *
 *     y = tg_nn_lstm(m, "rnn", x, 128);
 *     y = tg_nn_gru(m, "rnn", x, 128, .h = previous);
 *
 * Layers stack by name: tg_nn_lstm(m, "l1", tg_nn_lstm(m, "l0", x, 128), 128). A tg_flip(x, 1) before and after makes one
 * run backwards in time. */
#ifndef TG_OPS_NN_RECURRENT_H
#define TG_OPS_NN_RECURRENT_H

#include "ops/nn/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* torch.nn.LSTM(in, hidden, batch_first=True): at each step
 *     a = x W_ih^T + b_ih + h W_hh^T + b_hh     h, c = lstm_cell(a, c)     (ops/recurrent/recurrent.h)
 * with name.weight_ih_l0 [4 hidden, in], name.weight_hh_l0 [4 hidden, hidden], name.bias_ih_l0 and
 * name.bias_hh_l0 [4 hidden]. h and c [n, hidden] are the initial states, zeros where left out; *cells receives c after each
 * step, [n, t, hidden]. */
typedef struct tg_nn_lstm_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *h, *c;
    tg_tensor **cells;
    bool no_bias;
    tg_init init, init_bias; /* of both weights, and of both biases */
} tg_nn_lstm_opts;
TG_API tg_tensor *tg_nn_lstm_with(tg_model *model, const char *name, tg_tensor *x, int64_t hidden,
                                  tg_nn_lstm_opts opts);

/* torch.nn.GRU(in, hidden, batch_first=True): h = gru_cell(x W_ih^T + b_ih, h W_hh^T + b_hh, h), with the same
 * names and 3 in place of 4. */
typedef struct tg_nn_gru_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *h;
    bool no_bias;
    tg_init init, init_bias;
} tg_nn_gru_opts;
TG_API tg_tensor *tg_nn_gru_with(tg_model *model, const char *name, tg_tensor *x, int64_t hidden,
                                 tg_nn_gru_opts opts);

#ifdef __cplusplus
}
#endif

#endif
