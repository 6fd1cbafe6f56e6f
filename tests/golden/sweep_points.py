"""The points of the sweep: numbers that the dtype holds exactly, from the least subnormal to the largest, with what lies
about the places where functions turn, saturate or overflow."""

import itertools
import math
import random
import struct

import numpy as np

LEAST = {"f32": 2.0**-149, "f64": 2.0**-1074}
NORMAL = {"f32": 2.0**-126, "f64": 2.0**-1022}
LARGEST = {"f32": (2 - 2.0**-23) * 2.0**127, "f64": (2 - 2.0**-52) * 2.0**1023}
DIGITS = {"f32": 24, "f64": 53}
EXPONENTS = {"f32": (-149, 127), "f64": (-1074, 1023)}
REAL = {"f32": np.float32, "f64": np.float64}


def held(x, dtype):
    """x as the dtype rounds it; the largest number where that is infinite."""
    v = float(REAL[dtype](x)) if abs(x) <= LARGEST[dtype] else math.copysign(LARGEST[dtype], x)
    return v


def beside(x, dtype, towards):
    return float(np.nextafter(REAL[dtype](x), REAL[dtype](towards)))


TURNS = [0.25, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 6, 9, 10, 15, 17, 20, 22, 37, 40]
SATURATIONS = [
    5.5, 8.5, 12, 18, 27, 40.41, 87, 88, 88.7, 89, 103, 104, 126, 127, 128, 149, 150, 308, 309, 323.5, 324,
    708, 709.7, 710, 744, 745.1, 746, 1022, 1023, 1024, 1074, 1075, 1e4, 2**23, 2**24, 2**24 + 2, 2**31, 2**52, 2**53,
    2**63, 1e10, 1e14, 1e19, 1e20, 1e30, 1e38, 1e77, 1e154, 1e155, 1e300,
]  # fmt: skip


# Where e^x, 2^x, e^(-x^2) and e^(-x^2/2) go over to the subnormal numbers and to 0, which e^x's multiples do a little later.
ZONES = {
    "f32": [(86.5, 111, 14), (125.5, 150, 5), (9.2, 10.3, 4), (13, 15, 4)],
    "f64": [(707.5, 753, 14), (1021.5, 1075, 5), (26.4, 27.4, 4), (37.4, 39.2, 4)],
}
SQUARES = {"f32": (-75, 64), "f64": (-537, 512)}  # the exponents from which on x^2 is 0, or infinite


