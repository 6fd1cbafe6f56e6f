"""Writes schedules.def: learning rate and momentum after 0 .. 59 steps of schedules of PyTorch, for
tests/ops/nn/optim/test_schedule.c, which makes the same ones under these names.

    python3 tests/golden/schedules.py > tests/golden/schedules.def
"""
import math
import warnings

import torch
from torch.optim import SGD, Adam
from torch.optim import lr_scheduler as s

warnings.simplefilter("ignore")
STEPS = 60


def metric(t):
    return (t * 7) % 11 / 8 + (5 - t / 4 if t < 20 else 0)


def plateau(**options):
    return lambda o: s.ReduceLROnPlateau(o, **options)


def one_cycle(max_lr, steps, **options):
    return lambda o: s.OneCycleLR(o, max_lr, steps, **options)


def warm_up(o):
    parts = [s.LinearLR(o, start_factor=0.01, total_iters=10), s.CosineAnnealingLR(o, 30, eta_min=1e-3), s.ExponentialLR(o, 0.9)]
    return s.SequentialLR(o, parts, milestones=[10, 40])


def steps_in_turn(o):
    parts = [s.ConstantLR(o, factor=0.5, total_iters=4), s.StepLR(o, 3), s.MultiStepLR(o, [2, 9], gamma=0.7)]
    return s.SequentialLR(o, parts, milestones=[9, 25])


CASES = [
    ("constant", lambda o: s.ConstantLR(o)),
    ("constant of options", lambda o: s.ConstantLR(o, factor=0.4, total_iters=17)),
    ("linear", lambda o: s.LinearLR(o, total_iters=20)),
    ("linear of options", lambda o: s.LinearLR(o, start_factor=0.1, end_factor=0.7, total_iters=13)),
    ("step", lambda o: s.StepLR(o, 20)),
    ("step of options", lambda o: s.StepLR(o, 7, gamma=0.5)),
    ("multi_step", lambda o: s.MultiStepLR(o, [5, 12, 40], gamma=0.3)),
    ("exponential", lambda o: s.ExponentialLR(o, 0.93)),
    ("cosine", lambda o: s.CosineAnnealingLR(o, 25)),
    ("cosine of options", lambda o: s.CosineAnnealingLR(o, 50, eta_min=1e-3)),
    ("one_cycle", one_cycle(0.7, STEPS)),
    ("one_cycle of adam", one_cycle(0.7, STEPS)),
    ("one_cycle, linear", one_cycle(0.7, 70, anneal_strategy="linear", pct_start=0.42)),
    ("one_cycle, three phases", one_cycle(0.7, 61, three_phase=True, div_factor=10, final_div_factor=100)),
    ("one_cycle, momentum", one_cycle(0.7, 75, base_momentum=0.6, max_momentum=0.8, three_phase=True, anneal_strategy="linear")),
    ("one_cycle, fixed", one_cycle(0.7, 64, cycle_momentum=False)),
    ("plateau", plateau()),
    ("plateau of options", plateau(factor=0.5, patience=2, cooldown=3, min_lr=0.01, threshold=0.1)),
    ("plateau, absolute", plateau(factor=0.6, patience=1, threshold=0.3, threshold_mode="abs", eps=0.004)),
    ("plateau, maximize", plateau(mode="max", factor=0.8, patience=3, threshold=0.05)),
    ("plateau, both", plateau(mode="max", factor=0.8, patience=0, threshold=0.2, threshold_mode="abs", cooldown=5)),
    ("warm-up", warm_up),
    ("in turn", steps_in_turn),
    ("chained", lambda o: s.ChainedScheduler([s.ConstantLR(o, factor=0.1, total_iters=6), s.ExponentialLR(o, 0.95), s.StepLR(o, 11, gamma=0.6)])),
    ("lambda", lambda o: s.LambdaLR(o, lambda t: 1 / math.sqrt(1 + t))),
]

print(f"/* Written by tests/golden/schedules.py with torch {torch.__version__.split('+')[0]}. */")
for name, make in CASES:
    p = [torch.zeros(1, dtype=torch.float64, requires_grad=True)]
    optim = Adam(p, lr=0.1, betas=(0.9, 0.99)) if "adam" in name else SGD(p, lr=0.1, momentum=0.9)
    schedule = make(optim)
    rows = []
    for t in range(STEPS):
        group = optim.param_groups[0]
        rows.append((group["lr"], group["betas"][0] if "adam" in name else group["momentum"]))
        optim.step()
        schedule.step(metric(t + 1)) if "plateau" in name else t + 1 < STEPS and schedule.step()
    for i, what in enumerate(("LR", "MOMENTUM")):
        numbers = [f"{row[i]!r}" for row in rows]
        if i and len(set(numbers)) == 1:
            numbers = numbers[:1]
        print(f'{what}("{name}", {", ".join(numbers)})')
