#!/usr/bin/env python3
"""torch.autograd.gradcheck on the cases of test_corpus.c that it can express, as a table.

usage: corpus_torch.py

A case is a function of one float64 vector. "should pass" is what its gradient deserves; a gradient that nothing exercises
should not. Each is run with gradcheck's defaults, and with fast_mode=True.
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
    ("linear, order 2", True, lambda x: torch.hypot(x, torch.tensor(3.0, dtype=torch.float64)), [4, 5], 2),
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
    x = torch.tensor(point, dtype=torch.float64, requires_grad=True)
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
