"""Golden cases of the elementwise functions.

Deliberate differences from PyTorch:
    sign(NaN)                  NaN; PyTorch gives 0. Not compared: tests/ops/elementwise/exact.c
    softplus                   exact at any x; PyTorch's is x from 20 on
    integer division           stays an integer, truncated; PyTorch's / gives a float
    trigamma                   PyTorch's is good to 1e-9 only: computed by mpmath, with it digamma's gradient
    polygamma, negative x      PyTorch gives NaN or a far-off number for orders above 1: not compared
    sinc, second derivative    PyTorch's is 0 at 0; -pi^2/3 here (checked against differences)
    hardsigmoid                PyTorch's gradient in float64 multiplies by 1/6 in float32: relu6(x + 3) / 6 instead
    selu at NaN                gradient NaN here, finite in PyTorch
    copysign of infinities     gradient 1 or -1 here, NaN in PyTorch
    hypot at (0, 0), infinity  gradient 0 and 1 here, NaN in PyTorch: tests/ops/elementwise/exact.c
    xlogy at (0, b <= 0)       gradient by b 0 here; NaN in PyTorch at b = 0
    logaddexp, equal infinities   gradient 0 here
"""

import math

import mpmath
import torch
import torch.nn.functional as F

from make_golden import CALLS, ELEMENTWISE, SHAPES, bools, emit, floats, ints, rng, values, write

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
INF, NAN = math.inf, math.nan


def exact_polygamma(n, x):
    f = lambda v: float(mpmath.psi(n, mpmath.mpf(v)))
    return torch.tensor([f(v) for v in x.reshape(-1).tolist()], dtype=torch.float64).reshape(x.shape)


class Polygamma(torch.autograd.Function):
    """polygamma and its derivative by mpmath."""

    @staticmethod
    def forward(ctx, x, n):
        ctx.save_for_backward(x)
        ctx.n = n
        return exact_polygamma(n, x)

    @staticmethod
    def backward(ctx, g):
        return g * exact_polygamma(ctx.n + 1, ctx.saved_tensors[0]), None


