#!/usr/bin/env python3
"""PyTorch's side of the bench: the workloads of tests/bench/*.c under the same names, with the same shapes, losses and
optimisers, timed the same way.

usage: peer_torch.py THREADS [WORKLOAD ...]          prints name <tab> microseconds per step
       peer_torch.py --compile THREADS [WORKLOAD ...] the same by torch.compile, behind it <tab> seconds of the first step;
                                                     workloads made by `training`, `squares` and `composed`
       peer_torch.py --memory THREADS [WORKLOAD ...] prints name <tab> MiB, as bench --memory
       peer_torch.py --ops THREADS [OP ...]          prints op <tab> n <tab> forward <tab> backward, as bench_ops
"""

import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

from timing import seconds_a_step


def as_it_is(f):
    return f


prepare = as_it_is  # or torch.compile, for what is differentiated


def training(model, loss, optimiser):
    loss = prepare(loss)

    def step():
        optimiser.zero_grad(set_to_none=True)
        loss(model).backward()
        optimiser.step()

    return step


# ---- workloads ----


def chain1000():
    x = torch.ones((), requires_grad=True)

    def step():
        x.grad = None
        y = x
        for _ in range(1000):
            y = y + x
        y.backward()

    return step


def xor():
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    return training(model, lambda m: F.binary_cross_entropy_with_logits(m(x), y), sgd)


def classifier(model, x, classes=10):
    y = torch.randint(0, classes, (x.shape[0],))
    return training(model, lambda m: F.cross_entropy(m(x), y), torch.optim.Adam(model.parameters(), lr=1e-3))


def mlp(batch):
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    return classifier(model, torch.randn(batch, 784))


def cnn_b64():
    def stage(channels, filters):
        return [nn.Conv2d(channels, filters, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]

    head = [nn.Flatten(), nn.Linear(32 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10)]
    return classifier(nn.Sequential(*stage(1, 16), *stage(16, 32), *head), torch.randn(64, 1, 28, 28))


def cnn_norm():
    def stage(channels):
        return [nn.Conv2d(channels, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()]

    head = [nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8192, 10)]
    return classifier(nn.Sequential(*stage(3), *stage(32), *head), torch.randn(32, 3, 32, 32))


def squares(f, *inputs):
    """The mean of the squares of f, and its gradient in all inputs."""
    inputs = [x.requires_grad_() for x in inputs]
    mean = prepare(lambda *x: f(*x).square().mean())
    return lambda: torch.autograd.grad(mean(*inputs), inputs)


def convolution(x, w, **options):
    return lambda: squares(lambda x, w: F.conv2d(x, w, **options), torch.randn(x), 0.1 * torch.randn(w))


def composed(f, *inputs):
    """A number, and its gradient in all inputs."""
    inputs = [x.requires_grad_() for x in inputs]
    f = prepare(f)
    return lambda: torch.autograd.grad(f(*inputs), inputs)


def elementwise(a, b, c):
    y = a * b + c
    u = torch.sigmoid(y) * torch.tanh(y)
    return (u.square() + torch.exp(-(u * a)) - b).mean()


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1].square()).square() + (1 - x[:-1]).square()).sum()


def orbit(q, v, steps=200, h=0.01):
    """As in compositions.c."""

    def motion(q, v):
        return v, -(q * q.square().sum(0, keepdim=True).pow(-1.5))

    for _ in range(steps):
        a = motion(q, v)
        b = motion(q + a[0] * (h / 2), v + a[1] * (h / 2))
        c = motion(q + b[0] * (h / 2), v + b[1] * (h / 2))
        d = motion(q + c[0] * h, v + c[1] * h)
        q, v = (x + (a + d + (b + c) * 2) * (h / 6) for x, a, b, c, d in zip((q, v), a, b, c, d))
    return q.square().sum()


