#!/usr/bin/env python3
"""torch.autograd.gradcheck on the cases of corpus_*.c that it can express, as a table.

usage: corpus_torch.py

A case is a function of one float64 tensor. "should pass" is what its gradient deserves; a gradient that nothing exercises
should not, nor one that cannot be told at the precision. Each is run with gradcheck's defaults, and with fast_mode=True.
"""

import math
import warnings

import torch
from torch.autograd import gradcheck, gradgradcheck

warnings.filterwarnings("ignore")


def op(f, slope):
    """An elementwise op whose rule says that its derivative is `slope`."""

    class Op(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.tensor([f(v) for v in x.tolist()], dtype=torch.float64)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * torch.tensor([slope(v) for v in x.tolist()], dtype=torch.float64)

    return Op.apply


def single(f):
    return lambda v: float(torch.tensor(v, dtype=torch.float32).apply_(f))


def logistic(v):
    return 1 / (1 + math.exp(-v))


def log_or_nan(v):
    return math.log(v) if v > 0 else math.nan


def narrow(v):
    return math.tanh((v - 1) / 1e-6)


def narrow_slope(v):
    return (1 - narrow(v) ** 2) / 1e-6


def last(x):
    return torch.max(x.reshape(2, 2), 1).values


def sorted_sum(x):
    return torch.sort(x).values * torch.arange(1.0, 1 + len(x), dtype=torch.float64)


def permuted(x):
    w = torch.arange(1.0, 1 + len(x), dtype=torch.float64)
    return x.detach() * w + (x - x.detach()) * w.flip(0)


def mean_for_sum(x):
    return (x.exp().sum() - x.exp().mean()).detach() + x.exp().mean()


def centred(x):
    y = x - x.mean()
    return (y / y.square().mean().sqrt()).sum()


def rounded(v, bits):
    m, e = math.frexp(v)
    return math.ldexp(round(math.ldexp(m, bits)), e - bits)


def jumpy(v):
    h = math.sin(1e7 * v) * 43758.5453
    return h - math.floor(h) - 0.5


def noisy(size):
    return lambda v: math.sin(v) + size * jumpy(v)


def one_of_many(x):
    return x.square().sum() + 2 * (x[0] - x[0].detach())


class Hypot(torch.autograd.Function):
    """hypot, whose rule has its numerators exchanged."""

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return torch.hypot(a, b)

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_tensors
        return g * b / torch.hypot(a, b), g * a / torch.hypot(a, b)


class Renorm(torch.autograd.Function):
    """x, or what of it has norm 1, whose rule takes the factor for a constant."""

    @staticmethod
    def forward(ctx, x):
        ctx.factor = 1 / max(1.0, float(x.norm()))
        return ctx.factor * x

    @staticmethod
    def backward(ctx, g):
        return ctx.factor * g


def wrong_where(condition):
    """x^2, whose rule loses the last element where the shape is such."""

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            slope = 2 * x.clone()
            if condition(x):
                slope.view(-1)[-1] = 0
            return g * slope

    return Square.apply


NUMBERS = [0.3, -0.7, 1.1, 0.5, -1.3, 0.9, 2.1, -0.2]


def shaped(*shape):
    """The numbers, over and over, in this shape."""
    n = math.prod(shape)
    return torch.tensor((NUMBERS * (n // 8 + 1))[:n], dtype=torch.float64).reshape(shape)


def many():
    torch.manual_seed(7)
    return torch.randn(4096, dtype=torch.float64)


SIN32 = single(math.sin)
CASES = [  # name, should pass, function, point, order
    ("relu at 0 (pytorch#114234)", True, op(lambda v: max(v, 0), lambda v: 0.0), [0, 0, 0], 1),
    ("relu at 0 with the other subgradient", True, op(lambda v: max(v, 0), lambda v: float(v >= 0)), [0, 0, 1], 1),
    ("|x| at 0", True, op(abs, lambda v: 0.5), [0], 1),
    ("max pooling with ties (pytorch#114219)", True, last, [1, 1, 2, 3], 1),
    ("runner-up within the step (tensorflow-fast-rcnn#12)", True, lambda x: x.amax(), [1, 1 - 1e-4, 0.3], 1),
    ("runner-up within any step", True, lambda x: x.amax(), [1, 1 - 1e-12, 0.3], 1),
    ("order of a sort flips (pytorch#57166)", True, sorted_sum, [1, 1 + 1e-5, 2, 0], 1),
    ("float32 forward (ChainRulesTestUtils#285)", True, op(SIN32, math.cos), [0.7, 1.1, -0.3], 1),
    ("step below the forward's epsilon (jax#7742, pytorch#115634)", True,
     op(lambda v: round(v * 2048) / 2048, lambda v: 1.0), [3.3, 900], 1),
    ("a stencil wider than the feature (gam#2461)", True, op(narrow, narrow_slope), [1, 1], 1),
    ("a bump of width 1e-6", True, op(lambda v: v + 1e-6 * narrow(v), lambda v: 2 - narrow(v) ** 2), [1], 1),
    ("large offset", True, op(lambda v: 1e8 + math.sin(v), math.cos), [0.7, 1.2], 1),
    ("stiff", True, op(lambda v: math.exp(-1e4 * v), lambda v: -1e4 * math.exp(-1e4 * v)), [1e-4, 3e-4], 1),
    ("RMS of 1e-19 and less (jax-gcm#847)", True, lambda x: x.square().mean().sqrt(), [1e-25, -2e-25, 3e-25], 1),
    ("at the edge of a domain", True, torch.sqrt, [1e-12, 1e-3], 1),
    ("linear (pyadjoint: log 0 / log 0)", True, lambda x: 3 * x, [1, 2, 3], 1),
    ("hypot beside a constant, three orders", True, lambda x: torch.hypot(x, torch.tensor(3.0, dtype=torch.float64)), [4, 5], 2),
    ("bottom of a bowl", True, op(lambda v: 1e-9 * v + math.cos(v), lambda v: 1e-9 - math.sin(v)), [0, 0], 1),
    ("1e-30 in all", True, op(lambda v: 1e-30 * v * v, lambda v: 2e-30 * v), [1, 3], 1),
    ("many uses of one element", True, lambda x: x[[0, 2, 0]].exp(), [0.3, 9, -0.4], 1),
    ("softmax under signed weights", True, lambda x: x.softmax(0), [1, 2, -1, 0.5], 1),
    ("values below float32's range", True, op(lambda v: SINGLE(v * 1e-20) * 1e20, lambda v: 1.0), [1.25, 3], 1),
    ("right twice", True, op(lambda v: v * v, lambda v: 2 * v), [1, 2], 1),
    ("gradient all zero (tiny-dnn#871, glow#1559)", False, op(lambda v: v * v, lambda v: 0.0), [1, 2, 3], 1),
    ("sign flipped (kann compares absolute values)", False, op(lambda v: v * v, lambda v: -2 * v), [1, 2, 3], 1),
    ("1e-9 that should be 2e-9 (atol 1e-5)", False,
     op(lambda v: 1e-9 * v + math.cos(v), lambda v: 2e-9 - math.sin(v)), [0], 1),
    ("1e-30 wrong by a factor", False, op(lambda v: 1e-30 * v * v, lambda v: 4e-30 * v), [1, 3], 1),
    ("3 % off in float32", False, op(SIN32, lambda v: 1.03 * math.cos(v)), [0.7, 1.1], 1),
    ("3 % off beside a large offset", False, op(lambda v: 1e8 + math.sin(v), lambda v: 1.03 * math.cos(v)), [0.7, 1.1], 1),
    ("10 % off in a narrow feature", False, op(narrow, lambda v: 0.9 * narrow_slope(v)), [1], 1),
    ("a factor 3 for 2", False, op(lambda v: v * v, lambda v: 3 * v), [1, 2], 1),
    ("no subgradient at a kink", False, op(lambda v: max(v, 0), lambda v: 2.0), [0], 1),
    ("NaN from the rule (ggml: NaN is not greater)", False, op(lambda v: v * v, lambda v: math.nan), [-1], 1),
    ("a path cut off", False, lambda x: x * x.detach(), [1.5, 2], 1),
    ("permuted", False, permuted, [1, 2, 3, 4], 1),
    ("mean for sum", False, mean_for_sum, [0.1, 0.2, 0.3, 0.4], 1),
    ("seed of ones under softmax", False, lambda x: x.softmax(0).sum(), [1, 2, -1, 0.5], 1),
    ("seed of ones under batch norm", False, centred, [1, 2, -1, 0.5], 1),
    ("a checker that checks nothing (caffe#350)", False,
     lambda x: torch.ones(2, dtype=torch.float64) + x.sum() * 0, [1, 2], 1),
    ("a step function", False, op(math.floor, lambda v: 0.0), [0.5, 1.4], 1),
    ("a step function with a slope", False, op(math.floor, lambda v: 1.0), [0.5, 1.4], 1),
    ("second order cut off (pytorch#79609)", False, None, [1, 2], 2),
    ("max_pool2d with ties (pytorch#114219)", True,
     lambda x: torch.nn.functional.max_pool2d(x.reshape(1, 1, 2, 4), 2), [1, 1, 4, 0, 1, 0.5, 2, 4], 1),
    ("f32 on the way", True, lambda x: x.float().sin().double(), [0.7, 1.1, -0.3], 1),
    ("norm of 1e-25 in f32", True, lambda x: torch.linalg.vector_norm(x.float()).double(), [1e-25, -2e-25, 3e-25], 1),
    ("evaluator noise (gam#2425)", True, op(noisy(1e-8), math.cos), [0.7, 1.2], 1),
    ("a forward difference at 0 (MATLAB)", True, op(lambda v: v * v + v, lambda v: 2 * v + 1), [0, 0], 1),
    ("scaling with dimension (jax#3130)", True, lambda x: x.square().sum(), many(), 1),
    ("scaling with dimension, a mean (chainer#3046)", True, lambda x: x.exp().mean(), many(), 1),
    ("hypot of two inputs", True, lambda x: torch.hypot(x[:2], x[2:]), [3e-200, 1e-200, 4e-200, -2e-200], 1),
    ("hypot at the origin", True, lambda x: torch.hypot(x[:1], x[1:]), [0, 0], 1),
    ("renorm (pytorch#59615)", True, lambda x: x * torch.clamp(1 / x.norm(), max=1.0), [3, -1, 0.5, 2], 1),
    ("renorm at its norm", True, lambda x: x / torch.clamp(x.norm(), min=1.0), [0, 1, 0], 1),
    ("renorm at its norm, the mean of both slopes", True,
     lambda x: x * torch.minimum(1 / x.norm(), torch.ones((), dtype=torch.float64)), [0, 1, 0], 1),
    ("f16 forward (jax#7742)", True, op(lambda v: rounded(math.sin(v), 11), math.cos), [0.7, 1.1], 1),
    ("bf16 forward (pytorch#115634)", False, op(lambda v: rounded(math.sin(v), 8), math.cos), [0.7, 1.1], 1),
    ("RMS of 1e-18 in f32 (jax-gcm#847)", True,
     lambda x: x.float().square().mean().sqrt().double(), [1e-18, -2e-18, 3e-18], 1),
    ("values in steps of 1/64", False, op(lambda v: round(64 * v) / 64, lambda v: 1.0), [0.7], 1),
    ("cos in f32 near its top", False, op(single(math.cos), lambda v: -math.sin(v)), [1e-3], 1),
    ("the mean of both slopes alone", True, op(lambda v: max(v, 0.01 * v), lambda v: 0.505), [0], 1),
    ("a kink amid curvature", True, op(lambda v: abs(v) + 1e3 * v * v, lambda v: 0.5), [0], 1),
    ("a point that is large beside the period", True, op(math.sin, math.cos), [1e9 + 0.3, 1e10], 1),
    ("e^-20 beside e^20", True, op(math.exp, math.exp), [-20, 20, -5, 1], 1),
    ("e^-20 beside e^20, negated", False, op(math.exp, lambda v: -math.exp(v) if v < -10 else math.exp(v)),
     [-20, 20, -5, 1], 1),
    ("a saturated sigmoid with no slope", False,
     op(logistic, lambda v: 0.0 if v < -10 else logistic(v) * logistic(-v)), [-40, 0.3, 2], 1),
    ("a kink at 1e-9", True, op(lambda v: max(v, 0.7 - 1e-9), lambda v: 1.0), [0.7], 1),
    ("a kink at 1e-9, the other side's slope", False, op(lambda v: max(v, 0.7 - 1e-9), lambda v: 0.0), [0.7], 1),
    ("log of 1e-12 beside 1", True, op(log_or_nan, lambda v: 1 / v), [1, 1e-12, 0.5], 1),
    ("log of 1e-12 beside 1, with no slope", False, op(log_or_nan, lambda v: 0.0 if v < 1e-6 else 1 / v),
     [1, 1e-12, 0.5], 1),
    ("f32 that does not move beside 1e10", False, op(lambda v: SINGLE(math.exp(v) + 1e10), math.exp), [0.3, 1.1], 1),
    ("noise as large as what it hides", False, op(noisy(0.1), math.cos), [0.7, 1.2], 1),
    ("sign flipped in bf16", False, op(lambda v: rounded(math.sin(v), 8), lambda v: -math.cos(v)), [0.7, 1.1], 1),
    ("10 % off in f16", False, op(lambda v: rounded(math.sin(v), 11), lambda v: 1.1 * math.cos(v)), [0.7, 1.1], 1),
    ("3 % cut off in f32 on the way", False,
     lambda x: (x.float().sin() + 0.03 * x.detach().float().sin()).double(), [0.7, 1.1, -0.3], 1),
    ("3 % off amid evaluator noise", False, op(noisy(1e-8), lambda v: 1.03 * math.cos(v)), [0.7, 1.2], 1),
    ("1e-9 with the wrong sign", False, op(lambda v: 1e-9 * v, lambda v: -1e-9), [0.4, 3], 1),
    ("1e-9 that should not be 0", False, op(lambda v: 1e-9 * v, lambda v: 0.0), [0.4, 3], 1),
    ("stiff, 10 % off", False, op(lambda v: math.exp(-1e4 * v), lambda v: -1.1e4 * math.exp(-1e4 * v)), [1e-4, 3e-4], 1),
    ("1 % off at 0", False, op(lambda v: v * v + v, lambda v: 2 * v + 1.01), [0, 0], 1),
    ("one of 4096, along directions", False, one_of_many, many(), 1),
    ("hypot mirrored (ChainRules#74, #76)", False, lambda x: Hypot.apply(x[:2], x[2:]), [3, 1, 4, -2], 1),
    ("renorm with its factor held (pytorch#59615)", False, Renorm.apply, [3, -1, 0.5, 2], 1),
    ("a scalar", True, torch.exp, shaped(), 1),
    ("a scalar, two orders", True, torch.exp, shaped(), 2),
    ("all axes of size 1", True, torch.exp, shaped(1, 1, 1), 1),
    ("eight axes", True, torch.exp, shaped(1, 1, 2, 1, 1, 1, 2, 1), 1),
    ("a column, broadcast", True, lambda x: x * x.T.sin(), shaped(4, 1), 1),
    ("a row, broadcast", True, lambda x: x * x.T.sin(), shaped(1, 4), 1),
    ("an axis of size 1 between others", True,
     lambda x: x.square().mean() + x.exp().sum(1, keepdim=True), shaped(3, 1, 5), 1),
    ("the same, two orders", True, lambda x: x.square().mean() + x.exp().sum(1, keepdim=True), shaped(3, 1, 5), 2),
    ("a transposed view", True, lambda x: x.softmax(-1), shaped(2, 4).T, 1),
    ("a reversed view", True, torch.exp, shaped(5).flip(0), 1),
    ("a view with gaps", True, torch.exp, shaped(4, 7)[:, 1::3], 1),
    ("views that overlap", True, lambda x: x[:-2] * x[1:-1] * x[2:], shaped(7), 1),
    ("an even number of elements (burn#5304)", True, wrong_where(lambda x: x.numel() % 2), shaped(6), 1),
    ("no elements", False, torch.exp, shaped(3, 0), 1),
    ("softmax over an axis of size 1", False, lambda x: x.softmax(-1), shaped(4, 1), 1),
    ("one example standardised", False, lambda x: 3 * (x - x.mean(-1, keepdim=True)), shaped(4, 1), 1),
    ("the last element of any shape", False, wrong_where(lambda x: True), shaped(3, 1, 5), 1),
    ("the only element of a scalar", False, wrong_where(lambda x: x.dim() == 0), shaped(), 1),
    ("where an axis has size 1", False, wrong_where(lambda x: 1 in x.shape), shaped(3, 1, 5), 1),
    ("an odd number of elements (burn#5304)", False, wrong_where(lambda x: x.numel() % 2), shaped(7), 1),
]


def SINGLE(v):
    return float(torch.tensor(v, dtype=torch.float32))


class ThirdCube(torch.autograd.Function):
    """x^3 / 3, whose rule is right and forgets its own history."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3 / 3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (x * x).detach()


def passes(f, point, order, fast):
    x = torch.as_tensor(point, dtype=torch.float64).detach().requires_grad_()
    torch.manual_seed(0)
    try:
        ok = gradcheck(f, (x,), fast_mode=fast)
        if ok and order == 2:
            ok = gradgradcheck(f, (x,), fast_mode=fast)
        return bool(ok)
    except Exception:  # gradcheck raises what it finds; a function that cannot be run does not pass
        return False


def main():
    print("| case | should pass | gradcheck | fast_mode |\n|---|---|---|---|")
    count = {}
    for name, should, f, point, order in CASES:
        f = f or ThirdCube.apply
        row = [passes(f, point, order, fast) for fast in (False, True)]
        for mode, is_ in zip(("gradcheck", "fast_mode"), row):
            key = (mode, "right" if is_ == should else "false alarm" if should else "false pass")
            count[key] = count.get(key, 0) + 1
        word = {True: "passes", False: "fails"}
        marks = [word[r] + ("" if r == should else " (wrong)") for r in row]
        print(f"| {name} | {'yes' if should else 'no'} | {marks[0]} | {marks[1]} |")
    for mode in ("gradcheck", "fast_mode"):
        print(f"\n{mode}: {len(CASES)} cases, false alarms {count.get((mode, 'false alarm'), 0)}, "
              f"false passes {count.get((mode, 'false pass'), 0)}")


if __name__ == "__main__":
    main()
