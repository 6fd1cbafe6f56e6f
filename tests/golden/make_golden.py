#!/usr/bin/env python3
"""Writes golden numbers: values and gradients of every op as PyTorch computes them in float64.

usage: python3 make_golden.py | gzip -9n > ops.golden.gz             (PyTorch on the CPU; nothing else)
       python3 make_golden.py NAME | gzip -9n > NAME.golden.gz       (the cases of cases_NAME.py)

The numbers are compared by tests/ops/test_golden.c. Running this again must change nothing: inputs come from
a generator with fixed seeds, on a grid that float32 holds exactly, so that one file serves both float types.

A case is a few lines:
    case CALL NUMBER...        the call of tests/ops/calls.c and its numbers
    in DTYPE RANK SIZE... VALUE...
    out DTYPE RANK SIZE... VALUE...
    seed VALUE...              dL/d(out), of out's shape; only where there are gradients
    grad INPUT VALUE...        dL/d(input), of the input's shape
    scale OUT GRAD             what errors are relative to beside the element itself: 0, or the largest term

Deliberate differences from PyTorch. The first has an exact case in tests/ops/test_conventions.c instead; for
the others this script says in PyTorch's words what ours mean:
    sign(NaN)                  NaN; PyTorch gives 0
    negative indices           counted from the end; PyTorch refuses them in gather and its like
    negative steps of slices   as in Python; PyTorch refuses them
    softplus                   exact at any x; PyTorch's is x from 20 on
    integer division           stays an integer, truncated; PyTorch's / gives a float
"""

import importlib
import math
import random
import sys

import torch

torch.set_num_threads(1)
END = math.inf
DTYPES = {
    "f64": torch.float64,
    "i32": torch.int32,
    "i64": torch.int64,
    "u8": torch.uint8,
    "bool": torch.bool,
}
NAMES = {v: k for k, v in DTYPES.items()}
NUMBERS = ["f64", "f64", "i32", "i64", "u8", "bool"]  # by tg_dtype; f32 is shown as f64, which holds it
rng = random.Random()


# ---- the calls, as PyTorch spells them ----


def axes(numbers):
    return tuple(int(v) for v in numbers[1:]) or None


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


def divide(a, b):
    if a.is_floating_point():
        return a / b
    return torch.where(
        b == 0,
        torch.zeros_like(a),
        torch.div(a, torch.where(b == 0, torch.ones_like(b), b), rounding_mode="trunc"),
    )


def reduce_all(f):
    return lambda x, a: f(x, axes(a), bool(a[0])) if axes(a) else f(x, tuple(range(x.dim())), bool(a[0]))


def wrap(x):
    """Integer sums in i64."""
    return x if x.is_floating_point() else x.to(torch.int64)


CALLS = {
    "add": lambda x, y, a: x + y,
    "sub": lambda x, y, a: x - y,
    "mul": lambda x, y, a: x * y,
    "div": lambda x, y, a: divide(x, y),
    "affine": lambda x, a: a[0] * x + a[1],
    "add_scalar": lambda x, a: x + a[0],
    "mul_scalar": lambda x, a: x * a[0],
    "neg": lambda x, a: -x,
    "exp": lambda x, a: torch.exp(x),
    "log": lambda x, a: torch.log(x),
    "sqrt": lambda x, a: torch.sqrt(x),
    "square": lambda x, a: torch.square(x),
    "abs": lambda x, a: torch.abs(x),
    "tanh": lambda x, a: torch.tanh(x),
    "sigmoid": lambda x, a: torch.sigmoid(x),
    "relu": lambda x, a: torch.relu(x),
    "softplus": lambda x, a: torch.nn.functional.softplus(x, threshold=100),
    "logsigmoid": lambda x, a: torch.nn.functional.logsigmoid(x),
    "sign": lambda x, a: torch.sign(x),
    "matmul": lambda x, y, a: torch.matmul(x, y),
    "sum": reduce_all(lambda x, d, k: torch.sum(wrap(x), d, k) if x.dim() else wrap(x).clone()),
    "mean": reduce_all(lambda x, d, k: torch.mean(x, d, k) if x.dim() else x.clone()),
    "amax": reduce_all(lambda x, d, k: torch.amax(x, d, k) if x.dim() else x.clone()),
    "max": lambda x, a: torch.max(x, int(a[1]), bool(a[0])).values,
    "max_index": lambda x, a: torch.max(x, int(a[1]), bool(a[0])).indices,
    "argmax": lambda x, a: torch.argmax(x, int(a[0])),
    "sum_to": lambda x, a: x.sum_to_size([int(v) for v in a]),
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
    "softmax": lambda x, a: torch.softmax(x, int(a[0])),
    "log_softmax": lambda x, a: torch.log_softmax(x, int(a[0])),
    "softmax_cross_entropy": lambda x, c, a: torch.nn.functional.cross_entropy(
        x.movedim(-1, min(1, x.dim() - 1)), c.to(torch.int64), reduction="none"
    ),
    "gather": lambda x, i, a: torch.gather(x, int(a[0]), wrapped(i, x.shape[int(a[0])])),
    "scatter_add": lambda x, i, s, a: x.scatter_add(int(a[0]), wrapped(i, x.shape[int(a[0])]), s),
    "index_select": lambda x, i, a: torch.index_select(x, int(a[0]), wrapped(i, x.shape[int(a[0])])),
    "eq": lambda x, y, a: x == y,
    "ne": lambda x, y, a: x != y,
    "lt": lambda x, y, a: x < y,
    "le": lambda x, y, a: x <= y,
    "gt": lambda x, y, a: x > y,
    "ge": lambda x, y, a: x >= y,
    "where": lambda c, x, y, a: torch.where(c.bool(), x, y),
    "masked_fill": lambda x, m, a: x.masked_fill(m.bool(), a[0]),
}

