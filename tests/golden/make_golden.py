#!/usr/bin/env python3
"""Writes golden numbers: values and gradients of the ops of a room as PyTorch computes them in float64.

usage: python3 make_golden.py ROOM | gzip -9n > ROOM.golden.gz       (PyTorch on the CPU)

Calls and cases stand in cases_ROOM.py; here is what they share. The numbers are compared by tests/ops/test_golden.c.
Running this again must change nothing but last digits: inputs come from a generator with fixed seeds, on a grid that
float32 holds exactly, so that one file serves both float types; how PyTorch sums and rounds depends on the processor.

A case is a few lines:
    case CALL NUMBER...        the call of tests/ops/ROOM/calls.c and its numbers
    in DTYPE RANK SIZE... VALUE...
    out DTYPE RANK SIZE... VALUE...
    seed VALUE...              dL/d(out), of out's shape; only where there are gradients
    grad INPUT VALUE...        dL/d(input), of the input's shape
    scale OUT GRAD             what errors are relative to beside the element itself: 0, or the largest term

Where PyTorch means something else, the rooms say in its words what ours mean; docs/testing.md lists these differences.
"""

import importlib
import math
import random
import sys

import torch

torch.set_num_threads(1)
DTYPES = {
    "f64": torch.float64,
    "i32": torch.int32,
    "i64": torch.int64,
    "u8": torch.uint8,
    "bool": torch.bool,
}
NAMES = {v: k for k, v in DTYPES.items()}
rng = random.Random()


# ---- the calls, as PyTorch spells them: each room adds its own ----

CALLS = {}
# Each output element is a function of few inputs: errors are relative to the element. Elsewhere terms cancel.
ELEMENTWISE = set()


def wrapped(index, size):
    """PyTorch takes no negative index here."""
    index = index.to(torch.int64)
    return torch.where(index < 0, index + size, index)


# ---- inputs ----

SHAPES = [(3, 5), (), (0, 3), (1,), (17,), (2, 3, 4)]


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


def write(room, *groups):
    """Prints the cases of each group, a function, from a seed of its own: cases added at the end of one change no others."""
    print("# PyTorch", torch.__version__.split("+")[0], "float64; written by make_golden.py", room)
    for seed, cases in groups:
        rng.seed(seed)
        cases()


if __name__ == "__main__":
    importlib.import_module("cases_" + sys.argv[1]).main()
