/* Recurrent cells, and whole sequences as one op, of f32 or f64. Their input is pre-activations, so that the part that
 * does not recur, the product of all steps' inputs with their weight, is one matrix product before. Gates lie side
 * by side in the last axis, in PyTorch's order; ops/nn/layers/recurrent.h has the layers. Gradients are right also where gates
 * have rounded to 1 or -1. */
#ifndef TG_OPS_RECURRENT_RECURRENT_H
#define TG_OPS_RECURRENT_RECURRENT_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000). With
 * a = (a_i, a_f, a_g, a_o) [n, 4h] and the cell c [n, h]:
 *     i = sigmoid(a_i)   f = sigmoid(a_f)   g = tanh(a_g)   o = sigmoid(a_o)
 *     c' = f c + i g     h' = o tanh(c')
 * Returns h'; the options take c' and the gates (i, f, g, o) [n, 4h], all differentiable. a is
 * x W_ih^T + h W_hh^T + b in torch.nn.LSTMCell. Other shapes are TG_ERR_SHAPE. */
typedef struct tg_lstm_cell_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor **cell, **gates;
} tg_lstm_cell_opts;
TG_API tg_tensor *tg_lstm_cell_with(tg_tensor *a, tg_tensor *c, tg_lstm_cell_opts opts);

/* t steps of an LSTM: step k applies the cell to a[:, k] + h w^T, for a [n, t, 4h] and the weight w [4h, h], starting from
 * the state h and the cell c [n, h], or from zeros. Returns h after each step [n, t, h]; the options take the cells
 * [n, t, h] and the gates [n, t, 4h]. (torch.nn.LSTM with batch_first, where a = x W_ih^T + b_ih + b_hh.) */
typedef struct tg_lstm_scan_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *h, *c;
    tg_tensor **cells, **gates;
} tg_lstm_scan_opts;
TG_API tg_tensor *tg_lstm_scan_with(tg_tensor *a, tg_tensor *w, tg_lstm_scan_opts opts);

/* t steps of a plain recurrent network (Elman 1990): step k makes h = tanh(a[:, k] + h w^T), or relu of it, for a [n, t, h],
 * w [h, h] and the first state h [n, h] or zeros. Returns h after each step [n, t, h]. (torch.nn.RNN with batch_first, where
 * a = x W_ih^T + b_ih + b_hh.) The cell is tg_tanh or tg_relu itself, and relu'(0) is 0. */
typedef struct tg_rnn_scan_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *h;
    bool relu;
} tg_rnn_scan_opts;
TG_API tg_tensor *tg_rnn_scan_with(tg_tensor *a, tg_tensor *w, tg_rnn_scan_opts opts);

/* Gated recurrent unit (Cho et al. 2014, with the reset after the product, as torch.nn.GRUCell). With
 * a = x W_ih^T + b_ih, s = h W_hh^T + b_hh, both [n, 3h] in the order r, z, n, and the state h [n, h]:
 *     r = sigmoid(a_r + s_r)   z = sigmoid(a_z + s_z)   n = tanh(a_n + r s_n)   h' = (1 - z) n + z h
 * Returns h'; the option takes (r, z, n, s_n) [n, 4h]. */
typedef struct tg_gru_cell_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor **gates;
} tg_gru_cell_opts;
TG_API tg_tensor *tg_gru_cell_with(tg_tensor *a, tg_tensor *s, tg_tensor *h, tg_gru_cell_opts opts);

/* t steps of a GRU, with s = h w^T + b at each, for a [n, t, 3h], w [3h, h], b [3h] or zeros, and the first state h
 * [n, h] or zeros. Returns h after each step [n, t, h]; the option takes the gates [n, t, 4h]. (torch.nn.GRU
 * with batch_first.) */
typedef struct tg_gru_scan_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *b, *h;
    tg_tensor **gates;
} tg_gru_scan_opts;
TG_API tg_tensor *tg_gru_scan_with(tg_tensor *a, tg_tensor *w, tg_gru_scan_opts opts);

#ifdef __cplusplus
}
#endif

#endif
