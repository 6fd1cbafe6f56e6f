"""Golden cases of shapes: views, slices, joining, parts, padding, diagonals.

Deliberate differences from PyTorch:
    negative steps of slices   as in Python; PyTorch refuses them
    diag, flip                 views here, copies there: the same numbers
"""

import math

import torch
import torch.nn.functional as F

from make_golden import CALLS, DTYPES, ELEMENTWISE, SHAPES, bools, emit, floats, ints, rng, values, write

END = math.inf

MODES = ["constant", "reflect", "replicate"]


def whole(numbers):
    return [int(v) for v in numbers]


def pad(x, a):
    n = int(a[2])
    before, after = whole(a[3 : 3 + n]), whole(a[3 + n :])
    pairs = [v for i in reversed(range(n)) for v in (before[i], after[i])]
    if a[0] == 0:
        return torch.nn.functional.pad(x, pairs, value=a[1])
    for i in range(n):  # PyTorch pads by index only certain ranks: axis by axis, as a batch of rows
        axis = x.dim() - n + i
        rows = x.movedim(axis, -1)
        flat = rows.reshape(1, -1, rows.shape[-1])
        flat = torch.nn.functional.pad(flat, (before[i], after[i]), mode=MODES[int(a[0])])
        x = flat.reshape(*rows.shape[:-1], flat.shape[-1]).movedim(-1, axis)
    return x


OURS = {
    "concat": lambda x, y, a: torch.cat([x, y], int(a[0])),
    "concat_1": lambda x, a: torch.cat([x], int(a[0])),
    "concat_3": lambda x, y, z, a: torch.cat([x, y, z], int(a[0])),
    "stack": lambda x, y, a: torch.stack([x, y], int(a[0])),
    "stack_3": lambda x, y, z, a: torch.stack([x, y, z], int(a[0])),
    "tile": lambda x, a: torch.tile(x, whole(a)),
    "repeat": lambda x, a: x.repeat(whole(a)),
    "flip": lambda x, a: torch.flip(x, whole(a)),
    "roll": lambda x, a: torch.roll(x, int(a[0]), int(a[1])),
    "flatten": lambda x, a: torch.flatten(x, int(a[0]), int(a[1])),
    "select": lambda x, a: torch.select(x, int(a[0]), int(a[1])),
    "narrow": lambda x, a: torch.narrow(x, *whole(a)),
    "split": lambda x, a: torch.split(x, whole(a[2:]), int(a[1]))[int(a[0])],
    "chunk": lambda x, a: torch.chunk(x, int(a[2]), int(a[1]))[int(a[0])],
    "pad": pad,
    "pad_index": pad,
    "diagonal": lambda x, a: torch.diagonal(x, *whole(a)),
    "diagonal_scatter": lambda x, s, a: torch.diagonal_scatter(x, s, *whole(a)),
    "diag_embed": lambda x, a: torch.diag_embed(x, int(a[0])),
    "diag": lambda x, a: torch.diag(x, int(a[0])),
    "tril": lambda x, a: torch.tril(x, int(a[0])),
    "triu": lambda x, a: torch.triu(x, int(a[0])),
}
CALLS.update(OURS)
ELEMENTWISE.update(OURS)  # every output is one of the inputs


def join():
    for a, b, axis in [
        ((3, 4), (2, 4), 0),
        ((3, 4), (3, 1), -1),
        ((2, 3, 4), (2, 5, 4), 1),
        ((0, 3), (2, 3), 0),
        ((5,), (0,), 0),
        ((17,), (9,), 0),
    ]:
        emit("concat", [floats(a), floats(b)], (axis,))
    emit("concat", [ints((2, 3), -9, 9), ints((1, 3), -9, 9)], (0,))
    emit("concat", [bools((2, 3)), bools((2, 2))], (1,))
    emit("concat_1", [floats((3, 2))], (1,))
    emit("concat_3", [floats((3, 2)), floats((3, 1)), floats((3, 5))], (1,))
    for shape, axis in [((3, 4), 0), ((3, 4), 1), ((3, 4), -1), ((), 0), ((0, 2), 1), ((2, 3, 4), -2)]:
        emit("stack", [floats(shape), floats(shape)], (axis,))
    emit("stack_3", [floats((3,)), floats((3,)), floats((3,))], (1,))
    for shape, times in [
        ((3, 4), (2, 3)),
        ((3, 4), (2,)),
        ((4,), (2, 1, 3)),
        ((2, 3, 4), (2, 1, 2)),
        ((3, 4), (0, 2)),
        ((0, 4), (2, 2)),
        ((), (3,)),
        ((), (2, 2)),
        ((3, 4), (1, 1)),
    ]:
        emit("tile", [floats(shape)], times)
        if len(times) >= len(shape):
            emit("repeat", [floats(shape)], times)
    for shape, axes in [((7,), (0,)), ((3, 4), (0,)), ((3, 4), (1,)), ((2, 3, 4), (0, -1)), ((0, 3), (1,))]:
        emit("flip", [floats(shape)], axes)
    for shape, shift, axis in [
        ((7,), 2, 0),
        ((7,), -3, 0),
        ((3, 4), 1, 1),
        ((3, 4), 9, -1),
        ((2, 3, 4), -100, 1),
        ((3, 4), 0, 0),
        ((0, 3), 2, 0),
    ]:
        emit("roll", [floats(shape)], (shift, axis))