# Each output element is a function of few inputs: errors are relative to the element. Elsewhere terms cancel.
ELEMENTWISE = set(
    """add sub mul div mul_scalar neg exp log sqrt square abs tanh sigmoid relu softplus logsigmoid sign
    amax max max_index argmax reshape permute transpose squeeze unsqueeze slice slice_scatter expand
    contiguous to gather index_select eq ne lt le gt ge where masked_fill""".split()
)


def wrapped(index, size):
    """PyTorch takes no negative index here."""
    index = index.to(torch.int64)
    return torch.where(index < 0, index + size, index)


# ---- inputs ----


def floats(shape, low=-2.0, high=2.0):
    n = math.prod(shape)
    v = [round((low + (high - low) * rng.random()) * 256) / 256 for _ in range(n)]
    return torch.tensor(v, dtype=torch.float64).reshape(shape)


def distinct(shape):
    n = math.prod(shape)
    v = [k / 8 - n / 16 for k in range(n)]
    rng.shuffle(v)
    return torch.tensor(v, dtype=torch.float64).reshape(shape)


def ints(shape, low, high, dtype="i64"):
    v = [rng.randrange(low, high) for _ in range(math.prod(shape))]
    return torch.tensor(v, dtype=torch.int64).reshape(shape).to(DTYPES[dtype])


def bools(shape):
    return ints(shape, 0, 2, "bool")


def values(*v):
    return torch.tensor(v, dtype=torch.float64)


# ---- writing ----


def text(v):
    if isinstance(v, bool):
        return str(int(v))
    s = repr(v)
    return s[:-2] if s.endswith(".0") else s


def tensor_text(x):
    flat = x.detach().reshape(-1).tolist()
    return " ".join([NAMES[x.dtype], str(x.dim())] + [str(n) for n in x.shape] + [text(v) for v in flat])


def values_text(x):
    return " ".join(text(v) for v in x.detach().reshape(-1).tolist())


def largest(tensors):
    finite = [t[torch.isfinite(t)].abs().max().item() for t in tensors if torch.isfinite(t).any()]
    return max(finite, default=0.0)


def emit(call, inputs, numbers=()):
    leaves = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    out = CALLS[call](*leaves, list(numbers))
    print(" ".join(["case", call] + [text(float(v)) for v in numbers]))
    for x in leaves:
        print("in", tensor_text(x))
    print("out", tensor_text(out))
    grads = []
    if out.requires_grad and out.is_floating_point():
        seed = floats(out.shape)
        grads = torch.autograd.grad(out, [x for x in leaves if x.requires_grad], seed, allow_unused=True)
        print("seed", values_text(seed))
        which = [i for i, x in enumerate(leaves) if x.requires_grad]
        for i, g in zip(which, grads):
            print("grad", i, values_text(torch.zeros_like(leaves[i]) if g is None else g))
    terms = largest([x for x in leaves if x.is_floating_point()] + [out.detach().double()])
    scale = 0.0 if call in ELEMENTWISE else max(1.0, terms) ** 2
    grad_scale = max(1.0, largest([g for g in grads if g is not None]))
    print("scale", f"{scale:.3g}", f"{grad_scale:.3g}")


