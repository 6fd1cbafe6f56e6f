"""The sweep's elementwise functions: call of tests/ops/*/calls.c, formula in jets. Where mathematics leaves a choice
(kinks), the formula makes the one that the headers state."""

from mpmath import mp, mpf
from sweep_case import Case
from sweep_jet import (
    absolute, acos, acosh, asin, asinh, atan, atanh, chain, cos, cosh, erf, erfc, erfinv, exp, expm1, lgamma, lift, log,
    log1p, polygamma, power, reciprocal, sigmoid, sin, sinc, sinh, softplus, sqrt, step, tan, tanh,
)  # fmt: skip


def where(condition, a, b):
    """The branch that holds: a function, since the other may not exist there."""
    return lift(a() if condition else b())


def constant(x, v):
    """v, with slope 0."""
    return chain(x, mpf(v), mpf(0), mpf(0))


def clamp(x, lo, hi, at_bounds):
    """Slope 1 inside; at the bounds as said."""
    inside = lo <= x.v <= hi if at_bounds else lo < x.v < hi
    return x if inside else constant(x, min(max(x.v, lo), hi))


def relu(x):
    return where(x.v > 0, lambda: x, lambda: constant(x, 0))


def hardswish(x):
    if x.v <= -3:
        return constant(x, 0)
    return x * (x + 3) / 6 if x.v < 3 else x


def hardsigmoid(x):
    return clamp(x + 3, 0, 6, False) / 6


def gelu(x):
    return x * erfc(-x / mp.sqrt(2)) / 2


def gelu_tanh(x):
    return x * sigmoid(2 * mp.sqrt(2 / mp.pi) * (x + mpf("0.044715") * power(x, 3)))


SELU_ALPHA, SELU_SCALE = mpf("1.6732632423543772848170429916717"), mpf("1.0507009873554804934193349852946")


def elu(x, alpha, scale=1):
    return where(x.v > 0, lambda: x * scale, lambda: expm1(x) * alpha * scale)


def nan_to_num(x, nan, posinf, neginf):
    return x


def frac(x):
    return x - mp.sign(x.v) * mp.floor(abs(x.v))


def rounded(v):
    return mp.nint(v)  # halves to even


UNARY = [
    ("exp", exp), ("exp2", lambda x: exp(x * mp.ln2)), ("expm1", expm1),
    ("log", log), ("log2", lambda x: log(x) / mp.ln2), ("log10", lambda x: log(x) / mp.ln10), ("log1p", log1p),
    ("sqrt", sqrt), ("rsqrt", lambda x: reciprocal(sqrt(x))), ("reciprocal", reciprocal),
    ("square", lambda x: x * x), ("abs", absolute), ("sign", step(mp.sign)), ("neg", lambda x: -x),
    ("sin", sin), ("cos", cos), ("tan", tan), ("asin", asin), ("acos", acos), ("atan", atan),
    ("sinh", sinh), ("cosh", cosh), ("tanh", tanh), ("asinh", asinh), ("acosh", acosh), ("atanh", atanh),
    ("sigmoid", sigmoid), ("logsigmoid", lambda x: -softplus(-x)), ("softplus", softplus), ("relu", relu),
    ("erf", erf), ("erfc", erfc), ("erfinv", erfinv), ("lgamma", lgamma), ("digamma", lambda x: polygamma(0, x)),
    ("sinc", lambda x: sinc(0, x)),
    ("floor", step(mp.floor)), ("ceil", step(mp.ceil)), ("round", step(rounded)),
    ("trunc", step(lambda v: mp.sign(v) * mp.floor(abs(v)))), ("frac", frac),
    ("gelu", gelu), ("gelu_tanh", gelu_tanh), ("silu", lambda x: x * sigmoid(x)),
    ("mish", lambda x: x * tanh(softplus(x))), ("softsign", lambda x: x / (absolute(x) + 1)),
    ("hardsigmoid", hardsigmoid), ("hardswish", hardswish), ("selu", lambda x: elu(x, SELU_ALPHA, SELU_SCALE)),
]  # fmt: skip

