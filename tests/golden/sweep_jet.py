"""Numbers with their first and second derivatives: value, gradient and the upper triangle of the Hessian by m variables.

A formula written with these gives all three without a second formula. Digits are mpmath's current ones; who calls
decides how many are enough (make_sweep.py)."""

from mpmath import mp, mpf


class Jet:
    __slots__ = ("v", "g", "h")

    def __init__(self, v, g=None, h=None):
        self.v, self.g, self.h = v, g, h  # g, h None: a constant

    def __neg__(self):
        return chain(self, -self.v, mpf(-1), mpf(0))

    def __add__(self, other):
        o = lift(other)
        if o.g is None or self.g is None:
            by = self if o.g is None else o
            return Jet(self.v + o.v, by.g, by.h)
        return Jet(self.v + o.v, [a + b for a, b in zip(self.g, o.g)], [a + b for a, b in zip(self.h, o.h)])

    def __sub__(self, other):
        return self + -lift(other)

    def __mul__(self, other):
        o = lift(other)
        if o.g is None:
            return chain(self, self.v * o.v, o.v, mpf(0))
        if self.g is None:
            return chain(o, self.v * o.v, self.v, mpf(0))
        a, b, m = self, o, len(self.g)
        g = [a.v * b.g[i] + b.v * a.g[i] for i in range(m)]
        ij = [(i, j) for i in range(m) for j in range(i, m)]
        h = [
            a.v * b.h[k] + b.v * a.h[k] + a.g[i] * b.g[j] + a.g[j] * b.g[i] for k, (i, j) in enumerate(ij)
        ]
        return Jet(a.v * b.v, g, h)

    def __truediv__(self, other):
        return self * reciprocal(lift(other))

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def __rsub__(self, other):
        return -self + other

    def __rtruediv__(self, other):
        return reciprocal(self) * other


def lift(x):
    return x if isinstance(x, Jet) else Jet(mpf(x))


def variables(values):
    """The jets of m independent variables."""
    m = len(values)
    n = m * (m + 1) // 2
    return [Jet(v, [mpf(i == j) for j in range(m)], [mpf(0)] * n) for i, v in enumerate(values)]


def chain(x, f0, f1, f2):
    """f(x) from the value and the two derivatives of f there."""
    if x.g is None:
        return Jet(f0)
    m = len(x.g)
    if m == 1:
        return Jet(f0, [f1 * x.g[0]], [f1 * x.h[0] + f2 * x.g[0] * x.g[0]])
    g = [f1 * a for a in x.g]
    ij = [(i, j) for i in range(m) for j in range(i, m)]
    h = [f1 * x.h[k] + f2 * x.g[i] * x.g[j] for k, (i, j) in enumerate(ij)]
    return Jet(f0, g, h)


def reciprocal(x):
    r = 1 / x.v
    return chain(x, r, -r * r, 2 * r * r * r)


def function(f):
    """A function of jets from one of numbers that gives (f, f', f'')."""
    return lambda x: chain(lift(x), *f(lift(x).v))


def of_exp(x):
    e = mp.exp(x)
    return e, e, e


def of_log(x):
    if x < 0:
        raise ValueError("log of a negative number")
    return mp.log(x), 1 / x, -1 / (x * x)


def of_sqrt(x):
    if x < 0:
        raise ValueError("root of a negative number")
    s = mp.sqrt(x)
    return s, 1 / (2 * s), -1 / (4 * s * x)


def of_sin(x):
    s, c = mp.sin(x), mp.cos(x)
    return s, c, -s


def of_cos(x):
    s, c = mp.sin(x), mp.cos(x)
    return c, -s, -c


def of_tan(x):
    t, c = mp.tan(x), mp.cos(x)
    return t, 1 / (c * c), 2 * t / (c * c)


def within_one(x):
    if abs(x) > 1:
        raise ValueError("outside [-1, 1]")
    return (1 - x) * (1 + x)


def of_asin(x):
    q = within_one(x)
    r = 1 / mp.sqrt(q)
    return mp.asin(x), r, x * r / q


def of_acos(x):
    _, d, e = of_asin(x)
    return mp.acos(x), -d, -e


def of_atan(x):
    r = 1 / (1 + x * x)
    return mp.atan(x), r, -2 * x * r * r


def of_sinh(x):
    return mp.sinh(x), mp.cosh(x), mp.sinh(x)


def of_cosh(x):
    return mp.cosh(x), mp.sinh(x), mp.cosh(x)


def of_tanh(x):
    t, s = mp.tanh(x), mp.sech(x) ** 2
    return t, s, -2 * t * s


def of_asinh(x):
    q = x * x + 1
    r = 1 / mp.sqrt(q)
    return mp.asinh(x), r, -x * r / q


def of_acosh(x):
    if x < 1:
        raise ValueError("below 1")
    q = (x - 1) * (x + 1)
    r = 1 / mp.sqrt(q)
    return mp.acosh(x), r, -x * r / q


def of_atanh(x):
    r = 1 / within_one(x)
    return mp.atanh(x), r, 2 * x * r * r