class Attention(nn.Module):
    """Causal self-attention over [n, t, width]."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.into, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        parts = [p.unflatten(-1, (self.heads, -1)).transpose(1, 2) for p in self.into(x).chunk(3, -1)]
        y = F.scaled_dot_product_attention(*parts, is_causal=True)
        return self.out(y.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attend = nn.Sequential(nn.LayerNorm(width), Attention(width, heads))
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(),
                                 nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + self.attend(x)
        return x + self.mlp(x)


class Decoder(nn.Module):
    def __init__(self, tokens=96, width=128, context=128, blocks=4, heads=4):
        super().__init__()
        self.token, self.place = nn.Embedding(tokens, width), nn.Embedding(context, width)
        self.body = nn.Sequential(*(Block(width, heads) for _ in range(blocks)), nn.LayerNorm(width),
                                  nn.Linear(width, tokens, bias=False))

    def forward(self, tokens):
        return self.body(self.token(tokens) + self.place(torch.arange(tokens.shape[1])))


def gpt():
    x, y = torch.randint(0, 96, (16, 128)), torch.randint(0, 96, (16 * 128,))
    model = Decoder()
    adamw = torch.optim.AdamW(model.parameters(), lr=3e-4)
    return training(model, lambda m: F.cross_entropy(m(x).flatten(0, 1), y), adamw)


def recurrent(kind):
    x, y = torch.randn(32, 32, 64), torch.randn(32, 32, 128)
    model = kind(64, 128, batch_first=True)
    return training(model, lambda m: F.mse_loss(m(x)[0], y), torch.optim.Adam(model.parameters(), lr=1e-3))


def hvp():
    x, y = torch.randn(64, 64), torch.randn(64, 1)
    model = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
    p = list(model.parameters())
    v = [torch.randn_like(q) for q in p]

    def step():
        g = torch.autograd.grad(F.mse_loss(model(x), y), p, create_graph=True)
        torch.autograd.grad(sum((a * b).sum() for a, b in zip(g, v)), p)

    return step


def there_and_back(f, shape, seed):
    """f and its gradient in x, for a gradient of the output that seed() makes."""
    x, dy = torch.randn(shape, requires_grad=True), seed(shape)

    def step():
        x.grad = None
        f(x).backward(dy)

    return step


def million(f):
    return lambda: there_and_back(f, 1 << 20, torch.ones)


def rows(f):
    return lambda: there_and_back(f, (2048, 512), torch.randn)


def attention(batch, heads, length, size):
    qkv = torch.randn(batch, length, 3, heads, size, requires_grad=True)
    seed = torch.randn(batch, heads, length, size)

    def step():
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        torch.autograd.grad(F.scaled_dot_product_attention(q, k, v, is_causal=True), qkv, seed)

    return step


WORKLOADS = {
    "chain1000": chain1000,
    "xor": xor,
    "mlp_b64": lambda: mlp(64),
    "mlp_b1024": lambda: mlp(1024),
    "matmul_batch": lambda: squares(torch.matmul, torch.randn(64, 128, 64), torch.randn(64, 64, 128)),
    "cnn_b64": cnn_b64,
    "cnn_norm": cnn_norm,
    "conv_depthwise": convolution((16, 64, 32, 32), (64, 1, 3, 3), groups=64, padding=1),
    "conv_depthwise_stride": convolution((16, 64, 32, 32), (64, 1, 3, 3), groups=64, padding=1, stride=2),
    "conv_depthwise_odd": convolution((16, 96, 27, 27), (96, 1, 5, 5), groups=96, padding=2),
    "conv_depthwise_small": convolution((64, 192, 7, 7), (192, 1, 3, 3), groups=192, padding=1),
    "conv_depthwise_line": convolution((16, 64, 1, 1024), (64, 1, 1, 3), groups=64, padding=(0, 1)),
    "conv_depthwise_one": convolution((1, 32, 64, 64), (32, 1, 3, 3), groups=32, padding=2, dilation=2),
    "conv_grouped": convolution((16, 64, 32, 32), (64, 4, 3, 3), groups=16, padding=1),
    "gpt": gpt,
    "lstm": lambda: recurrent(nn.LSTM),
    "gru": lambda: recurrent(nn.GRU),
    "hvp": hvp,
    "exp_1M": million(torch.exp),
    "tanh_1M": million(torch.tanh),
    "gelu_1M": million(F.gelu),
    "sigmoid_1M": million(torch.sigmoid),
    "softmax_rows": rows(lambda x: x.softmax(-1)),
    "layernorm_rows": rows(lambda x: F.layer_norm(x, (512,))),
    "sum_rows": rows(lambda x: x.sum(-1, keepdim=True).expand(2048, 512)),
    "elementwise": lambda: composed(elementwise, *(torch.randn(1 << 20) for _ in range(3))),
    "mish_composed": lambda: composed(lambda x: (x * torch.tanh(F.softplus(x))).mean(), torch.randn(1 << 20)),
    "swiglu_composed": lambda: composed(lambda a, b: (a * torch.sigmoid(a) * b).mean(), torch.randn(1 << 20),
                                        torch.randn(1 << 20)),
    "rosenbrock": lambda: composed(rosenbrock, torch.randn(1000)),
    "orbit": lambda: composed(orbit, torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.1])),
    "attention_gpt": lambda: attention(16, 4, 128, 32),
    "attention_512": lambda: attention(4, 8, 512, 64),
}

# ---- single ops: the rows of ops.c ----


def flat(n, i):
    return (n,)


def in_rows(n, i):
    return (n // 256, 256)


def narrow(n, i):
    return (16,) if i else (n // 16, 16)


def column(n, i):
    return n // 16, 1 if i else 16


def square(n, i):
    side = 1 << ((n.bit_length() - 1) // 2)
    return (side, side)


def images(n, i):
    return (8, 4, 3, 3) if i else (n // 1024, 4, 16, 16)


def rms_norm(x):
    return F.rms_norm(x, x.shape[-1:])


UNARY = {f: getattr(torch, f) for f in """exp expm1 sqrt rsqrt square abs sin cos atan sinh tanh sigmoid relu
    log log1p tan lgamma reciprocal erf""".split()}
UNARY.update({
    "logsigmoid": F.logsigmoid, "softplus": F.softplus, "gelu": F.gelu, "silu": F.silu, "mish": F.mish, "selu": F.selu,
    "hardswish": F.hardswish, "elu": F.elu, "clamp": lambda x: x.clamp(-1, 1),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.01), "pow_scalar": lambda x: x**3,
})
BINARY = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "pow": torch.pow, "maximum": torch.maximum,
    "atan2": torch.atan2, "hypot": torch.hypot, "logaddexp": torch.logaddexp,
    "concat": lambda a, b: torch.cat((a, b)),
}
OVER = {
    "sum": lambda x: x.sum(-1), "mean": lambda x: x.mean(-1), "sum_columns": lambda x: x.sum(0),
    "amax": lambda x: x.amax(-1), "prod": lambda x: x.prod(-1), "logsumexp": lambda x: x.logsumexp(-1),
    "var": lambda x: x.var(-1), "softmax": lambda x: x.softmax(-1), "log_softmax": lambda x: x.log_softmax(-1),
    "layer_norm": lambda x: F.layer_norm(x, x.shape[-1:]), "rms_norm": rms_norm, "cumsum": lambda x: x.cumsum(-1),
    "sort": lambda x: x.sort(-1).values, "transpose": lambda x: x.t().contiguous(),
}
IMAGES = {"max_pool2d": lambda x: F.max_pool2d(x, 2), "avg_pool2d": lambda x: F.avg_pool2d(x, 2)}
POSITIVE = set("log log1p sqrt rsqrt tan lgamma reciprocal div pow prod".split())
OPS = {name: (f, form, inputs)
       for table, form, inputs in ((UNARY, flat, 1), (BINARY, flat, 2), (OVER, in_rows, 1),
                                   ({"matmul": torch.matmul, "add_turned": lambda a, b: a + b.t()}, square, 2),
                                   ({"exp_turned": lambda a: a.t().exp()}, square, 1),
                                   ({"add_row": torch.add}, narrow, 2), ({"add_column": torch.add}, column, 2),
                                   ({"conv2d": lambda x, w: F.conv2d(x, w, padding=1)}, images, 2), (IMAGES, images, 1))
       for name, f in table.items()}


def time_op(name, n):
    f, form, inputs = OPS[name]
    draw = (lambda s: 0.5 + torch.rand(s)) if name in POSITIVE else torch.randn
    x = [draw(form(n, i)).requires_grad_() for i in range(inputs)]
    ahead = seconds_a_step(lambda: f(*x), 0.09)
    y = f(*x)
    dy = torch.randn_like(y)
    back = seconds_a_step(lambda: torch.autograd.grad(y, x, dy, retain_graph=True), 0.09)
    print(f"{name}\t{n}\t{ahead * 1e6:.2f}\t{back * 1e6:.2f}", flush=True)


def time_compiled(name):
    step = WORKLOADS[name]()
    start = time.perf_counter()
    step()
    first = time.perf_counter() - start
    print(f"{name}\t{seconds_a_step(step) * 1e6:.1f}\t{first:.1f}", flush=True)


def status_of(field):
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(field + ":")) / 1024


def growth(name):
    """MiB of resident memory at the peak of making the workload and five steps, above what there was before. What
    PyTorch loads at its first training step is not counted: another workload has one before."""
    WORKLOADS["xor"]()()
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")
    before = status_of("VmRSS")
    step = WORKLOADS[name]()
    for _ in range(5):
        step()
    return status_of("VmHWM") - before


def main():
    global prepare
    arguments = sys.argv[1:]
    if arguments[:1] == ["--compile"]:
        prepare = torch.compile
        arguments = arguments[1:]
    ops, memory = arguments[:1] == ["--ops"], arguments[:1] == ["--memory"]
    threads, *names = arguments[ops or memory:] or ["1"]
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    for name in names or (OPS if ops else WORKLOADS):
        if ops:
            for n in (1 << 10, 1 << 15, 1 << 20):
                time_op(name, n)
        elif memory:
            print(f"{name}\t{growth(name):.1f}", flush=True)
        elif prepare is not as_it_is:
            time_compiled(name)
        else:
            print(f"{name}\t{seconds_a_step(WORKLOADS[name]()) * 1e6:.1f}", flush=True)


if __name__ == "__main__":
    main()