WITH_NUMBERS = [
    ("affine", (-2.5, 0.75), lambda x, a, b: x * a + b),
    ("add_scalar", (0.375,), lambda x, a: x + a),
    ("mul_scalar", (1.75,), lambda x, a: x * a),
    ("clamp", (-0.5, 3), lambda x, a, b: clamp(x, a, b, True)),
    ("hardtanh", (-1, 1), lambda x, a, b: clamp(x, a, b, False)),
    ("leaky_relu", (0.25,), lambda x, a: where(x.v > 0, lambda: x, lambda: x * a)),
    ("elu", (0.75,), elu), ("elu", (2.0**100,), elu),
    ("celu", (0.5,), lambda x, a: where(x.v > 0, lambda: x, lambda: expm1(x / a) * a)),
    ("celu", (4,), lambda x, a: where(x.v > 0, lambda: x, lambda: expm1(x / a) * a)),
    ("softplus_beta", (2, 8), lambda x, b, t: where(b * x.v > t, lambda: x, lambda: softplus(x * b) / b)),
    ("celu", (2.0**-140,), lambda x, a: where(x.v > 0, lambda: x, lambda: expm1(x / a) * a)),
    ("softplus_beta", (2.0**-100, 1e30), lambda x, b, t: softplus(x * b) / b),
    ("softplus_beta", (0.25, 1e30), lambda x, b, t: softplus(x * b) / b),
    ("nan_to_num", (0.5, 7, -9), nan_to_num),
    ("pow_scalar", (0.5,), power), ("pow_scalar", (2,), power), ("pow_scalar", (3,), power),
    ("pow_scalar", (1,), power), ("pow_scalar", (0,), power), ("pow_scalar", (-1,), power),
    ("pow_scalar", (2.0**-20,), power), ("pow_scalar", (-(2.0**-20),), power), ("pow_scalar", (0.125,), power),
    ("pow_scalar", (300,), power), ("pow_scalar", (-301,), power),
    ("pow_scalar", (1.75,), power), ("pow_scalar", (-2.5,), power), ("pow_scalar", (10,), power),
    ("pow_scalar", (20,), power), ("pow_scalar", (64,), power),
    ("polygamma", (1,), lambda x, n: polygamma(int(n), x)), ("polygamma", (2,), lambda x, n: polygamma(int(n), x)),
    ("sinc_derivative", (1,), lambda x, n: sinc(int(n), x)), ("sinc_derivative", (2,), lambda x, n: sinc(int(n), x)),
]  # fmt: skip

# Ends where nothing is right: no limit, or the limit is not what IEEE arithmetic and the headers have there.
NO_LIMIT = {"sin", "cos", "tan", "lgamma", "digamma", "polygamma", "frac"}


STEPWISE = {"floor", "ceil", "round", "trunc", "sign", "abs", "relu", "hardtanh", "clamp", "hardsigmoid", "hardswish",
            "leaky_relu", "affine", "neg", "mul_scalar", "add_scalar", "nan_to_num", "frac", "square"}  # fmt: skip
INF = float("inf")


def ends_of(call, numbers):
    """What is right at an end by the headers or IEEE 754 and not as a limit; None: a choice, not compared."""
    nothing = [None] * 3
    if call == "rsqrt":
        return {"(-0.0,)": nothing}  # -inf by IEEE 754
    if call == "erfinv":
        return {str((s,)): [s * INF, INF, s * INF] for s in (1.0, -1.0)}
    if call == "nan_to_num":
        return {f"({x},)": [v, 0.0, 0.0] for x, v in zip(("nan", "inf", "-inf"), numbers)}
    if call == "pow_scalar" and numbers[0] == 0:
        return {"(nan,)": [1.0, None, None]}
    if call == "pow_scalar" and abs(numbers[0]) < 2.0**-10:
        return {f"({x},)": nothing for x in (0.0, -0.0, INF, -INF)}  # no limit finds 0 or infinity there
    if call == "pow_scalar" and numbers[0] % 1 != 0:
        return {"(-inf,)": nothing, "(-0.0,)": nothing}  # C's pow has infinities or zeros there
    return {}


def unary(call, formula, numbers=()):
    return Case(call, lambda in_: formula(in_[0][0], *numbers), numbers, ["*"], "reals",
                limits=call not in NO_LIMIT, stepwise=call in STEPWISE, ends=ends_of(call, numbers))


def cases():
    out = [unary(call, f) for call, f in UNARY]
    out += [unary(call, f, numbers) for call, numbers, f in WITH_NUMBERS]
    return out
