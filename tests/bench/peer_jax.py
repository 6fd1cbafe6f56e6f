#!/usr/bin/env python3
"""JAX's side of the bench, each step compiled as a whole (jit): the workloads that need no library beside JAX.

usage: peer_jax.py THREADS [WORKLOAD ...]            prints name <tab> microseconds per step
"""

import os
import sys

THREADS = sys.argv[1] if len(sys.argv) > 1 else "1"
os.environ["XLA_FLAGS"] = (f"--xla_cpu_multi_thread_eigen={'true' if int(THREADS) > 1 else 'false'} "
                           f"intra_op_parallelism_threads={THREADS}")
os.environ["JAX_PLATFORMS"] = "cpu"
if hasattr(os, "sched_setaffinity"):  # what XLA takes for the number of cores
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(THREADS)])

import jax
import jax.numpy as jnp
from jax import random

from timing import seconds_a_step

keys = iter(random.split(random.PRNGKey(0), 1000))


def normal(*shape):
    return random.normal(next(keys), shape)


def adam(loss, p):
    """The step p, m, v, t -> the next ones, and a function that takes it."""

    def update(p, m, v, t):
        g = jax.grad(loss)(p)
        t = t + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        rate = 1e-3 / (1 - 0.9**t), 1 / (1 - 0.999**t)
        p = jax.tree.map(lambda p, m, v: p - rate[0] * m / (jnp.sqrt(rate[1] * v) + 1e-8), p, m, v)
        return p, m, v, t

    return stepper(update, [p, jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p), 0.0])


def stepper(update, state):
    compiled = jax.jit(update)

    def step():
        state[:] = compiled(*state)
        jax.block_until_ready(state)

    return step


def fixed(f, *x):
    compiled = jax.jit(f)
    return lambda: jax.block_until_ready(compiled(*x))


def dense(n_in, n_out):
    return normal(n_out, n_in) / n_in**0.5, jnp.zeros(n_out)


def apply(p, x):
    return x @ p[0].T + p[1]


def cross_entropy(z, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1).mean()


def xor():
    x, y = jnp.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), jnp.array([[0.0], [1], [1], [0]])

    def loss(p):
        z = apply(p[1], jnp.tanh(apply(p[0], x)))
        return (jnp.logaddexp(0, z) - y * z).mean()

    def update(p):
        return (jax.tree.map(lambda a, g: a - 0.1 * g, p, jax.grad(loss)(p)),)

    return stepper(update, [[dense(2, 8), dense(8, 1)]])


def mlp(batch):
    x, y = normal(batch, 784), random.randint(next(keys), (batch,), 0, 10)

    def loss(p):
        h = jax.nn.relu(apply(p[1], jax.nn.relu(apply(p[0], x))))
        return cross_entropy(apply(p[2], h), y)

    return adam(loss, [dense(784, 256), dense(256, 128), dense(128, 10)])


def chain1000():
    def chain(x):
        return jax.lax.fori_loop(0, 1000, lambda i, y: y + x, x)

    return fixed(jax.grad(chain), 1.0)


