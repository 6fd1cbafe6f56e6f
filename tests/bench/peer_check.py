#!/usr/bin/env python3
"""What torch.autograd.gradcheck costs on the functions of check.c: milliseconds a check, the least of five, calls of the
function, and both for each element of the inputs. One thread.

usage: peer_check.py
"""

import time

import torch
from torch.autograd import gradcheck, gradgradcheck

torch.set_num_threads(1)


def attention(q, k, v):
    return (q @ k.T * 0.25).softmax(1) @ v


FUNCTIONS = [
    ("tanh(x w)", lambda x, w: torch.tanh(x @ w), 2, (20, 20)),
    ("softmax", lambda x: x.softmax(1), 1, (50, 16)),
    ("attention", attention, 3, (16, 16)),
]
WAYS = [
    ("gradcheck", lambda f, x: gradcheck(f, x)),
    ("gradcheck, fast_mode", lambda f, x: gradcheck(f, x, fast_mode=True)),
    ("gradgradcheck", lambda f, x: gradgradcheck(f, x)),
]

for name, f, n, size in FUNCTIONS:
    x = tuple(torch.randn(size, dtype=torch.float64, requires_grad=True) for _ in range(n))
    elements = n * size[0] * size[1]
    for way, check in WAYS:
        best = 1e9
        for _ in range(1 if way == "gradgradcheck" else 5):
            calls = 0

            def counted(*x):
                global calls
                calls += 1
                return f(*x)

            began = time.perf_counter()
            assert check(counted, x)
            best = min(best, time.perf_counter() - began)
        print(f"{name:10} {way:22} {1e3 * best:9.2f} {calls:8} {calls / elements:8.2f} {1e6 * best / elements:8.2f}")