def of_sigmoid(x):
    e = mp.exp(-abs(x))
    r = 1 / (1 + e)
    s, slope = (r if x >= 0 else e * r), e * r * r
    return s, slope, slope * (e - 1) * r * (1 if x >= 0 else -1)


def of_softplus(x):
    s, slope, _ = of_sigmoid(x)
    return max(x, mpf(0)) + mp.log1p(mp.exp(-abs(x))), s, slope


def of_erf(x):
    d = 2 / mp.sqrt(mp.pi) * mp.exp(-x * x)
    return mp.erf(x), d, -2 * x * d


def of_erfc(x):
    _, d, e = of_erf(x)
    return mp.erfc(x), -d, -e


def of_erfinv(x):
    if within_one(x) == 0:
        raise ZeroDivisionError
    y = mp.erfinv(x) if abs(x) > 1e-30 else mp.sqrt(mp.pi) / 2 * x * (1 + mp.pi * x * x / 12)
    d = mp.sqrt(mp.pi) / 2 * mp.exp(y * y)
    return y, d, 2 * y * d * d


def not_at_poles(x):
    if x <= 0 and x == mp.floor(x):
        raise ZeroDivisionError
    return x


def cotangent(n, x):
    """The n-th derivative of pi cot(pi x): (-1)^n pi^(n+1) P_n(cot), P_(n+1) = (1 + c^2) P_n'."""
    c, p = mp.cospi(x) / mp.sinpi(x), [0, 1]
    for _ in range(n):
        q = [0] * (len(p) + 1)
        for k in range(1, len(p)):
            q[k - 1] += k * p[k]
            q[k + 1] += k * p[k]
        p = q
    return (-1) ** n * mp.pi ** (n + 1) * mp.polyval(p[::-1], c)


def psi(n, x):
    return mp.psi(n, x) if x > 0 else (-1) ** n * mp.psi(n, 1 - x) - cotangent(n, x)


def of_lgamma(x):
    not_at_poles(x)
    v = mp.loggamma(x) if x > 0 else mp.log(mp.pi / abs(mp.sinpi(x))) - mp.loggamma(1 - x)
    return v, psi(0, x), psi(1, x)


def of_polygamma(n):
    return lambda x: tuple(psi(n + k, not_at_poles(x)) for k in range(3))


def of_sinc(order):
    """The derivatives of sin t / t at t = pi x, from t S^(m) + m S^(m-1) = sin^(m) t; digits make up for what cancels."""

    def near_zero(n, t):
        """sum over 2k >= n of (-1)^k t^(2k-n) / ((2k+1) (2k-n)!), where the recurrence would cancel."""
        return mp.fsum((-1) ** k * t ** (2 * k - n) / ((2 * k + 1) * mp.factorial(2 * k - n)) for k in range((n + 1) // 2, n + 8))

    def f(x):
        t = mp.pi * x
        if abs(x) < 1e-6:
            return tuple(near_zero(n, t) * mp.pi**n for n in range(order, order + 3))
        sine = [mp.sinpi(x), mp.cospi(x)]
        sine += [-sine[0], -sine[1], sine[0], sine[1]]
        s = [sine[0] / t]
        for m in range(1, order + 3):
            s.append((sine[m] - m * s[m - 1]) / t)
        return tuple(s[n] * mp.pi**n for n in range(order, order + 3))

    return f


exp, log, sqrt = function(of_exp), function(of_log), function(of_sqrt)
log1p = function(lambda x: (mp.log1p(x), 1 / (1 + x), -1 / (1 + x) ** 2) if x > -1 else of_log(x + 1))
expm1 = function(lambda x: (mp.expm1(x), mp.exp(x), mp.exp(x)))
sin, cos, tan = function(of_sin), function(of_cos), function(of_tan)
asin, acos, atan = function(of_asin), function(of_acos), function(of_atan)
sinh, cosh, tanh = function(of_sinh), function(of_cosh), function(of_tanh)
asinh, acosh, atanh = function(of_asinh), function(of_acosh), function(of_atanh)
sigmoid, softplus = function(of_sigmoid), function(of_softplus)
erf, erfc, erfinv = function(of_erf), function(of_erfc), function(of_erfinv)
lgamma = function(of_lgamma)


def polygamma(n, x):
    return function(of_polygamma(n))(x)


def sinc(order, x):
    return function(of_sinc(order))(x)


def absolute(x):
    x = lift(x)
    s = mp.sign(x.v)
    return chain(x, abs(x.v), s, mpf(0))


def step(f):
    """A function with slope 0."""
    return function(lambda x: (f(x), mpf(0), mpf(0)))


def power(x, p):
    """x^p for a number p."""
    x, p = lift(x), mpf(p)
    if p == 0:
        return chain(x, mpf(1), mpf(0), mpf(0))
    whole = p == mp.floor(p)
    if x.v < 0 and not whole:
        raise ValueError("a power of a negative number")
    if x.v == 0 and not whole and p < 2:
        raise ZeroDivisionError  # a slope, or the next

    def at(q):
        return x.v ** (int(q) if whole else q)

    second = p * (p - 1) * at(p - 2) if p != 1 else mpf(0)
    return chain(x, at(p), p * at(p - 1), second)