def lstm():
    x, y = normal(32, 32, 64), normal(32, 32, 128)

    def loss(p):
        a = apply(p["in"], x)

        def cell(state, a):
            h, c = state
            i, f, g, o = jnp.split(a + apply(p["hidden"], h), 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zero = jnp.zeros((32, 128))
        h = jax.lax.scan(cell, (zero, zero), a.swapaxes(0, 1))[1]
        return ((h.swapaxes(0, 1) - y) ** 2).mean()

    return adam(loss, {"in": dense(64, 512), "hidden": dense(128, 512)})


def hvp():
    x, y, p = normal(64, 64), normal(64, 1), [dense(64, 64), dense(64, 1)]
    v = jax.tree.map(lambda a: normal(*a.shape), p)

    def loss(p):
        return ((apply(p[1], jnp.tanh(apply(p[0], x))) - y) ** 2).mean()

    def dot(p):
        g = jax.grad(loss)(p)
        return sum(jax.tree.leaves(jax.tree.map(lambda a, b: (a * b).sum(), g, v)))

    return fixed(jax.grad(dot), p)


def squares(f, *x):
    return fixed(jax.grad(lambda *x: (f(*x) ** 2).mean(), tuple(range(len(x)))), *x)


def conv(x, w, padding, groups=1):
    return jax.lax.conv_general_dilated(x, w, (1, 1), [(padding, padding)] * 2, feature_group_count=groups,
                                        dimension_numbers=("NCHW", "OIHW", "NCHW"))


def cnn_norm():
    x, y = normal(32, 3, 32, 32), random.randint(next(keys), (32,), 0, 10)

    def stage(p, x):
        w, b, scale, shift = p
        x = conv(x, w, 1) + b[:, None, None]
        c = x - x.mean((0, 2, 3), keepdims=True)
        norm = c / jnp.sqrt((c * c).mean((0, 2, 3), keepdims=True) + 1e-5)
        return jax.nn.relu(norm * scale[:, None, None] + shift[:, None, None])

    def loss(p):
        h = stage(p[1], stage(p[0], x))
        h = jax.lax.reduce_window(h, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        return cross_entropy(apply(p[2], h.reshape(32, -1)), y)

    def stage_of(channels):
        w = normal(32, channels, 3, 3) / (9 * channels) ** 0.5
        return w, jnp.zeros(32), jnp.ones(32), jnp.zeros(32)

    return adam(loss, [stage_of(3), stage_of(32), dense(8192, 10)])


def there_and_back(f, x, dy):
    return fixed(lambda x: (lambda y, back: (y, back(dy)[0]))(*jax.vjp(f, x)), x)


def million(f):
    return lambda: there_and_back(f, normal(1 << 20), jnp.ones(1 << 20))


def rows(f):
    return lambda: there_and_back(f, normal(2048, 512), normal(2048, 512))


def composed(f, *x):
    return fixed(jax.grad(f, tuple(range(len(x)))), *x)


def elementwise(a, b, c):
    y = a * b + c
    u = jax.nn.sigmoid(y) * jnp.tanh(y)
    return (u * u + jnp.exp(-(u * a)) - b).mean()


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def orbit(q, v, steps=200, h=0.01):
    """As in compositions.c."""

    def motion(q, v):
        return v, -(q * (q * q).sum(0, keepdims=True) ** -1.5)

    def ahead(i, state):
        q, v = state
        a = motion(q, v)
        b = motion(q + a[0] * (h / 2), v + a[1] * (h / 2))
        c = motion(q + b[0] * (h / 2), v + b[1] * (h / 2))
        d = motion(q + c[0] * h, v + c[1] * h)
        return tuple(x + (a + d + (b + c) * 2) * (h / 6) for x, a, b, c, d in zip((q, v), a, b, c, d))

    q, v = jax.lax.fori_loop(0, steps, ahead, (q, v))
    return (q * q).sum()


def layer_norm(x):
    c = x - x.mean(-1, keepdims=True)
    return c / jnp.sqrt((c * c).mean(-1, keepdims=True) + 1e-5)


WORKLOADS = {
    "chain1000": chain1000,
    "xor": xor,
    "mlp_b64": lambda: mlp(64),
    "mlp_b1024": lambda: mlp(1024),
    "matmul_batch": lambda: squares(jnp.matmul, normal(64, 128, 64), normal(64, 64, 128)),
    "cnn_norm": cnn_norm,
    "conv_depthwise": lambda: squares(lambda x, w: conv(x, w, 1, 64), normal(16, 64, 32, 32), normal(64, 1, 3, 3)),
    "elementwise": lambda: composed(elementwise, normal(1 << 20), normal(1 << 20), normal(1 << 20)),
    "mish_composed": lambda: composed(lambda x: (x * jnp.tanh(jax.nn.softplus(x))).mean(), normal(1 << 20)),
    "swiglu_composed": lambda: composed(lambda a, b: (a * jax.nn.sigmoid(a) * b).mean(), normal(1 << 20), normal(1 << 20)),
    "rosenbrock": lambda: composed(rosenbrock, normal(1000)),
    "orbit": lambda: composed(orbit, jnp.array([1.0, 0.0]), jnp.array([0.0, 1.1])),
    "lstm": lstm,
    "hvp": hvp,
    "exp_1M": million(jnp.exp),
    "tanh_1M": million(jnp.tanh),
    "gelu_1M": million(lambda x: jax.nn.gelu(x, approximate=False)),
    "sigmoid_1M": million(jax.nn.sigmoid),
    "softmax_rows": rows(lambda x: jax.nn.softmax(x, -1)),
    "layernorm_rows": rows(layer_norm),
    "sum_rows": rows(lambda x: jnp.broadcast_to(x.sum(-1, keepdims=True), x.shape)),
}

for name in sys.argv[2:] or WORKLOADS:
    if name in WORKLOADS:
        print(f"{name}\t{seconds_a_step(WORKLOADS[name]()) * 1e6:.1f}", flush=True)
