"""Golden cases of the reductions: amin, min, argmin, aggregate, scan, moments.

linear_scan, and reversed and exclusive scans, are made of PyTorch ops here. Deliberate differences, with exact
cases in tests/ops/reduce/exact.c:
    logsumexp of all -inf      gradient 0 here, NaN in PyTorch
"""

import math

import torch
import torch.nn.functional as F

from make_golden import CALLS, ELEMENTWISE, bools, distinct, emit, floats, ints, rng, values, write

AXES = [((3, 5), ()), ((), ()), ((3, 5), (0,)), ((3, 5), (-1,)), ((2, 3, 4), (0, 2)), ((2, 3, 4), (1,)),
        ((17,), ()), ((2, 3, 4), ()), ((1, 33), (1,))]
ELEMENTWISE |= {"amax", "max", "max_index", "argmax", "amin", "min", "min_index", "argmin", "all", "any", "count_nonzero"}


def axes(numbers):
    return tuple(int(v) for v in numbers[1:]) or None


def reduce_all(f):
    return lambda x, a: f(x, axes(a), bool(a[0])) if axes(a) else f(x, tuple(range(x.dim())), bool(a[0]))


def wrap(x):
    """Integer sums in i64."""
    return x if x.is_floating_point() else x.to(torch.int64)


CALLS.update({
    "sum": reduce_all(lambda x, d, k: torch.sum(wrap(x), d, k) if x.dim() else wrap(x).clone()),
    "mean": reduce_all(lambda x, d, k: torch.mean(x, d, k) if x.dim() else x.clone()),
    "amax": reduce_all(lambda x, d, k: torch.amax(x, d, k) if x.dim() else x.clone()),
    "max": lambda x, a: torch.max(x, int(a[1]), bool(a[0])).values,
    "max_index": lambda x, a: torch.max(x, int(a[1]), bool(a[0])).indices,
    "argmax": lambda x, a: torch.argmax(x, int(a[0])),
    "sum_to": lambda x, a: x.sum_to_size([int(v) for v in a]),
})


def prod(x, d, keep):
    x = wrap(x)
    for i in sorted((i % x.dim() for i in d), reverse=True):
        x = torch.prod(x, i, keep)
    return x.clone()


def truth(f):
    return reduce_all(lambda x, d, k: f(x, d, k) if x.dim() else f(x))


CALLS["amin"] = reduce_all(lambda x, d, k: torch.amin(x, d, k) if x.dim() else x.clone())
CALLS["min"] = lambda x, a: torch.min(x, int(a[1]), bool(a[0])).values
CALLS["min_index"] = lambda x, a: torch.min(x, int(a[1]), bool(a[0])).indices
CALLS["argmin"] = lambda x, a: torch.argmin(x, int(a[0]))
CALLS["prod"] = reduce_all(prod)
CALLS["logsumexp"] = reduce_all(lambda x, d, k: torch.logsumexp(x, d, k) if x.dim() else torch.logsumexp(x, 0))
CALLS["all"] = truth(torch.all)
CALLS["any"] = truth(torch.any)
CALLS["count_nonzero"] = lambda x, a: torch.count_nonzero(x, tuple(int(v) for v in a[1:]) or None)


def scan(f, start):
    """f is torch.cumsum or cumprod; numbers: axis, reverse, exclusive."""

    def run(x, a):
        axis, x = int(a[0]), wrap(x)
        if a[1]:
            x = x.flip(axis)
        if a[2]:
            first = torch.full_like(x.narrow(axis, 0, 1), start)
            x = torch.cat([first, x.narrow(axis, 0, x.shape[axis] - 1)], axis)
        y = f(x, axis)
        return y.flip(axis) if a[1] else y

    return run


def linear_scan(a, b, numbers):
    axis, reverse = int(numbers[0]), bool(numbers[1])
    n = a.shape[axis]
    state, out = torch.zeros_like(a.select(axis, 0)), [None] * n
    for i in reversed(range(n)) if reverse else range(n):
        out[i] = state
        state = a.select(axis, i) * state + b.select(axis, i)
    return torch.stack(out, axis)


CALLS["cumsum"] = scan(torch.cumsum, 0)
CALLS["cumprod"] = scan(torch.cumprod, 1)
CALLS["linear_scan"] = linear_scan


def along(f):
    """The derivative of f(x) along each h in turn."""

    def run(x, *rest):
        *directions, a = rest
        y = lambda x: f(x, a)
        for h in directions:
            y = (lambda g, h: lambda x: torch.autograd.functional.jvp(g, x, h, create_graph=True)[1])(y, h)
        return y(x)

    return run


def adjoint(f):
    """The gradient by x of g . the derivative of f(x) along each h."""

    def run(x, g, *rest):
        *directions, a = rest
        with torch.enable_grad():
            y = along(f)(x, *directions, a)
            return torch.autograd.grad(y, x, g, create_graph=True)[0]

    return run


CALLS["cumprod_along"] = CALLS["cumprod_along_two"] = along(CALLS["cumprod"])
CALLS["cumprod_adjoint"] = CALLS["cumprod_adjoint_along"] = adjoint(CALLS["cumprod"])


def spread(f):
    def run(x, a):
        d = tuple(int(v) for v in a[2:]) or None
        correction = 0 if a[0] < 0 else a[0] or 1
        return f(x, dim=d, correction=correction, keepdim=bool(a[1]))

    return run


