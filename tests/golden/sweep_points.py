"""The points of the sweep: numbers that the dtype holds exactly, from the least subnormal to the largest, with what lies
about the places where functions turn, saturate or overflow."""

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
    """Some 500 numbers: the special ones, all magnitudes, and those about the unit interval."""
    rng = random.Random(1)
    out = specials(dtype) + spread(rng, dtype, 120)
    out += [held(rng.uniform(-30, 30), dtype) for _ in range(60)]
    out += [held(rng.uniform(-1.5, 1.5), dtype) for _ in range(40)]
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
