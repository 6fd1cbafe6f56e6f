#!/usr/bin/env python3
"""Writes the numbers of the sweep: value, first and second derivatives from the least subnormal to the largest number,
by mpmath, at 40 digits or more.

usage: python3 make_sweep.py [CALL ...] | gzip -9n > sweep.golden.gz        (mpmath with gmpy2, NumPy)

tests/sweep reads them. Running this again must change nothing. Numbers are the hexadecimal digits of a double without
the zeros behind them: 3ff is 1, 7ff infinity, 7ff8 NaN; references of f32 are rounded to the first ten digits, 2^-28 of
the number. A "-" is not compared: there is a choice, and tests/ops/*/exact.c say which, or there is no limit.

    points NAME DTYPE COUNT WIDTH NUMBER...      WIDTH numbers a point
    case CALL NAME DTYPE OUTPUT NUMBERS NUMBER... INPUTS KIND:SHAPE...
                                                 the call with its numbers; the inputs, of which a point has the
                                                 elements one after the other; * for an elementwise call
    value NUMBER...                              element OUTPUT of the result, one a point
    first NUMBER...                              by each of the m numbers that a gradient can flow to, one after the other
    second NUMBER...                             row by row, the upper triangle
    terms NUMBER...                              where terms cancel in a result: their size, to 4 digits, which is what
                                                 rounding is relative to; by point: of value, first, second. Or no such line
"""

import math
import multiprocessing
import struct
import sys

import sweep_elementwise
import sweep_pairs
import sweep_rows
from sweep_case import reference, sizes_of_terms
from sweep_points import LISTS


def token(x, digits=16):
    if x is None:
        return "-"
    if math.isnan(x):
        return "7ff8"
    bits = struct.unpack("<Q", struct.pack("<d", x))[0]
    cut = 4 * (16 - digits)
    if cut and math.isfinite(x):
        bits = (bits + (1 << (cut - 1))) >> cut << cut
    return f"{bits:016x}".rstrip("0") or "0"


CASES = sweep_elementwise.cases() + sweep_pairs.cases() + sweep_rows.cases()


def text_of(job):
    case, dtype = job
    points = LISTS[case.points][1](dtype)
    rows = [reference(case, p) for p in points]
    m = sum(w for i, w in enumerate(case.widths()) if case.kind(i) == "d")
    digits = 10 if dtype == "f32" else 16
    inputs = [f"{case.kind(i)}:{s}" for i, s in enumerate(case.inputs)]
    numbers = [repr(float(v)) for v in case.numbers]
    head = ["case", case.call, case.points, dtype, case.output, len(numbers), *numbers, len(inputs), *inputs]
    lines = [" ".join(str(v) for v in head)]
    for name, a, b in (("value", 0, 1), ("first", 1, 1 + m), ("second", 1 + m, 1 + m + m * (m + 1) // 2)):
        lines.append(" ".join([name] + [token(v, digits) for r in rows for v in r[a:b]]))
    if case.terms:
        lines.append(" ".join(["terms"] + [token(t, 4) for p in points for t in sizes_of_terms(case, p)]))
    return "\n".join(lines)


def main():
    wanted = sys.argv[1:]
    cases = [c for c in CASES if not wanted or c.call in wanted]
    for name in sorted({c.points for c in cases}):
        width, make = LISTS[name]
        for dtype in ("f32", "f64"):
            points = make(dtype)
            print("points", name, dtype, len(points), width, *(token(x) for p in points for x in p))
    with multiprocessing.Pool() as pool:
        jobs = [(i, d) for i in range(len(cases)) for d in ("f32", "f64")]
        for text in pool.imap(text_of_number, [(CASES.index(cases[i]), d) for i, d in jobs]):
            print(text)


def text_of_number(job):
    """Formulas do not travel between processes: their numbers do."""
    return text_of((CASES[job[0]], job[1]))


if __name__ == "__main__":
    main()
