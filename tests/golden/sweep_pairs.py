"""The sweep's functions of two and three numbers, and the losses that are such functions."""

import math

from mpmath import mp, mpf
from sweep_case import Case
from sweep_elementwise import constant, where
from sweep_jet import Jet, absolute, exp, log, softplus, sqrt
from sweep_points import LARGEST, LEAST

NONE = 2  # the reduction


def larger(a, b):
    """Half the slope to each where they are equal."""
    return (a + b) / 2 if a.v == b.v else where(a.v > b.v, lambda: a, lambda: b)


def smaller(a, b):
    return -larger(-a, -b)


def with_gradient(v, slopes):
    """A function of bare variables from its value and its gradient, itself jets."""
    m = len(slopes)
    return Jet(v, [s.v for s in slopes], [slopes[i].g[j] for i in range(m) for j in range(i, m)])


def pow_(a, b):
    """As C's pow. d/da is 0 where b = 0; d/db is 0 where a = 0 and b >= 0, NaN where a < 0."""
    if a.v > 0:
        return exp(b * log(a))
    if a.v < 0 and b.v != mp.floor(b.v):
        raise ValueError("a power of a negative number")
    if a.v == 0 and b.v > 0:
        if b.v < 1:
            raise ZeroDivisionError  # the slope
        return Jet(mpf(0), [mpf(b.v == 1), mpf(0)], [mp.nan] * 3)
    v = mpf(1) if b.v == 0 else a.v ** int(b.v) if b.v == mp.floor(b.v) else a.v**b.v
    slope = mpf(0) if b.v == 0 else b.v * (a.v ** (b.v - 1) if a.v == 0 else a.v ** int(b.v - 1))
    return Jet(v, [slope, mpf(0) if a.v == 0 else mp.nan], [mp.nan] * 3)


def quotient_steps(a, b, rounding):
    if b.v == 0:
        raise ValueError("division by zero")
    return a - b * rounding(a.v / b.v)


def atan2(y, x):
    r2 = x * x + y * y
    return with_gradient(mp.atan2(y.v, x.v), [x / r2, -y / r2])


def xlogy(a, b):
    return constant(a, 0) + constant(b, 0) if a.v == 0 and b.v <= 0 else a * log(b)


def copysign(a, b):
    return absolute(a) * (1 if b.v >= 0 else -1) + constant(b, 0)


def hypot(a, b):
    return constant(a, 0) + constant(b, 0) if a.v == 0 == b.v else sqrt(a * a + b * b)


def minus_zero(x):
    return x == 0 and math.copysign(1, x) < 0


def whole(x):
    return math.isfinite(x) and x == math.floor(x)


def pow_choices(point):
    a, b = point
    if a == 0 and 0 < abs(b) < 1:
        return "vfs"  # no limit finds 0 or infinity there
    if math.isnan(b) or math.isinf(b) and (a <= 0 or a == 1) or math.isinf(a) and (not whole(b) or a < 0) or minus_zero(a):
        return "vfs"
    return "s" if a <= 0 else "s" if b == 0 else ""


def too_steep(*place):
    """At the least subnormal number, 1 / x, a slope there, is infinite; second derivatives are found from it."""
    return "s" if max(map(abs, place)) in LEAST.values() else ""


def term_beyond(point, term):
    """The term alone is infinite, and so is the sum, of two roundings."""
    end = LARGEST["f64" if max(map(abs, point)) > LARGEST["f32"] else "f32"]
    return "v" if abs(term(*map(mpf, point))) > end else ""


BINARY = [
    ("add", lambda a, b: a + b, None), ("sub", lambda a, b: a - b, None), ("mul", lambda a, b: a * b, lambda p: "vfs" if 0 in p and math.inf in map(abs, p) else ""),
    ("div", lambda a, b: a / b, lambda p: too_steep(p[1]) if p[0] == 0 else ""), ("pow", pow_, pow_choices),
    ("maximum", larger, None), ("minimum", smaller, None),
    ("fmod", lambda a, b: quotient_steps(a, b, lambda q: mp.sign(q) * mp.floor(abs(q))),
     lambda p: "vfs" if math.isinf(p[0]) or math.isinf(p[1]) else ""),
    ("remainder", lambda a, b: quotient_steps(a, b, mp.floor),
     lambda p: "vfs" if math.isinf(p[0]) or math.isinf(p[1]) else ""),
    ("atan2", atan2, lambda p: "vfs" if p[0] == 0 else too_steep(*p)),
    ("hypot", hypot, lambda p: "s" if p[0] == 0 == p[1] else ""),
    ("xlogy", xlogy, lambda p: "fs" if p[0] == 0 >= p[1] else "vfs" if minus_zero(p[1]) else ""),
    ("logaddexp", lambda a, b: b + softplus(a - b), None),
    ("half_square_over", lambda a, b: a * a / b / 2, None),
    ("copysign", copysign, lambda p: "vfs" if minus_zero(p[1]) or math.isnan(p[1]) else "fs" if p[0] == 0 else ""),
]  # fmt: skip