def parts():
    for shape, first, last in [((2, 3, 4), 0, -1), ((2, 3, 4), 1, 2), ((2, 3, 4), 1, 1), ((), 0, -1), ((0, 3), 0, 1)]:
        emit("flatten", [floats(shape)], (first, last))
    for shape, axis, index in [((7,), 0, 3), ((3, 4), 0, -1), ((2, 3, 4), 1, 2), ((2, 3, 4), -1, 0), ((0, 3), 1, 2)]:
        emit("select", [floats(shape)], (axis, index))
    for shape, axis, start, n in [((7,), 0, 2, 3), ((3, 4), -1, -2, 2), ((3, 4), 0, 3, 0), ((2, 3, 4), 1, 0, 3)]:
        emit("narrow", [floats(shape)], (axis, start, n))
    for shape, axis, sizes in [((7,), 0, (2, 5)), ((3, 4), -1, (1, 0, 3)), ((4, 2), 0, (1, 1, 2))]:
        for which in range(len(sizes)):
            emit("split", [floats(shape)], (which, axis, *sizes))
    for shape, axis, n in [((7,), 0, 3), ((3, 4), 1, 2), ((5, 2), 0, 4), ((2, 2), 0, 5)]:
        for which in range(len(torch.chunk(torch.zeros(shape), n, axis))):
            emit("chunk", [floats(shape)], (which, axis, n))


def padding():
    for shape, value, before, after in [
        ((7,), 0, (2,), (3,)),
        ((3, 4), -1.5, (1, 0), (0, 2)),
        ((2, 3, 4), 0.5, (1,), (1,)),
        ((2, 3, 4), 3, (0, 1, 2), (2, 1, 0)),
        ((5, 4), 2, (-1, 2), (1, -3)),
        ((5, 4), 2, (-2, -1), (0, -1)),
        ((0, 3), 7, (1, 0), (1, 1)),
        ((2, 2, 3, 3), 0, (1, 1), (1, 1)),
        ((3, 4), 1, (0, 0), (0, 0)),
    ]:
        emit("pad", [floats(shape)], (0, value, len(before), *before, *after))
    emit("pad", [ints((2, 3), -9, 9)], (0, 5, 1, 1, 2))
    for shape, before, after in [
        ((7,), (2,), (3,)),
        ((7,), (6,), (6,)),
        ((3, 4), (1, 0), (2, 3)),
        ((2, 3, 4), (2, 3), (0, 1)),
        ((3, 17), (0,), (16,)),
    ]:
        for mode in (1, 2):
            emit("pad_index", [floats(shape)], (mode, 0, len(before), *before, *after))
    emit("pad_index", [floats((2, 3))], (2, 0, 2, 5, 0, 4, 9))


def diagonals():
    for shape, axes in [((3, 4), (0, 1)), ((4, 4), (1, 0)), ((2, 3, 4), (2, 0)), ((2, 5, 3), (-2, -1)), ((0, 3), (0, 1))]:
        for offset in (0, 1, -1, 2, -3):
            n = torch.diagonal(torch.zeros(shape), offset, *axes).shape
            emit("diagonal", [floats(shape)], (offset, *axes))
            emit("diagonal_scatter", [floats(shape), floats(n)], (offset, *axes))
    for offset in (0, 2, -1):
        for shape in ((3,), (2, 3), (0,), (1,)):
            emit("diag_embed", [floats(shape)], (offset,))
        emit("diag", [floats((3,))], (offset,))
        emit("diag", [floats((3, 4))], (offset,))
        for call in ("tril", "triu"):
            for shape in ((3, 4), (4, 3), (2, 3, 3), (1, 1), (0, 3), (9, 17)):
                emit(call, [floats(shape)], (offset,))
            emit(call, [ints((3, 3), -9, 9)], (offset,))
    for call in ("tril", "triu"):
        emit(call, [torch.full((3, 3), torch.nan, dtype=torch.float64)], (0,))
        for offset in (-7, 7):
            emit(call, [floats((3, 4))], (offset,))


NUMBERS = ["f64", "f64", "i32", "i64", "u8", "bool"]  # by tg_dtype; f32 is shown as f64, which holds it


def positions(numbers, size):
    """The indices that a slice takes along an axis of this size."""
    start, stop, step = (None if math.isinf(v) else int(v) for v in numbers[1:])
    return torch.tensor(list(range(size))[slice(start, stop, step)], dtype=torch.int64)