# ---- the cases ----

SHAPES = [(3, 5), (), (0, 3), (1,), (17,), (2, 3, 4)]
PAIRS = [
    ((3, 4), (3, 4)),
    ((3, 4), (4,)),
    ((4,), (3, 4)),
    ((3, 1), (1, 4)),
    ((), (2, 3)),
    ((2, 3), ()),
    ((), ()),
    ((0, 3), (3,)),
    ((2, 1, 3), (4, 1)),
    ((17,), (1,)),
]
ENDS = values(
    -math.inf, -1000, -100, -20.5, -20, -1, -0.5, -0.0, 0, 0.5, 1, 20, 20.5, 80, 1000, math.inf, math.nan
)
POSITIVE = {"log", "sqrt"}
UNARY = "neg exp log sqrt square abs tanh sigmoid relu softplus logsigmoid sign contiguous".split()
COMPARISONS = "eq ne lt le gt ge".split()


def arithmetic():
    for call in ("add", "sub", "mul", "div"):
        for a, b in PAIRS:
            emit(call, [floats(a), floats(b, 0.5, 2.0) if call == "div" else floats(b)])
        if call != "div":
            emit(call, [ENDS, floats(ENDS.shape)])
        emit(call, [values(1, -1, 0, 5), values(0, 0, 0, math.inf)])
        for dtype in ("i32", "i64"):
            emit(call, [ints((3, 4), -20, 20, dtype), ints((4,), -3, 4, dtype)])
    for numbers in ((2.5, -1.0), (0.0, 3.0), (-1.0, 0.0), (1.0, 0.125)):
        for shape in SHAPES:
            emit("affine", [floats(shape)], numbers)
    for shape in SHAPES:
        emit("add_scalar", [floats(shape)], (0.75,))
        emit("mul_scalar", [floats(shape)], (-1.5,))


def unary():
    for call in UNARY:
        low = 0.0625 if call in POSITIVE else -4.0
        for shape in SHAPES:
            emit(call, [floats(shape, low, 4.0)])
        emit(call, [ENDS if call != "sign" else ENDS[:-1]])


def products():
    pairs = [
        ((3, 4), (4, 2)),
        ((4,), (4,)),
        ((3, 4), (4,)),
        ((3,), (3, 4)),
        ((5, 3, 4), (5, 4, 2)),
        ((3, 4), (5, 4, 2)),
        ((5, 3, 4), (4, 2)),
        ((5, 3, 4), (4,)),
        ((4,), (5, 4, 2)),
        ((2, 1, 3, 4), (5, 4, 2)),
        ((1, 3, 4), (5, 4, 2)),
        ((2, 0), (0, 3)),
        ((0, 2), (2, 3)),
        ((0, 3, 4), (4, 2)),
        ((1, 1), (1, 1)),
        ((17, 9), (9, 33)),
        ((2, 5, 1, 7), (1, 7, 3)),
    ]
    for a, b in pairs:
        emit("matmul", [floats(a), floats(b)])


