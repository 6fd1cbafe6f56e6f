"""Golden cases of softmax and cross-entropy."""

import math

import torch

from make_golden import CALLS, emit, floats, ints, values, write

CALLS.update({
    "softmax": lambda x, a: torch.softmax(x, int(a[0])),
    "log_softmax": lambda x, a: torch.log_softmax(x, int(a[0])),
    "softmax_cross_entropy": lambda x, c, a: torch.nn.functional.cross_entropy(
        x.movedim(-1, min(1, x.dim() - 1)), c.to(torch.int64), reduction="none"
    ),
})


def softmaxes():
    for call in ("softmax", "log_softmax"):
        for shape, axis in [
            ((3, 4), -1),
            ((3, 4), 0),
            ((2, 3, 4), 1),
            ((17,), 0),
            ((33, 2), 0),
            ((3, 1), 1),
            ((0, 3), 1),
            ((3, 0), 1),
        ]:
            emit(call, [floats(shape, -4, 4)], (axis,))
        emit(call, [values(1000, 0, -1000)], (0,))
        emit(call, [values(-math.inf, 0, 1)], (0,))
        emit(call, [values(-math.inf, -math.inf)], (0,))
        emit(call, [torch.tensor([[math.nan, 0], [1, 2]], dtype=torch.float64)], (1,))
    for shape in [(3, 4), (1, 1), (5, 17), (2, 3, 33)]:
        for dtype in ("i64", "i32"):
            emit("softmax_cross_entropy", [floats(shape, -9, 9), ints(shape[:-1], 0, shape[-1], dtype)])


def main():
    write("loss", ("softmaxes", softmaxes))