def take_slice(x, numbers):
    axis = int(numbers[0])
    return x.index_select(axis, positions(numbers, x.shape[axis]))


def put_slice(x, src, numbers):
    axis = int(numbers[0])
    return x.index_copy(axis, positions(numbers, x.shape[axis]), src)


CALLS.update({
    "reshape": lambda x, a: x.reshape([int(v) for v in a]),
    "permute": lambda x, a: x.permute([int(v) for v in a]),
    "transpose": lambda x, a: x.transpose(int(a[0]), int(a[1])),
    "squeeze": lambda x, a: x.squeeze(int(a[0])),
    "unsqueeze": lambda x, a: x.unsqueeze(int(a[0])),
    "slice": take_slice,
    "slice_scatter": put_slice,
    "expand": lambda x, a: x.expand([int(v) for v in a]),
    "contiguous": lambda x, a: x.contiguous().clone(),
    "to": lambda x, a: x.to(DTYPES[NUMBERS[int(a[0])]]),
})
ELEMENTWISE.update("""reshape permute transpose squeeze unsqueeze slice slice_scatter expand contiguous to""".split())


def views():
    for shape, to in [
        ((3, 4), (4, 3)),
        ((3, 4), (-1,)),
        ((2, 3, 4), (6, -1)),
        ((), (1, 1)),
        ((0, 3), (3, 0)),
        ((1,), ()),
    ]:
        emit("reshape", [floats(shape)], to)
    for shape, order in [
        ((3, 4), (1, 0)),
        ((2, 3, 4), (2, 0, 1)),
        ((2, 3, 4), (-1, 1, 0)),
        ((), ()),
        ((0, 3), (1, 0)),
    ]:
        emit("permute", [floats(shape)], order)
    emit("transpose", [floats((2, 3, 4))], (0, -1))
    emit("transpose", [ints((3, 4), 0, 9)], (0, 1))
    emit("squeeze", [floats((3, 1, 4))], (1,))
    emit("squeeze", [floats((3, 1))], (-1,))
    emit("unsqueeze", [floats((3, 4))], (0,))
    emit("unsqueeze", [floats((3, 4))], (-1,))
    emit("unsqueeze", [floats(())], (0,))
    for shape, to in [
        ((1, 4), (3, 4)),
        ((4,), (2, 3, 4)),
        ((3, 1), (-1, 5)),
        ((), (2, 2)),
        ((1, 3), (0, 3)),
        ((3, 4), (2, -1, -1)),
    ]:
        emit("expand", [floats(shape)], to)
    for start, stop, step in [
        (0, END, 1),
        (1, 3, 1),
        (0, END, 2),
        (-3, -1, 1),
        (3, 1, 1),
        (-100, 100, 3),
        (END, END, -1),
        (-1, 0, -2),
        (5, 1, -1),
        (2, END, -1),
        (100, -100, -1),
    ]:
        for shape, axis in [((7,), 0), ((3, 6), 1), ((6, 2, 2), 0)]:
            emit("slice", [floats(shape)], (axis, start, stop, step))
    for shape, src, numbers in [
        ((7,), (3,), (0, 1, 4, 1)),
        ((3, 6), (3, 3), (1, 0, END, 2)),
        ((3, 6), (3, 6), (-1, END, END, -1)),
        ((4, 2), (0, 2), (0, 2, 2, 1)),
        ((7,), (2,), (0, -2, END, 1)),
    ]:
        emit("slice_scatter", [floats(shape), floats(src)], numbers)
    for dtype in (2, 3, 5):
        emit("to", [floats((3, 4), -9, 9)], (dtype,))
    emit("to", [floats((3, 4), 0, 9)], (4,))
    emit("to", [ints((3, 4), -9, 9)], (1,))
    emit("to", [bools((3, 4))], (1,))
    emit("to", [ints((5,), -9, 9)], (5,))


def copies():
    for shape in SHAPES:
        emit("contiguous", [floats(shape, -4.0, 4.0)])
    emit("contiguous", [values(-math.inf, -1000, -0.5, -0.0, 0, 0.5, 1000, math.inf, math.nan)])


def shuffles():
    CALLS["pixel_shuffle"] = lambda x, a: F.pixel_shuffle(x, int(a[0]))
    CALLS["pixel_unshuffle"] = lambda x, a: F.pixel_unshuffle(x, int(a[0]))
    for shape, r in [((2, 8, 2, 3), 2), ((9, 1, 2), 3), ((2, 1, 4, 3, 2), 2), ((1, 2, 3, 3), 1)]:
        emit("pixel_shuffle", [floats(shape)], (r,))
        y = F.pixel_shuffle(floats(shape), r)
        emit("pixel_unshuffle", [floats(y.shape)], (r,))


def main():
    write(
        "shape",
        ("views", views),
        ("copies", copies),
        ("shape join", join),
        ("shape parts", parts),
        ("shape padding", padding),
        ("shape diagonals", diagonals),
        ("shape shuffles", shuffles),
    )
