"""Writes optimisers.def: twenty steps of optimisers of PyTorch in float64, of a small network, for
tests/ops/nn/optim/test_torch.c, which makes the same ones under these names.

    python3 tests/golden/optimisers.py > tests/golden/optimisers.def

PATH has a number for each step, the sum of parameter j over 1 + j, END has the parameters after the last. Muon orthogonalises
in float64, where PyTorch does in bfloat16, and nothing else is changed. Lion, which PyTorch lacks, is the paper's algorithm.
L-BFGS amplifies rounding errors: in the cases here a parameter that is 2e-16 off at first moves PyTorch by less than 1e-11.
"""
import inspect
import warnings

import torch
from torch import optim
from torch.optim import _muon, lr_scheduler

warnings.simplefilter("ignore")
STEPS = 20
exec(inspect.getsource(_muon._zeropower_via_newtonschulz).replace("bfloat16", "float64"), vars(_muon))


class Lion(optim.Optimizer):
    def __init__(self, params, lr, betas=(0.9, 0.99), weight_decay=0.0, maximize=False):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                g = -p.grad if group["maximize"] else p.grad
                m = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(group["lr"] * torch.sign(b1 * m + (1 - b1) * g))
                m.mul_(b2).add_((1 - b2) * g)


def numbers(*shape, a, b, c):
    """((a i) mod b - b // 2) / c"""
    n = torch.Size(shape).numel()
    return (((torch.arange(n, dtype=torch.float64) * a) % b - b // 2) / c).reshape(shape)


def parameters():
    made = {
        "hidden.weight": numbers(4, 3, a=7, b=11, c=8),
        "hidden.bias": numbers(4, a=3, b=7, c=8),
        "out.weight": numbers(2, 4, a=5, b=9, c=8),
        "out.bias": numbers(2, a=2, b=5, c=8),
    }
    return {name: p.requires_grad_() for name, p in made.items()}


X, Y = numbers(6, 3, a=5, b=13, c=8), numbers(6, 2, a=3, b=7, c=4)


def loss_of(p):
    h = torch.tanh(X @ p["hidden.weight"].T + p["hidden.bias"])
    return ((h @ p["out.weight"].T + p["out.bias"] - Y) ** 2).mean()


def of(kind, lr, **options):
    return lambda p: ([kind(list(p.values()), lr=lr, **options)], None)


def grouped(kind, groups, schedule=None, **options):
    """groups: (how the names of a group end, its numbers)"""

    def make(p):
        left, made = dict(p), []
        for ends, given in groups:
            names = [n for n in left if n.endswith(ends) or n.startswith(ends)]
            made.append({"params": [left.pop(n) for n in names], **given})
        made.insert(0, {"params": list(left.values())})
        o = kind(made, **options)
        return [o], schedule(o) if schedule else None

    return make


def muon(**options):
    def make(p):
        own = [q for q in p.values() if q.ndim == 2]
        return [optim.Muon(own, lr=0.05, **options), optim.AdamW([q for q in p.values() if q.ndim != 2], lr=0.05)], None

    return make


def lbfgs(lr=1, **options):
    return of(optim.LBFGS, lr, **options)


S, R = optim.SGD, optim.RMSprop
BIAS = [("bias", {"weight_decay": 0})]
TWO = [("bias", {"lr": 0.2, "weight_decay": 0}), ("out.", {"lr": 0.02})]
CASES = [
    ("sgd", of(S, 0.1)),
    ("sgd, decay", of(S, 0.1, weight_decay=0.1)),
    ("sgd, momentum", of(S, 0.1, momentum=0.9, weight_decay=0.1)),
    ("sgd, dampening", of(S, 0.1, momentum=0.9, dampening=0.3)),
    ("sgd, nesterov", of(S, 0.1, momentum=0.9, nesterov=True, weight_decay=0.1)),
    ("sgd, maximize", of(S, 0.01, maximize=True, weight_decay=0.1)),
    ("sgd, maximize, momentum", of(S, 0.01, maximize=True, momentum=0.9, dampening=0.5, weight_decay=0.1)),
    ("sgd, maximize, nesterov", of(S, 0.01, maximize=True, momentum=0.9, nesterov=True, weight_decay=0.1)),
    ("adam", of(optim.Adam, 0.05)),
    ("adam, options", of(optim.Adam, 0.05, betas=(0.8, 0.95), eps=0.01, weight_decay=0.1)),
    ("adam, amsgrad", of(optim.Adam, 0.1, amsgrad=True, betas=(0.9, 0.5), weight_decay=0.1)),
    ("adam, maximize", of(optim.Adam, 0.01, maximize=True, weight_decay=0.1)),
    ("adam, decoupled, amsgrad", of(optim.AdamW, 0.1, amsgrad=True, betas=(0.9, 0.5), weight_decay=0.1)),
    ("adamw", of(optim.AdamW, 0.05)),
    ("adamw, options", of(optim.AdamW, 0.05, betas=(0.8, 0.95), eps=0.01, weight_decay=0.1)),
    ("adamw, amsgrad", of(optim.AdamW, 0.1, amsgrad=True, betas=(0.9, 0.5))),
    ("adamw, maximize", of(optim.AdamW, 0.01, maximize=True)),
    ("adamax", of(optim.Adamax, 0.05)),
    ("adamax, options", of(optim.Adamax, 0.05, betas=(0.8, 0.95), eps=0.01, weight_decay=0.1, maximize=True)),
    ("rmsprop", of(R, 0.01)),
    ("rmsprop, options", of(R, 0.01, alpha=0.8, eps=0.01, weight_decay=0.1)),
    ("rmsprop, momentum", of(R, 0.01, momentum=0.9)),
    ("rmsprop, centered", of(R, 0.01, centered=True, alpha=0.9, eps=0.001)),
    ("rmsprop, both", of(R, 0.01, centered=True, momentum=0.7, alpha=0.9, eps=0.01, weight_decay=0.1, maximize=True)),
    ("adagrad", of(optim.Adagrad, 0.1)),
    ("adagrad, options", of(optim.Adagrad, 0.1, lr_decay=0.1, initial_accumulator_value=0.5, eps=0.01, weight_decay=0.1)),
    ("adagrad, maximize", of(optim.Adagrad, 0.01, maximize=True, weight_decay=0.1)),
    ("adadelta", of(optim.Adadelta, 1)),
    ("adadelta, options", of(optim.Adadelta, 0.5, rho=0.8, eps=0.01, weight_decay=0.1, maximize=True)),
    ("lion", of(Lion, 0.01)),
    ("lion, options", of(Lion, 0.01, betas=(0.8, 0.95), weight_decay=0.3, maximize=True)),
    ("muon", muon()),
    ("muon, options", muon(momentum=0.8, nesterov=False, weight_decay=0.3, ns_steps=3, ns_coefficients=(3.0, -3.5, 1.5))),
    ("muon, rms", muon(adjust_lr_fn="match_rms_adamw")),
    ("lbfgs", lbfgs(0.5, max_iter=3)),
    ("lbfgs, short history", lbfgs(0.5, max_iter=3, history_size=2)),
    ("lbfgs, wolfe", lbfgs(max_iter=2, line_search_fn="strong_wolfe")),
    ("lbfgs, wolfe, options", lbfgs(10, max_iter=1, max_eval=4, history_size=3, line_search_fn="strong_wolfe")),
    ("lbfgs, wolfe, few losses", lbfgs(0.5, max_iter=2, max_eval=7, history_size=5, line_search_fn="strong_wolfe")),
    ("groups of adamw", grouped(optim.AdamW, BIAS, lr=0.05, weight_decay=0.1)),
    ("groups of sgd", grouped(S, [("bias", {"momentum": 0, "lr": 0.3})], lr=0.05, momentum=0.9)),
    ("two groups", grouped(optim.Adam, TWO, lr=0.05, weight_decay=0.1)),
    ("groups, cosine", grouped(S, TWO, lambda o: lr_scheduler.CosineAnnealingLR(o, 15, eta_min=0.005), lr=0.1, momentum=0.9)),
    ("groups, step", grouped(optim.Adam, TWO, lambda o: lr_scheduler.StepLR(o, 4, gamma=0.5), lr=0.1)),
    ("groups, one_cycle", grouped(S, TWO, lambda o: lr_scheduler.OneCycleLR(o, 0.1, 25), lr=0.1, momentum=0.9)),
    ("groups, plateau", grouped(S, TWO, lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=0, eps=0.012), lr=0.1)),
]

print(f"/* Written by tests/golden/optimisers.py with torch {torch.__version__.split('+')[0]}. */")
for name, make in CASES:
    p = parameters()
    optims, schedule = make(p)
    path = []

    def closure():
        for q in p.values():
            q.grad = None
        loss = loss_of(p)
        loss.backward()
        return loss

    for t in range(STEPS):
        if "lbfgs" in name:
            optims[0].step(closure)
        else:
            closure()
            for o in optims:
                o.step()
        if schedule:
            schedule.step((t * 7) % 5 / 8) if "plateau" in name else schedule.step()
        flat = torch.cat([q.detach().flatten() for q in p.values()])
        path.append((flat / torch.arange(1, len(flat) + 1)).sum().item())
    print(f'PATH("{name}", {", ".join(map(repr, path))})')
    print(f'END("{name}", {", ".join(map(repr, flat.tolist()))})')