TERNARY = [
    ("lerp", (), lambda a, b, w: a + w * (b - a), None),
    ("addcmul", (-1.5,), lambda x, a, b, v: x + a * b * v, lambda p: term_beyond(p, lambda x, a, b: a * b * -1.5)),
    ("addcdiv", (0.5,), lambda x, a, b, v: x + a / b * v,
     lambda p: term_beyond(p, lambda x, a, b: a / b / 2) if p[2] else ""),
]

# ---- losses without a reduction ----


def huber(d, delta):
    return where(abs(d.v) < delta, lambda: d * d / 2, lambda: (absolute(d) - mpf(delta) / 2) * delta)


def hinge_embedding(x, y, margin):
    return x if y == 1 else where(x.v <= margin, lambda: margin - x, lambda: constant(x, 0))


def kl_div(q, p):
    return (p * log(p) if p.v else constant(p, 0)) - p * q


def at_no_target(p):
    return "s" if p[1] == 0 else ""


def gaussian_nll(m, t, v):
    return (log(v) + (m - t) * (m - t) / v) / 2


def bce_with_logits(z, y, weight=1):
    """y softplus(-z) w + (1 - y) softplus(z)"""
    return y * softplus(-z) * weight + (1 - y) * softplus(z)


def log_bounded(p):
    """No smaller than -100, where the slope is 0."""
    low = p.v == 0 or mp.log(p.v) < -100
    return constant(p, -100) if low else log(p)


def bce(p, y):
    return -(y * log_bounded(p) + (1 - y) * log_bounded(1 - p))


def infinite(p):
    """Differences of infinities, and |x - y|, whose slope is the sign of a difference."""
    return "vfs" if any(math.isinf(x) for x in p) else ""


LOSSES = [
    ("mse_loss", (NONE,), "pairs", "dd", lambda a, b: (a - b) * (a - b)),
    ("l1_loss", (NONE,), "pairs", "dd", lambda a, b: absolute(a - b)),
    ("huber_loss", (NONE, 1.5), "pairs", "dd", lambda a, b: huber(a - b, mpf(1.5))),
    ("smooth_l1_loss", (NONE, 0.5), "pairs", "dd", lambda a, b: huber(a - b, mpf(0.5)) * 2),
    ("kl_div", (NONE, 0), "log_and_unit", "dd", kl_div),
    ("kl_div", (NONE, 1), "log_and_log", "dd", lambda q, p: exp(p) * (p - q)),
    ("hinge_embedding_loss", (NONE, 1), "reals_and_signs", "dc", lambda x, y: hinge_embedding(x, y, 1)),
    ("hinge_loss", (NONE, 1), "reals_and_signs", "dc",
     lambda s, y: where((s * y).v <= 1, lambda: 1 - s * y, lambda: constant(s, 0))),
    ("gaussian_nll_loss", (NONE, 0, 2.0**-20), "with_variance", "ddd", gaussian_nll),
    ("binary_cross_entropy", (NONE,), "unit_pairs", "dd", bce),
    ("bce_with_logits", (NONE,), "reals_and_unit", "dd", bce_with_logits),
    ("bce_pos_weight", (NONE,), "reals_and_unit_and_weight", "ddc", bce_with_logits),
]  # fmt: skip


def at_bend(delta):
    return lambda p: infinite(p) or ("s" if abs(p[0] - p[1]) == delta else "")


CHOICES = {"kl_div": at_no_target, "huber_loss": at_bend(1.5), "smooth_l1_loss": at_bend(0.5)}


def one_row(f):
    return lambda *rows: f(*(r[0] for r in rows))


# log(e^a + e^b) is 0 on a curve, where a and b cancel; y - sigmoid(z) likewise. The slope by y is the difference of two
# logarithms, log 2 each at z = 0.
TERMS = {
    "atan2": one_row(lambda y, x: [0, 0, 0] + [1 / (x * x + y * y)] * 3),
    "logaddexp": one_row(lambda a, b: [max(abs(a), abs(b)), 0, 0, 0, 0, 0]),
    "bce_with_logits": one_row(lambda z, y: [0, y, mp.ln2, 0, 0, 0]),
    "bce_pos_weight": one_row(lambda z, y, w: [0, y * w, max(abs(z), mp.ln2) * w, 0, w, 0]),
    "binary_cross_entropy": one_row(lambda p, y: [0, y / p, abs(mp.log(p)), y / p**2, 0, 0]),
    "gaussian_nll_loss": one_row(lambda m, t, v: [abs(mp.log(v)), 0, 0, 1 / v, 0, 0, 0, 0, 0, 1 / v**2]),
}


def several(call, numbers, points, kinds, formula, choices=None):
    return Case(call, lambda in_: formula(*(row[0] for row in in_)), numbers, ["*"] * len(kinds), points, kinds=kinds,
                choices=choices, terms=TERMS.get(call))


def cases():
    out = [several(call, (), "pairs", "dd", f, choices) for call, f, choices in BINARY]
    for call, numbers, f, choices in TERNARY:
        formula = (lambda f, numbers: lambda *x: f(*x, *numbers))(f, numbers)
        out.append(several(call, numbers, "triples", "ddd", formula, choices))
    for call, numbers, points, kinds, f in LOSSES:
        choices = CHOICES.get(call, infinite if points == "pairs" else None)
        out.append(several(call, numbers, points, kinds, f, choices))
    return out
