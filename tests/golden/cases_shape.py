"""The cases of shape.golden: joining, parts, padding, diagonals, sorting, scattering.

Deliberate differences from PyTorch, beside those in make_golden.py:
    scatter, equal indices     the last one stays and has the gradient: tests/ops/shape/exact.c;
                               PyTorch leaves it open
    diag, flip                 views here, copies there: the same numbers
    one_hot, negative index    counted from the end; PyTorch refuses it
"""

import torch

from make_golden import CALLS, ELEMENTWISE, bools, distinct, emit, floats, ints, rng, values, wrapped

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


def order(x, a):
    return torch.sort(x, dim=int(a[1]), descending=bool(a[0]), stable=True)


def best(x, a):
    return torch.topk(x, int(a[2]), dim=int(a[1]), largest=not a[0])


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
    "sort": lambda x, a: order(x, a).values,
    "sort_index": lambda x, a: order(x, a).indices,
    "topk": lambda x, a: best(x, a).values,
    "topk_index": lambda x, a: best(x, a).indices,
    "scatter": lambda x, i, s, a: torch.scatter(x, int(a[0]), wrapped(i, x.shape[int(a[0])]), s),
    "take_along_dim": lambda x, i, a: torch.take_along_dim(x, wrapped(i, x.shape[int(a[0])]), int(a[0])),
    "one_hot": lambda i, a: torch.nn.functional.one_hot(i.to(torch.int64), int(a[0])),
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


def sorting():
    for descending in (0, 1):
        for shape, axis in [((3, 4), 0), ((3, 4), 1), ((2, 3, 4), -2), ((17,), 0), ((2, 33), 1), ((100,), 0), ((0, 3), 1)]:
            emit("sort", [distinct(shape)], (descending, axis))
            emit("sort_index", [distinct(shape)], (descending, axis))
        ties = ints((5, 40), 0, 4).double()
        emit("sort", [ties], (descending, 1))
        emit("sort_index", [ties], (descending, 1))
        ends = values(1, torch.nan, -torch.inf, 0, -0.0, torch.inf, torch.nan, -3)
        emit("sort", [ends], (descending, 0))
        emit("sort_index", [ends], (descending, 0))
        for dtype in ("i32", "i64", "u8", "bool"):
            x = ints((3, 20), 0 if dtype in ("u8", "bool") else -9, 2 if dtype == "bool" else 9, dtype)
            emit("sort", [x], (descending, 1))
            emit("sort_index", [x], (descending, 1))
        for shape, axis, k in [((3, 4), 0, 2), ((3, 4), 1, 4), ((2, 3, 4), -2, 1), ((17,), 0, 5), ((7,), 0, 0)]:
            emit("topk", [distinct(shape)], (descending, axis, k))
            emit("topk_index", [distinct(shape)], (descending, axis, k))


def permuted(shape, axis):
    """Indices along the axis without equal ones in a row."""
    rows = torch.zeros(shape, dtype=torch.int64).movedim(axis, -1)
    flat = [rng.sample(range(rows.shape[-1]), rows.shape[-1]) for _ in range(rows.numel() // rows.shape[-1])]
    return torch.tensor(flat).reshape(rows.shape).movedim(-1, axis).contiguous()


def scattering():
    for shape, index, axis in [((5,), (5,), 0), ((3, 4), (3, 2), 0), ((3, 4), (2, 4), 1), ((2, 3, 4), (2, 3, 4), -1)]:
        for dtype in (torch.int64, torch.int32):
            at = permuted(index, axis).to(dtype)
            emit("scatter", [floats(shape), at, floats(index)], (axis,))
    emit("scatter", [floats((3, 4)), ints((0, 4), 0, 1), floats((0, 4))], (0,))
    emit("scatter", [ints((6,), 0, 9), permuted((4,), 0), ints((4,), 0, 9)], (0,))
    for shape, index, axis in [((3, 4), (3, 2), 1), ((3, 4), (1, 4), 0), ((1, 4), (3, 2), 1), ((2, 3, 4), (2, 5, 1), 1)]:
        n = shape[axis]
        emit("take_along_dim", [floats(shape), ints(index, -n, n)], (axis,))
    for shape, classes in [((5,), 4), ((), 3), ((2, 3), 7), ((0,), 3)]:
        emit("one_hot", [ints(shape, 0, min(classes, 4))], (classes,))


def main():
    print("# PyTorch", torch.__version__.split("+")[0], "float64; written by make_golden.py shape")
    for cases in (join, parts, padding, diagonals, sorting, scattering):
        rng.seed("shape " + cases.__name__)
        cases()