def reductions():
    for call in ("sum", "mean", "amax"):
        make = distinct if call == "amax" else floats
        for shape, sets in [
            ((3, 4), [(), (0,), (1,), (-1,), (0, 1)]),
            ((2, 3, 4), [(), (1,), (0, 2), (-1, 0), (0, 1, 2)]),
            ((17,), [(0,)]),
            ((), [()]),
            ((2, 1, 3), [(1,), (0, 1)]),
        ]:
            for chosen in sets:
                for keep in (0, 1):
                    emit(call, [make(shape)], (keep, *chosen))
        emit(call, [floats((0, 3))], (0, 1))
    for call in ("sum", "mean"):
        emit(call, [floats((0, 3))], (0,))
        emit(call, [floats((0, 3))], (1, 0))
    emit("amax", [values(3, 1, 3, 3)], (0,))
    emit("amax", [values(5, math.nan, 7)], (0,))
    emit("amax", [torch.tensor([[1.0, 4, 4], [2, 2, 2]], dtype=torch.float64)], (0, 1))
    emit("amax", [torch.tensor([[1.0, 4, 4], [2, 2, 2]], dtype=torch.float64)], (1, 0))
    emit("sum", [ints((3, 4), -9, 9, "i32")], (0, 1))
    emit("sum", [bools((3, 4))], (0,))
    for call in ("max", "max_index"):
        for shape, axis in [((3, 4), 0), ((3, 4), 1), ((2, 3, 4), -2), ((17,), 0)]:
            for keep in (0, 1):
                emit(call, [distinct(shape)], (keep, axis))
        emit(call, [values(1, math.nan, 7)], (0, 0))
        emit(call, [values(1, 4, 4, 2)], (0, 0))
    for shape, axis in [((3, 4), 0), ((3, 4), 1), ((2, 3, 4), -2), ((17,), 0)]:
        emit("argmax", [distinct(shape)], (axis,))
    emit("argmax", [values(2, math.nan, 7, math.nan)], (0,))
    emit("argmax", [values(2, 7, 7)], (0,))
    for shape, to in [
        ((3, 4), (4,)),
        ((3, 4), (3, 1)),
        ((3, 4), (1, 1)),
        ((3, 4), (3, 4)),
        ((2, 3, 4), (3, 1)),
        ((2, 3, 4), (4,)),
        ((0, 4), (4,)),
        ((0, 4), (1, 4)),
        ((), ()),
    ]:
        emit("sum_to", [floats(shape)], to)


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


def indexing():
    for dtype in ("i64", "i32"):
        for shape, index, axis in [
            ((5,), (7,), 0),
            ((3, 4), (2, 4), 0),
            ((3, 4), (3, 6), 1),
            ((2, 3, 4), (2, 3, 5), -1),
            ((3, 4), (2, 1), 1),
            ((3, 4), (0, 4), 0),
        ]:
            size = shape[axis]
            emit("gather", [floats(shape), ints(index, -size, size, dtype)], (axis,))
        for shape, index, axis in [
            ((5,), (7,), 0),
            ((3, 4), (2, 4), 0),
            ((3, 4), (3, 6), 1),
            ((2, 3, 4), (2, 3, 5), -1),
            ((3, 4), (0, 4), 0),
        ]:
            size = shape[axis]
            emit("scatter_add", [floats(shape), ints(index, -size, size, dtype), floats(index)], (axis,))
        for shape, n, axis in [
            ((5,), 7, 0),
            ((3, 4), 2, 0),
            ((3, 4), 6, -1),
            ((2, 3, 4), 5, 1),
            ((3, 4), 0, 0),
        ]:
            emit("index_select", [floats(shape), ints((n,), -shape[axis], shape[axis], dtype)], (axis,))


def selection():
    for call in COMPARISONS:
        for a, b in PAIRS:
            emit(call, [ints(a, 0, 3).double(), ints(b, 0, 3).double()])
        emit(call, [ENDS, ENDS.flip(0)])
        emit(call, [ENDS, ENDS])
        for dtype in ("i32", "i64", "u8", "bool"):
            emit(call, [ints((3, 4), 0, 2, dtype), ints((4,), 0, 2, dtype)])
    for a, b in PAIRS:
        emit("where", [bools(a), floats(a), floats(b)])
        emit("where", [bools(b), floats(a), floats(b)])
    emit("where", [ints((3, 4), 0, 3, "u8"), floats((3, 4)), floats((4,))])
    emit("where", [bools((17,)), ENDS, ENDS.flip(0)])
    emit("where", [bools((4,)), ints((3, 4), 0, 9), ints((4,), 0, 9)])
    for shape, mask in [
        ((3, 4), (3, 4)),
        ((3, 4), (4,)),
        ((3, 4), ()),
        ((), ()),
        ((0, 3), (3,)),
        ((2, 3, 4), (3, 1)),
    ]:
        emit("masked_fill", [floats(shape), bools(mask)], (-0.5,))
    emit("masked_fill", [ENDS, bools(ENDS.shape)], (0,))
    emit("masked_fill", [floats((3, 4)), ints((3, 4), 0, 3, "u8")], (math.inf,))


def main():
    if sys.argv[1:]:
        importlib.import_module("cases_" + sys.argv[1]).main()
        return
    print("# PyTorch", torch.__version__.split("+")[0], "float64; written by make_golden.py")
    for cases in (arithmetic, unary, products, reductions, views, softmaxes, indexing, selection):
        rng.seed(cases.__name__)  # cases added at the end of one room change no others
        cases()


if __name__ == "__main__":
    main()