def zones(dtype):
    """Numbers of either sign there, and where the square, or the fourth power, leaves the range."""
    out = []
    for lo, hi, n in ZONES[dtype]:
        out += [held(lo + (hi - lo) * (i + 0.29) / n, dtype) for i in range(n)]
    for e in SQUARES[dtype]:
        out += [1.375 * 2.0 ** (e + i) for i in (-12, -8, -5, -3, -2, -1, 0, 1, 3)] + [1.375 * 2.0 ** (e // 2)]
    return [s * x for x in out for s in (1, -1)]


def specials(dtype):
    """What every function is tried at, beside its own turns."""
    d = dtype
    out = [0.0, -0.0, math.inf, -math.inf, math.nan]
    for x in [LEAST[d], 3 * LEAST[d], NORMAL[d], NORMAL[d] - LEAST[d], NORMAL[d] + LEAST[d], LARGEST[d]]:
        out += [x, -x]
    for x in TURNS:
        out += [s * y for s in (1, -1) for y in (x, beside(x, d, 0), beside(x, d, math.inf))]
    for k in range(1, 9):
        out += [s * held(k * math.pi / 2, d) for s in (1, -1)]
    for x in SATURATIONS:
        if x <= LARGEST[d]:
            out += [held(x, d), -held(x, d)]
    for k in range(4, DIGITS[d], 6):
        out += [s * y for s in (1, -1) for y in (1 - 2.0**-k, 1 + 2.0**-k)]
    return out


def spread(rng, dtype, n):
    """n numbers of either sign, one an equal part of the exponents."""
    lo, hi = EXPONENTS[dtype]
    out = []
    for i in range(n):
        e = lo + (hi - lo) * (i + rng.random()) / n
        out.append((-1) ** i * held(2.0 ** (e - math.floor(e)) * 2.0 ** math.floor(e), dtype))
    return out


def reals(dtype):
    """Some 600 numbers: the special ones, all magnitudes, those about the unit interval, and those of the zones."""
    rng = random.Random(1)
    out = specials(dtype) + spread(rng, dtype, 120)
    out += [held(rng.uniform(-30, 30), dtype) for _ in range(60)]
    out += [held(rng.uniform(-1.5, 1.5), dtype) for _ in range(40)]
    out += zones(dtype)
    seen, distinct = set(), []
    for x in out:
        key = struct.pack("<d", x)
        if key not in seen:
            seen.add(key)
            distinct.append(x)
    return distinct


def scales(dtype, n):
    """n magnitudes from the least to nearly the largest."""
    lo, hi = EXPONENTS[dtype]
    return [2.0 ** round(lo + (hi - 1 - lo) * i / (n - 1)) for i in range(n)]


def few(dtype, n):
    """n numbers of each sign, for pairs and triples: both zeros, the ends, and what lies between."""
    d = dtype
    wide = {"f32": [1e-30, 1e-20, 1e20, 1e30], "f64": [1e-300, 1e-155, 1e155, 1e300]}[d]
    saturated = {"f32": 88.5, "f64": 709.5}[d]
    order = [1.5, 0.0, LARGEST[d], LEAST[d], wide[3], wide[0], 0.3, math.inf, wide[2], wide[1], saturated, 7, 2.0**-12, 1e10]
    return [s * held(x, d) if math.isfinite(x) else s * x for x in order[:n] for s in (1, -1)]


def products(*lists):
    return list(itertools.product(*lists))


def pairs(dtype):
    return products(few(dtype, 10), few(dtype, 10)) + [(math.nan, 1.0), (1.0, math.nan)]


def triples(dtype):
    large, small = {"f32": (1e30, 1e-30), "f64": (1e300, 1e-300)}[dtype]
    most = [1.5, -0.3, 0.0, LARGEST[dtype], -LARGEST[dtype], LEAST[dtype], large, -small]
    return products([held(x, dtype) for x in most], [held(x, dtype) for x in most], [0.0, held(0.3, dtype), 1.0, 1.5, 2.0**20])


def unit(dtype):
    """Probabilities."""
    return [0.0, 1.0, LEAST[dtype], held(1e-30, dtype), 2.0**-20, 0.25, 0.5, 1 - 2.0**-6, 1 - 2.0 ** -DIGITS[dtype]]


PATTERNS = [(1, 0.5, -1), (0.625, 0.75, -0.25), (1, 0, 0), (1, 1, 1)]


def vectors(dtype):
    """Rows of three at all scales, and with one number of another scale beside 1."""
    out = []
    for s in scales(dtype, 25):
        out += [tuple(float(s * c) for c in p) for p in PATTERNS] + [(s, 1.0, 0.5), (1.0, -s, 0.75)]
    return [r for r in out if all(held(x, dtype) == x for x in r)]


def positive(dtype):
    return [tuple(abs(x) for x in r) for r in vectors(dtype)]


def about(dtype):
    """Twenty numbers for losses, of both signs."""
    return few(dtype, 7)[:12] + [held(x, dtype) for x in (20.5, -20.5, 90, -90, 103, -103, 1000, -1000)]


LISTS = {
    "reals": (1, lambda d: [(x,) for x in reals(d)]),
    "pairs": (2, pairs),
    "triples": (3, triples),
    "unit_pairs": (2, lambda d: products(unit(d), unit(d))),
    "reals_and_unit": (2, lambda d: products([x for x in about(d) if math.isfinite(x)], unit(d))),
    "reals_and_unit_and_weight": (3, lambda d: [p + (2.5,) for p in LISTS["reals_and_unit"][1](d)]),
    "reals_and_signs": (2, lambda d: products([x for x in about(d) if math.isfinite(x)] + [1.0, -1.0], [1.0, -1.0])),
    "log_and_unit": (2, lambda d: products([0.0, -1.5, -20.5, -88.5, -1000.0, held(-1e30, d)], unit(d))),
    "log_and_log": (2, lambda d: products([0.0, -1.5, -20.5, -88.5, -1000.0], [0.0, -0.25, -3.0, -30.0, -87.0, -800.0])),
    "with_variance": (3, lambda d: [(x, y, v) for x, y in products(few(d, 6)[::2], [0.0, -1.5, held(-1e20, d)])
                                    for v in (2.0**-20, 0.75, 4.0, held(1e20, d), LARGEST[d])]),
    "vectors": (3, vectors),
    "vectors_and_class": (4, lambda d: [r + (1,) for r in vectors(d)]),
    "vectors_and_weights": (6, lambda d: [r + (0.25, 0.0, 0.75) for r in vectors(d)]),
    "planes": (4, lambda d: [(r[0], r[1], q[0], q[1]) for s in scales(d, 12) for r, q in
                             (((s, s / 2), (s, -s / 4)), ((s, 0.0), (s / 4, s)), ((s, s), (1.0, 2.0)))
                             if all(held(x, d) == x for x in r + q)]),
    "scans": (6, lambda d: [r + q for r, q in zip(vectors(d)[::2], vectors(d)[::-2])]),
}  # fmt: skip
