"""Writes print.def: what NumPy prints for the arrays that tests/core/test_print.c builds.

    python3 tests/golden/print_numpy.py > tests/golden/print.def        (NumPy 2.4)

Each row is {dtype, shape, values or NULL, start, step, text}; with NULL, element i is start + step * i.
"""
import math
import numpy as np

np.set_printoptions(precision=4)
NP = {"F32": np.float32, "F64": np.float64, "I32": np.int32, "I64": np.int64, "U8": np.uint8,
      "BOOL": np.bool_}
nan, inf = math.nan, math.inf


def number(v):
    if math.isnan(v):
        return "NAN"
    if math.isinf(v):
        return "INFINITY" if v > 0 else "-INFINITY"
    return repr(float(v))


def text(a):
    lines = str(a).split("\n")
    quoted = ['"%s\\n"' % line for line in lines[:-1]] + ['"%s"' % lines[-1]]
    return "\n     ".join(quoted)


def emit(dtype, shape, values, start, step, a):
    sizes = "{%d, {%s}}" % (len(shape), ", ".join(map(str, shape)) or "0")
    data = "NULL"
    if values is not None and len(values):
        data = "(const double[]){"
        column = 24 + len(sizes)
        for i, v in enumerate(values):
            item = number(v) + (", " if i + 1 < len(values) else "")
            column += len(item)
            if column > 80:
                data, column = data.rstrip() + "\n     ", len(item)
            data += item
        data += "}"
    print("    {TG_%s, %s, %s, %s, %s,\n     %s}," %
          (dtype, sizes, data, number(start), number(step), text(a)))


def row(dtype, values, shape=None):
    a = np.array(values, dtype=np.float64)
    if shape is not None:
        a = a.reshape(shape)
    emit(dtype, a.shape, a.ravel().tolist(), 0, 0, a.astype(NP[dtype]))


def ramp(dtype, shape, start=0, step=1):
    n = math.prod(shape)
    a = (start + step * np.arange(n, dtype=np.float64)).reshape(shape)
    emit(dtype, shape, None, start, step, a.astype(NP[dtype]))


print("/* Written by tests/golden/print_numpy.py with NumPy %s. */" % np.__version__)

scalars = [0, -0.0, 1, -2.5, 0.1, 1 / 3, 1e-4, 9.99e-5, 999999, 1e6, 16777216, 1e15, 1e16, 1.5e-7, 1e22,
           -1e38, nan, inf, -inf, 2.0**-44, 123456.789]
for v in scalars:
    row("F64", v)
    row("F32", v)
row("F64", 5e-324)
row("F64", 1.7976931348623157e308)
for dtype, v in [("I32", -7), ("I64", 12345678901), ("U8", 255), ("BOOL", 1), ("BOOL", 0)]:
    row(dtype, v)

floats = [
    [1, 2, 3], [-1.5, 2, 3.25], [0.5, 0.25, 0.125, 0.0625, 1 / 3], [1e-5, 1], [1, 1000], [1, 1001],
    [0.0001, 0.1], [0.00005, 1], [9.99995], [9.99994, 99.99996], [0.99995, 99999999], [12345678.123456, 1e5],
    [123456.78, 200], [1e6, 1e3], [999999, 1e3], [1e8, 1e7], [1e100, 1e-100], [-1e-300, 1e300, 0],
    [0, 0, -0.0],
    [nan, 1], [inf, 1], [-inf, 1, 22], [nan, inf, -inf], [nan, nan], [inf, inf], [nan, 12345, 1.5],
    [-inf, 1e-9, nan],
    [2.5e-5, 0.15625, 0.03125], [0.15625, 0.09375, 0.28125], [1e-45, 2.2e-44], [5e-324, 1e-310, 1],
    [0.1, 0.2, 0.30000000000000004], [100, 20.5, 3.125, 4.0625], [16777216, 16777217], [2.0**-44, 2.0**-100],
    [1 / 3 * 10**k for k in range(-3, 4)], [1.00005, 2.00015, 2.00025], [123.45678, -0.00012345678, 5],
]
for v in floats:
    row("F64", v)
    if all(not abs(x) > 3e38 for x in v if math.isfinite(x)):
        row("F32", v)

row("F64", [[1, -2.5], [1e3, 0.125]])
row("F32", [[1e-6, 1], [nan, -inf]])
row("F32", [k / 7 for k in range(24)], (2, 3, 4))
row("F64", [(-2.0) ** k for k in range(16)], (2, 2, 2, 2))
row("F64", [math.sin(k) for k in range(40)])
row("F32", [math.exp(k) for k in range(-20, 20)], (2, 20))
ramp("F32", (30,), -3, 0.25)
ramp("F64", (2, 2, 30), 0, 0.1)
ramp("F64", (1000,))
ramp("F64", (1001,))
ramp("F32", (7, 143), -2, 0.01)
ramp("F32", (40, 40))
ramp("F64", (3, 7, 60), -100, 0.5)
ramp("F32", (2, 7, 8, 9), 1, 1)
ramp("F64", (1, 1, 1, 1001), 0, 1)
ramp("F32", (6, 200), 0, 1e-6)
for dtype in ("I32", "I64", "U8"):
    ramp(dtype, (3,))
    ramp(dtype, (4, 5), 7, 9)
    ramp(dtype, (50,), 100, 1)
    ramp(dtype, (2, 3, 4), 0, 3)
for dtype in ("I32", "I64"):
    ramp(dtype, (3, 4), -5, 100)
    ramp(dtype, (1, 12), -1000000, 200000)
    ramp(dtype, (2000,), -10000, 7)
    ramp(dtype, (9, 9, 20), -3, 1)
row("BOOL", [1, 0, 1])
row("BOOL", [1, 0, 0, 1, 1, 1], (3, 2))
row("BOOL", [0] * 40)
ramp("BOOL", (600, 2), -1194, 1)
for dtype in NP:
    row(dtype, [], (0,))
row("F32", [], (0, 3))
row("F64", [], (2, 0, 3))
row("I64", [], (600, 4, 0))

# Rows that just fit a line and just do not, at every depth; axes of six and seven in a summary.
for rank in range(1, 7):
    for width in (1, 2, 3, 5):
        ramp("I64", (1,) * (rank - 1) + (60,), 10 ** (width - 1), 0)
ramp("F32", (1, 2, 1, 2, 30), 0.5, 0.25)
ramp("F64", (2, 1, 2, 2, 2), -1, 1)
ramp("F64", (2, 2, 1, 1, 2, 1, 2, 2), 1, 1)
ramp("I32", (170, 6), 0, 1)
ramp("I32", (150, 7), 0, 1)
ramp("I32", (3, 6, 7, 9), 0, 1)

# Ratios and smallest magnitudes that f32 and f64 see differently.
row("F32", [1e-4, 0.05])
row("F32", [np.nextafter(np.float32(1e-4), np.float32(0)), 0.05])
found = {True: 0, False: 0}
for k in range(1, 4000):
    small = np.float32(0.01 + k / 8192)
    large = np.float32(small * np.float32(1000))
    for large in (large, np.nextafter(large, np.float32(1e9))):
        single, double = large / small > 1000, float(large) / float(small) > 1000
        if single != double and found[bool(single)] < 2:
            found[bool(single)] += 1
            row("F32", [small, large])
for values in ([1e-100, 1], [1e100, 1e-5], [1e-100, 1e99], [1e99, 1e98, -1e-101], [0.99999999, 99999.9999], [9.999999999e9], [1, 1000, 999.99996]):
    row("F64", values)