# Call, PyTorch's function, domain, values at the ends of the domain.
UNARY = [
    ("rsqrt", torch.rsqrt, (0.0625, 4), [0.0, 1e-20, 1e20, INF, -1.0, NAN]),
    ("reciprocal", torch.reciprocal, (0.25, 4), [1e-20, -1e20, INF, -INF, NAN, -0.5]),
    ("exp2", torch.exp2, (-4, 4), [-INF, -20.5, 0, 20.5, 80, INF, NAN]),
    ("expm1", torch.expm1, (-4, 4), [-INF, -1000, -1e-10, 0, 1e-10, 20.5, 80, INF, NAN]),
    ("log2", torch.log2, (0.0625, 4), [0, 1e-20, 1, 1e20, INF, -1, NAN]),
    ("log10", torch.log10, (0.0625, 4), [0, 1e-20, 1, 1e20, INF, -1, NAN]),
    ("log1p", torch.log1p, (-0.75, 4), [-1, -1e-10, 0, 1e-10, 1e20, INF, -2, NAN]),
    ("sin", torch.sin, (-4, 4), [-100, -0.0, 0, 1e-10, 100, 1000, INF, NAN]),
    ("cos", torch.cos, (-4, 4), [-100, -0.0, 0, 1e-10, 100, 1000, INF, NAN]),
    ("tan", torch.tan, (-1.25, 1.25), [-100, -0.0, 0, 1e-10, 100, INF, NAN]),
    ("asin", torch.asin, (-0.96875, 0.96875), [0, 1e-10, 2, NAN]),
    ("acos", torch.acos, (-0.96875, 0.96875), [0, 1e-10, 2, NAN]),
    ("atan", torch.atan, (-4, 4), [-INF, -1000, 0, 1e-10, 1e10, INF, NAN]),
    ("sinh", torch.sinh, (-4, 4), [-80, -1e-10, 0, 20.5, 80, INF, NAN]),
    ("cosh", torch.cosh, (-4, 4), [-80, -1e-10, 0, 20.5, 80, INF, NAN]),
    ("asinh", torch.asinh, (-4, 4), [-1000, -1e-10, 0, 1e10, INF, NAN]),
    ("acosh", torch.acosh, (1.0625, 4), [1e10, INF, 0.5, NAN]),
    ("atanh", torch.atanh, (-0.96875, 0.96875), [-1, -1e-10, 0, 1, 2, NAN]),
    ("erf", torch.erf, (-4, 4), [-INF, -20, -1e-10, 0, 20, INF, NAN]),
    ("erfc", torch.erfc, (-4, 8), [-INF, -20, -1e-10, 0, INF, NAN]),
    ("erfinv", torch.erfinv, (-0.96875, 0.96875), [-1, -1e-10, 0, 1, 2, NAN]),
    ("lgamma", torch.lgamma, (0.0625, 6), [-2.5, -0.25, 1e-10, 1000, INF, NAN]),
    ("digamma", lambda x: Polygamma.apply(x, 0), (0.0625, 6), [-2.5, -0.25, 1e-10, 1000, 1e10]),
    ("sinc", torch.sinc, (-4, 4), [0, 0.25, 1.5, -7.5, 20.25]),
    ("floor", torch.floor, (-4, 4), ENDS.tolist()),
    ("ceil", torch.ceil, (-4, 4), ENDS.tolist()),
    ("round", torch.round, (-4, 4), ENDS.tolist() + [1.5, 2.5]),
    ("trunc", torch.trunc, (-4, 4), ENDS.tolist()),
    ("frac", torch.frac, (-4, 4), [v for v in ENDS.tolist() if math.isfinite(v)]),
    ("selu", F.selu, (-4, 4), ENDS.tolist()[:-1]),
    ("gelu", F.gelu, (-4, 4), [-20, -5, -0.0, 0, 5, 20, 1000, NAN]),
    ("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), (-4, 4), [-4.5, -0.0, 0, 5, 20, 1000, NAN]),
    ("silu", F.silu, (-4, 4), [-80, -20, -0.0, 0, 5, 20, 1000, NAN]),
    ("mish", F.mish, (-4, 4), [-80, -20, -0.0, 0, 5, 15, 25, 1000, NAN]),
    ("softsign", F.softsign, (-4, 4), [-1e10, -0.0, 0, 1000, NAN]),
    ("hardsigmoid", lambda x: F.relu6(x + 3) / 6, (-5, 5), [-INF, -3, 0, 3, INF]),
    ("hardswish", F.hardswish, (-5, 5), [-3.5, 0, 3.5, INF, NAN]),
    ("logical_not", torch.logical_not, (-1, 1), ENDS.tolist()),
    ("isnan", torch.isnan, (-1, 1), ENDS.tolist()),
    ("isfinite", torch.isfinite, (-1, 1), ENDS.tolist()),
]
NOT_RELATIVE = {"sinc", "lgamma", "digamma", "gelu", "gelu_tanh", "silu", "mish"}

# Call, function of x and numbers, sets of numbers.
WITH_NUMBERS = [
    ("clamp", lambda x, a: torch.clamp(x, a[0], a[1]), [(-1, 2), (0.5, INF), (-INF, 0.25), (-1.5, -0.5)]),
    ("nan_to_num", lambda x, a: torch.nan_to_num(x, *a), [(0.5, 7, -9), (-1, 100, 3)]),
    ("leaky_relu", lambda x, a: F.leaky_relu(x, a[0]), [(0.0078125,), (0.5,), (-2,)]),
    ("elu", lambda x, a: F.elu(x, a[0]), [(1,), (0.25,), (3,)]),
    ("celu", lambda x, a: F.celu(x, a[0]), [(1,), (0.25,), (3,)]),
    ("softplus_beta", lambda x, a: F.softplus(x, a[0], a[1]), [(1, 20), (2, 20), (0.5, 1.2), (3, 4.1)]),
    ("hardtanh", lambda x, a: F.hardtanh(x, a[0], a[1]), [(-1, 1), (-0.5, 2)]),
]


def unary():
    for call, f, (low, high), ends in UNARY:
        CALLS[call] = lambda x, a, f=f: f(x)
        if call not in NOT_RELATIVE:
            ELEMENTWISE.add(call)
        for shape in SHAPES:
            emit(call, [floats(shape, low, high)])
        emit(call, [torch.tensor(ends, dtype=torch.float64).float().double()])
    for call in ("logical_not", "isnan", "isfinite"):
        for dtype in ("i32", "i64", "u8", "bool"):
            emit(call, [ints((3, 4), 0, 2, dtype)])


def with_numbers():
    for call, f, sets in WITH_NUMBERS:
        CALLS[call] = f
        ELEMENTWISE.add(call)
        for numbers in sets:
            for shape in SHAPES:
                emit(call, [floats(shape, -4, 4)], numbers)
            emit(call, [values(-100, -20.5, -0.0, 0, 20.5, 100)], numbers)
    emit("nan_to_num", [ENDS], (0.5, 7, -9))
    CALLS["pow_scalar"] = lambda x, a: torch.pow(x, a[0])
    ELEMENTWISE.add("pow_scalar")
    for p in (0, 1, 2, 3, -1, -2, 0.5, 1.5, -0.75, 2.25):
        whole = p == int(p)
        for shape in SHAPES:
            emit("pow_scalar", [floats(shape, 0.25, 4)], (p,))
        if whole:
            emit("pow_scalar", [floats((3, 5), -4, -0.25)], (p,))
    CALLS["polygamma"] = lambda x, a: Polygamma.apply(x, int(a[0]))
    CALLS["sinc_derivative"] = lambda x, a: sinc_derivative(x, int(a[0]))
    ELEMENTWISE.add("polygamma")
    for n in (0, 1, 2, 3, 5, 10, 19):
        for shape in SHAPES:
            emit("polygamma", [floats(shape, 0.0625 if n < 6 else 0.5, 6)], (n,))
        if n in (1, 3):
            emit("polygamma", [values(-0.5, -1.25, -2.75, -7.5, 30, 1000)], (n,))
    for n in (1, 2, 3, 6, 10, 19):
        for shape in SHAPES:
            emit("sinc_derivative", [floats(shape, -4, 4)], (n,))
    CALLS["sigmoid_derivative"] = lambda x, a: Exact.apply(x, int(a[0]), lambda t: 1 / (1 + mpmath.exp(-t)))
    CALLS["gaussian_derivative"] = lambda x, a: Exact.apply(x, int(a[1]), lambda t: mpmath.exp(-a[0] * t * t))
    for n in (0, 1, 2, 3, 6):
        for shape in SHAPES:
            emit("sigmoid_derivative", [floats(shape, -4, 4)], (n,))
            emit("gaussian_derivative", [floats(shape, -4, 4)], (0.5, n))
        emit("sigmoid_derivative", [values(-80, -40, 37, 80)], (n,))
        emit("gaussian_derivative", [values(-6, 0.5, 8)], (1, n))


class Exact(torch.autograd.Function):
    """The n-th derivative of f by mpmath."""

    @staticmethod
    def value(x, n, f):
        with mpmath.workdps(120):
            flat = [float(mpmath.diff(f, mpmath.mpf(v), n)) for v in x.reshape(-1).tolist()]
        return torch.tensor(flat, dtype=torch.float64).reshape(x.shape)

    @staticmethod
    def forward(ctx, x, n, f):
        ctx.save_for_backward(x)
        ctx.n, ctx.f = n, f
        return Exact.value(x, n, f)

    @staticmethod
    def backward(ctx, g):
        return g * Exact.value(ctx.saved_tensors[0], ctx.n + 1, ctx.f), None, None


class Sinc(torch.autograd.Function):
    """The n-th derivative of sinc, the integral over s in [0, 1] of (pi s)^n cos(pi x s + n pi/2), by mpmath."""

    @staticmethod
    def value(x, n):
        with mpmath.workdps(60):
            pi = mpmath.pi

            def f(v):
                total, t = mpmath.mpf(0), pi * mpmath.mpf(v)
                for k in range((n + 1) // 2, 120):
                    total += (-1) ** k * t ** (2 * k - n) / ((2 * k + 1) * mpmath.factorial(2 * k - n))
                return float(pi**n * total)

            flat = [f(v) for v in x.reshape(-1).tolist()]
        return torch.tensor(flat, dtype=torch.float64).reshape(x.shape)

    @staticmethod
    def forward(ctx, x, n):
        ctx.save_for_backward(x)
        ctx.n = n
        return Sinc.value(x, n)

    @staticmethod
    def backward(ctx, g):
        return g * Sinc.value(ctx.saved_tensors[0], ctx.n + 1), None


def sinc_derivative(x, n):
    return Sinc.apply(x, n)


# Call, function, domains of a and b.
BINARY = [
    ("pow", torch.pow, (0.25, 3), (-3, 3)),
    ("maximum", torch.maximum, (-2, 2), (-2, 2)),
    ("minimum", torch.minimum, (-2, 2), (-2, 2)),
    ("fmod", torch.fmod, (-4, 4), (0.5, 2)),
    ("remainder", torch.remainder, (-4, 4), (-2, -0.5)),
    ("atan2", torch.atan2, (-2, 2), (0.25, 2)),
    ("hypot", torch.hypot, (-2, 2), (0.25, 2)),
    ("xlogy", torch.xlogy, (-2, 2), (0.25, 2)),
    ("logaddexp", torch.logaddexp, (-4, 4), (-4, 4)),
    ("copysign", torch.copysign, (-2, 2), (-2, 2)),
]
PAIRS_OF_ENDS = {
    "pow": ([-2, -2, -2, -0.5, 0, 0, 2, 2], [3, 2, -1, -3, 1, 2, 0, -20]),
    "maximum": ([1, 2, INF, -INF, -0.0, NAN, 1], [1, 3, INF, 4, 1, 1, NAN]),
    "minimum": ([1, 2, INF, -INF, -0.0, NAN, 1], [1, 3, INF, 4, 1, 1, NAN]),
    "fmod": ([5, -5, 5, -5, 100.5, 1], [3, 3, -3, -3, 0.75, 20]),
    "remainder": ([5, -5, 5, -5, 100.5, 1], [3, 3, -3, -3, 0.75, 20]),
    "atan2": ([1, -1, 1, -1, 2, -2, 1e-10], [1, 1, -1, -1, 0, 0, 1]),
    "hypot": ([3, -3, 0, 1e10], [4, 0, -2, 1e10]),
    "xlogy": ([0, 0, 2, -3, 1], [1, 2, 1, 20, 1e10]),
    "logaddexp": ([1000, -1000, 5, 0], [0, 0, 5, -80]),
    "copysign": ([1, 1, -1, -1, 2], [-0.0, 0, 3, -3, -1]),
}


def binary():
    for call, f, left, right in BINARY:
        CALLS[call] = lambda x, y, a, f=f: f(x, y)
        if call != "xlogy" and call != "logaddexp":
            ELEMENTWISE.add(call)
        for a, b in PAIRS:
            emit(call, [floats(a, *left), floats(b, *right)])
        a, b = PAIRS_OF_ENDS[call]
        emit(call, [torch.tensor(v, dtype=torch.float64).float().double() for v in (a, b)])
    for call in ("maximum", "minimum"):
        for dtype in ("i32", "i64"):
            emit(call, [ints((3, 4), -4, 5, dtype), ints((4,), -4, 5, dtype)])
    for name in ("logical_and", "logical_or", "logical_xor"):
        CALLS[name] = lambda x, y, a, f=getattr(torch, name): f(x, y)
        for a, b in PAIRS:
            emit(name, [ints(a, 0, 2).double(), ints(b, 0, 2).double()])
            emit(name, [bools(a), ints(b, 0, 3, "i64")])
        emit(name, [ENDS, ENDS.flip(0)])


def ternary():
    CALLS["lerp"] = lambda x, y, w, a: torch.lerp(x, y, w)
    CALLS["addcmul"] = lambda x, y, z, a: torch.addcmul(x, y, z, value=a[0])
    CALLS["addcdiv"] = lambda x, y, z, a: torch.addcdiv(x, y, z, value=a[0])
    third = [(3, 4), (3, 1), (4,), (), (2, 3), (3,), (), (1,), (4, 3), (17,)]
    for (a, b), c in zip(PAIRS, third):
        emit("lerp", [floats(a), floats(b), floats(c)])
        for value in (1, -0.5):
            emit("addcmul", [floats(a), floats(b), floats(c)], (value,))
            emit("addcdiv", [floats(a), floats(b), floats(c, 0.5, 2)], (value,))


def quotients():
    CALLS["half_square_over"] = lambda x, y, a: x * x / y / 2
    ELEMENTWISE.add("half_square_over")
    for a, b in PAIRS:
        emit("half_square_over", [floats(a, -2, 2), floats(b, 0.25, 2)])
    emit("half_square_over", [values(1, -1, 0, 3, 1024), values(1, -2, 5, 2**-20, 2**20)])


def divide(a, b):
    if a.is_floating_point():
        return a / b
    return torch.where(
        b == 0,
        torch.zeros_like(a),
        torch.div(a, torch.where(b == 0, torch.ones_like(b), b), rounding_mode="trunc"),
    )


CALLS.update({
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
    "eq": lambda x, y, a: x == y,
    "ne": lambda x, y, a: x != y,
    "lt": lambda x, y, a: x < y,
    "le": lambda x, y, a: x <= y,
    "gt": lambda x, y, a: x > y,
    "ge": lambda x, y, a: x >= y,
    "where": lambda c, x, y, a: torch.where(c.bool(), x, y),
    "masked_fill": lambda x, m, a: x.masked_fill(m.bool(), a[0]),
})
ELEMENTWISE.update("""add sub mul div mul_scalar neg exp log sqrt square abs tanh sigmoid relu softplus logsigmoid sign eq ne lt le gt ge where masked_fill""".split())
POSITIVE = {"log", "sqrt"}
SIMPLE = "neg exp log sqrt square abs tanh sigmoid relu softplus logsigmoid sign".split()
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


def simple():
    for call in SIMPLE:
        low = 0.0625 if call in POSITIVE else -4.0
        for shape in SHAPES:
            emit(call, [floats(shape, low, 4.0)])
        emit(call, [ENDS if call != "sign" else ENDS[:-1]])


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


def gated():
    CALLS["glu"] = lambda x, a: F.glu(x, int(a[0]))
    CALLS["prelu"] = lambda x, w, a: F.prelu(x, w)
    for shape, axis in [((2, 6), -1), ((4,), 0), ((2, 4, 3), 1), ((0, 4), 1)]:
        emit("glu", [floats(shape)], (axis,))
    for shape, w in [((3, 5), (1,)), ((3, 5), (5,)), ((2, 3, 4), (3,)), ((2, 3, 2, 2), (1,)), ((7,), (1,))]:
        emit("prelu", [floats(shape), floats(w)])
    emit("prelu", [values(0, -1, 2), values(0.25)])


def main():
    write(
        "elementwise",
        ("arithmetic", arithmetic),
        ("unary", simple),
        ("selection", selection),
        ("unary", unary),
        ("with_numbers", with_numbers),
        ("binary", binary),
        ("ternary", ternary),
        ("quotients", quotients),
        ("gated", gated),
    )
