"""Golden cases of the recurrent ops, from torch.nn.LSTM, LSTMCell, GRU, GRUCell and RNN.

Ours take pre-activations. So the modules' input weight is the identity, and the biases that ours do not have are zero.
"""

import torch

from make_golden import CALLS, emit, floats, rng, write


SEQUENCES = (torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN)


def module(kind, size, hidden, w, b=None, **more):
    """A torch.nn module whose input is the pre-activation of the gates."""
    m = kind(size, hidden, **({"batch_first": True} if kind in SEQUENCES else {}), **more).double()
    suffix = "_l0" if kind in SEQUENCES else ""
    zero = torch.zeros(size, dtype=torch.float64)
    values = {"weight_ih": torch.eye(size, dtype=torch.float64), "weight_hh": w, "bias_ih": zero,
              "bias_hh": zero if b is None else b}
    return lambda *x: torch.func.functional_call(m, {k + suffix: v for k, v in values.items()}, x)


def zeros(a, h):
    return torch.zeros(a.shape[0], h, dtype=torch.float64)


def lstm_cell(a, c, joined):
    """The product with the hidden state is part of the pre-activation: a state of zeros and any weight."""
    h = c.shape[1]
    m = module(torch.nn.LSTMCell, 4 * h, h, torch.zeros(4 * h, h, dtype=torch.float64))
    y, cell = m(a, (zeros(a, h), c))
    i, f, g, o = a.chunk(4, 1)
    gates = torch.cat([i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()], 1)
    return torch.cat([y, cell, gates], 1) if joined else y


def lstm_scan(a, w, h=None, c=None, cells=False):
    n = w.shape[1]
    h, c = zeros(a, n) if h is None else h, zeros(a, n) if c is None else c
    if not cells:
        return module(torch.nn.LSTM, 4 * n, n, w)(a, (h[None], c[None]))[0]
    cell, out = module(torch.nn.LSTMCell, 4 * n, n, w), []
    for t in range(a.shape[1]):
        h, c = cell(a[:, t], (h, c))
        out.append(c)
    return torch.stack(out, 1)


def gru_cell(a, s, h):
    """s comes in as the bias of a state of zeros, sample by sample; the state itself is then mixed in."""
    n = h.shape[1]
    one = torch.zeros(3 * n, n, dtype=torch.float64)
    rows = []
    for i in range(a.shape[0]):
        y = module(torch.nn.GRUCell, 3 * n, n, one, s[i])(a[i : i + 1], torch.zeros(1, n, dtype=torch.float64))
        z = torch.sigmoid(a[i : i + 1, n : 2 * n] + s[i : i + 1, n : 2 * n])
        rows.append(y + z * h[i : i + 1])
    return torch.cat(rows)


def gru_scan(a, w, b=None, h=None):
    n = w.shape[1]
    return module(torch.nn.GRU, 3 * n, n, w, b)(a, (zeros(a, n) if h is None else h)[None])[0]


def rnn_scan(a, w, n, h=None):
    size = w.shape[1]
    m = module(torch.nn.RNN, size, size, w, nonlinearity="relu" if n[0] else "tanh")
    return m(a, (zeros(a, size) if h is None else h)[None])[0]


CALLS.update({
    "lstm_cell": lambda a, c, n: lstm_cell(a, c, False),
    "lstm_cell_all": lambda a, c, n: lstm_cell(a, c, True),
    "lstm_scan": lambda a, w, n: lstm_scan(a, w),
    "lstm_scan_cells": lambda a, w, c, n: lstm_scan(a, w, None, c, True),
    "gru_cell": lambda a, s, h, n: gru_cell(a, s, h),
    "gru_scan": lambda a, w, n: gru_scan(a, w),
    "gru_scan_states": lambda a, w, b, h, n: gru_scan(a, w, b, h),
    "rnn_scan": lambda a, w, n: rnn_scan(a, w, n),
    "rnn_scan_state": lambda a, w, h, n: rnn_scan(a, w, n, h),
})

SIZES = [(2, 3, 2), (1, 1, 1), (3, 2, 5), (2, 4, 17)]  # rows, steps, hidden


def recurrent():
    for n, t, h in SIZES:
        emit("lstm_cell", [floats((n, 4 * h)), floats((n, h))])
        emit("lstm_cell_all", [floats((n, 4 * h), -20, 20), floats((n, h), -20, 20)])
        emit("lstm_scan", [floats((n, t, 4 * h)), floats((4 * h, h))])
        emit("lstm_scan_cells", [floats((n, t, 4 * h)), floats((4 * h, h)), floats((n, h))])
        emit("gru_cell", [floats((n, 3 * h)), floats((n, 3 * h)), floats((n, h))])
        emit("gru_scan", [floats((n, t, 3 * h)), floats((3 * h, h))])
        emit("gru_scan_states", [floats((n, t, 3 * h)), floats((3 * h, h)), floats((3 * h,)), floats((n, h))])
    for n, t, h in SIZES:
        for relu in (0, 1):
            emit("rnn_scan", [floats((n, t, h)), floats((h, h), -0.5, 0.5)], [relu])
            emit("rnn_scan_state", [floats((n, t, h)), floats((h, h), -0.5, 0.5), floats((n, h))], [relu])


def main():
    write("recurrent", ("recurrent", recurrent))