CALLS["var"] = spread(torch.var)
CALLS["std"] = spread(torch.std)
CALLS["norm"] = lambda x, a: torch.linalg.vector_norm(
    x, a[0] or 2, tuple(int(v) for v in a[2:]) or None, bool(a[1])
)


def extremes():
    for shape, d in AXES:
        for keep in (0, 1):
            emit("amin", [distinct(shape)], (keep, *d))
    emit("amin", [values(1, 3, 1, 2)], (0,))
    for shape, axis in [((3, 5), 0), ((3, 5), -1), ((2, 3, 4), 1), ((17,), 0)]:
        emit("argmin", [distinct(shape)], (axis,))
        for call in ("min", "min_index"):
            emit(call, [distinct(shape)], (0, axis))
            emit(call, [distinct(shape)], (1, axis))


def aggregates():
    for shape, d in AXES:
        for keep in (0, 1):
            if shape == () and keep:
                continue
            for call in ("prod", "logsumexp"):
                emit(call, [floats(shape)], (keep, *d))
            for call in ("all", "any"):
                emit(call, [ints(shape, 0, 3).double()], (keep, *d))
                emit(call, [bools(shape)], (keep, *d))
        emit("count_nonzero", [ints(shape, 0, 3).double()], (0, *d))
        emit("count_nonzero", [ints(shape, 0, 3)], (0, *d))
    emit("prod", [values(2, 0, 3, -1)], (0,))
    emit("prod", [values(2, 0, 3, 0)], (0,))
    emit("prod", [values(0, 2, 3, 4, 0, 0).reshape(2, 3)], (0, 1))
    emit("prod", [values(0, 2, 3, 4, 0, 0).reshape(2, 3)], (1, 0))
    emit("prod", [floats((0, 3))], (0, 0))
    for dtype in ("i32", "i64", "u8"):
        emit("prod", [ints((3, 4), 0, 5, dtype)], (0, 1))
    inf = math.inf
    emit("logsumexp", [values(-inf, 3, 10, 9)], (0,))
    emit("logsumexp", [values(-inf, 0.5, 1, -inf).reshape(2, 2)], (0, 1))
    emit("logsumexp", [floats((2, 40), -6, 6)], (0, 1))


def scans():
    for shape, axis in [((5,), 0), ((3, 5), 0), ((3, 5), -1), ((2, 3, 4), 1), ((1, 33), 1), ((70, 3), 0), ((2, 70), 0)]:
        for reverse in (0, 1):
            for exclusive in (0, 1):
                for call in ("cumsum", "cumprod"):
                    emit(call, [floats(shape, -1.5, 1.5)], (axis, reverse, exclusive))
            emit("linear_scan", [floats(shape, -1.5, 1.5), floats(shape)], (axis, reverse))
    for v in [(2, 0, 3, -1), (0, 2, 0, 3), (0, 0, 0, 1), (2, -1, 3, 0)]:
        for reverse in (0, 1):
            for exclusive in (0, 1):
                emit("cumprod", [values(*v)], (0, reverse, exclusive))
    for dtype in ("i32", "i64", "u8", "bool"):
        for call in ("cumsum", "cumprod"):
            emit(call, [ints((3, 4), 0, 2, dtype)], (1, 0, 0))


def derivatives():
    for shape, axis in [((5,), 0), ((3, 5), -1), ((2, 3, 4), 1), ((1, 33), 1)]:
        for reverse in (0, 1):
            for exclusive in (0, 1):
                x, g, h = (floats(shape, -1.5, 1.5) for _ in range(3))
                for call, inputs in (("cumprod_along", (x, h)), ("cumprod_along_two", (x, g, h)),
                                     ("cumprod_adjoint", (x, g)), ("cumprod_adjoint_along", (x, g, h))):
                    emit(call, list(inputs), (axis, reverse, exclusive))
    x, g, h = values(2, 0, 3, 0), values(1, 2, -1, 3), values(0, 1, 0, -2)
    emit("cumprod_adjoint", [x, g], (0, 0, 0))
    emit("cumprod_adjoint_along", [x, g, h], (0, 0, 0))


def moments():
    for shape, d in AXES:
        if shape == ():
            continue
        for keep in (0, 1):
            for correction in (0, -1, 1.5):
                for call in ("var", "std"):
                    emit(call, [floats(shape)], (correction, keep, *d))
            for p in (0, 1, 2, 3, 1.5, 0.5, math.inf, -math.inf):
                emit("norm", [distinct(shape) + 0.0625 if abs(p) == math.inf else floats(shape)], (p, keep, *d))
    emit("std", [values(2, 2, 2)], (0, 0))
    for p in (1, 2, 3, 1.5, math.inf, -math.inf):
        emit("norm", [values(0, 0, 0)], (p, 0))
        emit("norm", [values(0, 3, -4)], (p, 0))


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


def directions():
    CALLS["normalize"] = lambda x, a: F.normalize(x, p=a[1] or 2, dim=int(a[0]), eps=a[2] or 1e-12)
    for shape, axis in [((3, 5), 1), ((3, 5), 0), ((17,), 0), ((2, 3, 4), 1)]:
        for p in (0, 1, 2, 3):
            emit("normalize", [floats(shape)], (axis, p, 0))
    emit("normalize", [floats((3, 5))], (1, 0, 4))
    emit("normalize", [values(0, 0, 0)], (0, 0, 0.5))


def main():
    write(
        "reduce",
        ("reductions", reductions),
        ("extremes", extremes),
        ("aggregates", aggregates),
        ("scans", scans),
        ("moments", moments),
        ("derivatives", derivatives),
        ("directions", directions),
    )
