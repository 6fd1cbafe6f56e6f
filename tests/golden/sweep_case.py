"""A case of the sweep, and how its right numbers are found: with as many digits as it takes for two precisions to agree,
at an end of the range as the limit, and marked as a choice where there is none."""

import math
from dataclasses import dataclass, field

from mpmath import mp, mpf
from sweep_jet import variables

AGREE = 40  # digits
SKIP = None  # a choice: nothing is compared


@dataclass
class Case:
    call: str
    formula: object  # of the inputs, each a list of jets (of floats where constant), to one jet
    numbers: tuple  # of the call
    inputs: list  # the shape of each input of one point: "*" a number of an elementwise call, "3", "2,3"; see kinds below
    points: str  # the name of the list of points
    limits: bool = True  # infinities and poles are limits
    output: int = 0  # which element of the result, where it has several
    choices: object = None  # of the point: the orders that are not compared there, of "vfs": value, first, second
    terms: object = None  # of the inputs as numbers: the size of the terms that make each result, where they cancel
    stepwise: bool = False  # zeros are zeros by definition
    ends: dict = field(default_factory=dict)  # what is no limit, by the text of the point
    kinds: str = field(default="")  # a letter an input: d differentiable, c constant, i integers; "": all d

    def kind(self, i):
        return self.kinds[i] if self.kinds else "d"

    def widths(self):
        return [1 if s in ("*", "") else math.prod(int(n) for n in s.split(",")) for s in self.inputs]


def arrange(case, point):
    """The point's numbers by input; those that are differentiated as jets."""
    free = []
    at = 0
    for i, w in enumerate(case.widths()):
        free += point[at : at + w] if case.kind(i) == "d" else []
        at += w
    jets = iter(variables([mpf(x) for x in free]))
    out, at = [], 0
    for i, w in enumerate(case.widths()):
        row = point[at : at + w]
        out.append([next(jets) for _ in row] if case.kind(i) == "d" else [mpf(x) for x in row])
        at += w
    return out, len(free)


def flat(case, point):
    """Value, gradient and Hessian at the current precision; NaN outside the domain. Division by zero passes."""
    arranged, m = arrange(case, point)
    n = 1 + m + m * (m + 1) // 2
    try:
        y = case.formula(arranged)
    except ValueError:
        return [mp.nan] * n
    zeros = [mpf(0)] * n
    return [y.v] + (y.g if y.g is not None else zeros[:m]) + (y.h if y.g is not None else zeros[m + 1 :])


def same(a, b):
    if mp.isnan(a) or mp.isnan(b):
        return mp.isnan(a) and mp.isnan(b)
    if a == b:
        return a != 0
    return abs(a - b) <= mpf(10) ** -AGREE * max(abs(a), abs(b)) or max(abs(a), abs(b)) < mpf(10) ** -700


def length_of(point):
    """The digits that the numbers of the point have themselves."""
    return max((int(0.302 * x.man_exp[0].bit_length()) for x in point if isinstance(x, mpf)), default=0)


def agreed(case, point):
    """Digits are doubled until two results agree. Terms too small to be seen make no difference then, unless nothing else
    is left: a zero must stand with so many digits that the smallest terms are seen."""
    plain = 60 + length_of(point)
    enough = 1000 if plain == 60 else 4000
    with mp.workdps(plain):
        last = flat(case, point)
        while True:
            zeros = any(v == 0 for v in last) and mp.dps < enough
            mp.dps = max(enough, 2 * mp.dps) if zeros and not case.stepwise else 2 * mp.dps
            now = flat(case, point)
            if all(same(a, b) or a == 0 == b for a, b in zip(last, now)):
                return now
            if mp.dps > 20000:
                raise ArithmeticError(f"{case.call} {case.numbers} at {point}: no agreement")
            last = now


def limit_of(near, far):
    """The double that a sequence goes to, of which two terms are known."""
    if mp.isnan(near) or mp.isnan(far):
        return math.nan
    a, b = float(near), float(far)
    if a == b or same(near, far):
        return b
    if (near > 0) != (far > 0):
        return SKIP
    return math.copysign(math.inf, far) if abs(far) > abs(near) else 0.0


def inside(x, digits, side):
    """What lies that many digits within an infinity, off a zero, or beside another number."""
    if math.isinf(x):
        return math.copysign(1, x) * mpf(10) ** digits
    if x == 0:
        return math.copysign(1, x) * side * mpf(10) ** -digits
    return mpf(x) + side * mpf(10) ** (int(mp.floor(mp.log10(abs(mpf(x))))) - digits)


def the_end(point):
    """Which of the numbers stands at an end: the one infinity, or else the one zero, or the only number there is. Where two
    do, a limit depends on the way."""
    for at_end in (math.isinf, lambda x: x == 0):
        found = [i for i, x in enumerate(point) if at_end(x)]
        if found:
            return found[0] if len(found) == 1 else None
    return 0 if len(point) == 1 else None


def limits_at_end(case, point, nothing):
    """The limit from within the domain: at a zero from the side of its sign, or the value from the other; at another pole
    from both."""
    k, found = the_end(point), []
    if k is None:
        return nothing
    turns = point[k] == 0 or math.isinf(point[k])
    for side in (1, -1):
        with mp.workdps(3000):
            places = [point[:k] + (inside(point[k], digits, side),) + point[k + 1 :] for digits in (350, 700)]
        terms = [agreed(case, p) for p in places]
        if mp.isnan(terms[0][0]):
            continue
        limits = [limit_of(a, b) for a, b in zip(*terms)]
        found.append(limits[:1] + nothing[1:] if turns and side < 0 else limits)
        if turns:
            break
    if not found:
        return [math.nan] + nothing[1:]
    return [a if a == b or (a != a and b != b) else SKIP for a, b in zip(found[0], found[-1])]


def right_numbers(case, point, nothing):
    if str(point) in case.ends:
        return case.ends[str(point)]
    if any(math.isnan(x) for x in point):
        return [math.nan] + nothing[1:]
    if not any(math.isinf(x) for x in point):
        try:
            right = [float(v) for v in agreed(case, point)]
            return right if right[0] == right[0] else [math.nan] + nothing[1:]  # no slope outside the domain
        except ZeroDivisionError:
            pass
    try:
        return limits_at_end(case, point, nothing) if case.limits else nothing
    except ZeroDivisionError:  # another pole
        return nothing


def reference(case, point):
    """Value, gradient and Hessian as doubles; SKIP where there is a choice."""
    m = sum(w for i, w in enumerate(case.widths()) if case.kind(i) == "d")
    nothing = [SKIP] * (1 + m + m * (m + 1) // 2)
    left_out = case.choices(point) if case.choices else ""
    if left_out == "vfs":
        return nothing
    right = list(right_numbers(case, point, nothing))
    if "v" in left_out:
        right[0] = SKIP
    if "f" in left_out:
        right[1 : 1 + m] = nothing[1 : 1 + m]
    if "s" in left_out:
        right[1 + m :] = nothing[1 + m :]
    return right


def sizes_of_terms(case, point):
    """Aligned with reference(): what rounding is relative to beside the result itself; 0: nothing."""
    rows, at = [], 0
    for w in case.widths():
        rows.append([mpf(x) for x in point[at : at + w]])
        at += w
    with mp.workdps(60):
        try:
            return [float(t) for t in case.terms(*rows)]
        except (ZeroDivisionError, ValueError):
            m = sum(w for i, w in enumerate(case.widths()) if case.kind(i) == "d")
            return [0.0] * (1 + m + m * (m + 1) // 2)
