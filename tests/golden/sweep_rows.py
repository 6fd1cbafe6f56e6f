"""The sweep's functions of rows: reductions, norms, softmax, normalisation and the losses over classes."""

from mpmath import mp, mpf
from sweep_case import Case
from sweep_jet import absolute, exp, log, power, reciprocal, sqrt
from sweep_pairs import larger, smaller

MEAN, SUM, NONE = 0, 1, 2


def total(row):
    out = row[0]
    for x in row[1:]:
        out = out + x
    return out


def mean(row):
    return total(row) / len(row)


def zero_of(row):
    return total([x * 0 for x in row])


def variance(row, correction):
    m = mean(row)
    return total([(x - m) * (x - m) for x in row]) / (len(row) - correction)


def root(x, row):
    """At 0 with gradient 0."""
    return zero_of(row) if x.v == 0 else sqrt(x)


def power_of_absolute(x, p):
    return x * x if p == 2 else x * 0 if x.v == 0 else power(absolute(x), p)


def norm(row, p):
    s = total([power_of_absolute(x, p) for x in row])
    return zero_of(row) if s.v == 0 else power(s, mpf(1) / p)


def folded(row, f):
    out = row[0]
    for x in row[1:]:
        out = f(out, x)
    return out


def log_sum_exp(row):
    top = max(row, key=lambda x: x.v)
    return top + log(total([exp(x - top) for x in row]))


def layer_norm(row, eps, k):
    return (row[k] - mean(row)) / sqrt(variance(row, 0) + eps)


def rms_norm(row, eps, k):
    return row[k] / sqrt(mean([x * x for x in row]) + eps)


def length(row):
    return root(total([x * x for x in row]), row)


def bounded(x, eps):
    """max(x, eps), with slope 0 where eps bounds."""
    return x if x.v > eps else x * 0 + eps


def cosine(a, b, eps):
    return total([x * y for x, y in zip(a, b)]) / (bounded(length(a), eps) * bounded(length(b), eps))


def smoothed(row, k, e):
    """Cross-entropy with targets (1 - e) onehot + e / classes."""
    lse = log_sum_exp(row)
    loss = [lse - x for x in row]
    return loss[k] * (1 - e) + mean(loss) * e


def at_zero(point):
    return "s" if all(x == 0 for x in point) else ""


def zeros_are_kinks(p):
    """|x|^p at 0: no second derivative below p = 2, no first below 1."""
    return lambda point: ("fs" if p < 1 else "s") if 0 in point and p < 2 else ""


def ties(point):
    return "fs" if len(set(abs(x) for x in point)) < len(point) else ""


def subnormal_mean(point):
    """The mean of subnormal numbers is rounded to one: a third of the least is 0. In either dtype."""
    largest = max(map(abs, point))
    return "vfs" if largest < 2.0**-1022 or 2.0**-149 <= largest < 2.0**-126 else ""


def all_equal(point):
    return "s" if len(set(point)) == 1 else ""


# ---- the sizes of terms that cancel ----


def hessian(m, f):
    return [f(i, j) for i in range(m) for j in range(i, m)]


def terms_of_largest(x):
    """log sum exp is 0 on a surface."""
    return [max(map(abs, x))] + [0] * 9


def terms_of_norm(p):
    def terms(x):
        n = mp.fsum(abs(v) ** p for v in x) ** (1 / mpf(p))
        slope = [abs(v) ** (p - 1) / n ** (p - 1) for v in x]
        both = hessian(3, lambda i, j: slope[i] * slope[j] / n + (abs(x[i]) ** (p - 2) / n ** (p - 1) if i == j else 0))
        return [0, 0, 0, 0] + [abs(p - 1) * t for t in both]

    return terms


def deviation(x, correction, eps=0):
    m = mp.fsum(x) / len(x)
    return mp.sqrt(mp.fsum((v - m) ** 2 for v in x) / (len(x) - correction) + eps)


def terms_of_var(x):
    return [0] + [max(map(abs, x))] * 3 + [0] * 6


def terms_of_std(x):
    s = deviation(x, 1)
    return [0] + [max(map(abs, x)) / s] * 3 + [1 / s] * 6


def terms_of_layer_norm(eps):
    def terms(x):
        r = deviation(x, 0, eps)
        return [max(map(abs, x)) / r] + [1 / r] * 3 + [1 / r**2] * 6

    return terms


def terms_of_rms_norm(eps):
    def terms(x):
        r = mp.sqrt(mp.fsum(v * v for v in x) / 3 + eps)
        return [0] + [1 / r] * 3 + [1 / r**2] * 6

    return terms


def terms_of_cosine(a, b):
    r = [1 / max(mp.norm(v), mpf(10) ** -8) for v in (a, a, b, b)]
    return [1] + r + hessian(4, lambda i, j: r[i] * r[j])


def row(call, numbers, formula, choices=None, output=0, terms=None):
    return Case(call, lambda in_: formula(in_[0]), numbers, ["3"], "vectors", output=output, choices=choices, terms=terms)


def cases():
    out = [
        row("sum", (0,), total),
        row("mean", (0,), mean),
        row("amax", (0,), lambda r: folded(r, larger), ties),
        row("amin", (0,), lambda r: folded(r, smaller), ties),
        row("max", (0, 0), lambda r: folded(r, larger), ties),
        row("min", (0, 0), lambda r: folded(r, smaller), ties),
        row("sum_to", (), total),
        row("prod", (0,), lambda r: r[0] * r[1] * r[2]),
        row("logsumexp", (0,), log_sum_exp, terms=terms_of_largest),
        row("cumsum", (0, 0, 0), total, output=2),
        row("cumprod", (0, 0, 0), lambda r: r[0] * r[1] * r[2], output=2),
        row("var", (0, 0), lambda r: variance(r, 1), terms=terms_of_var),
        row("var", (-1, 0), lambda r: variance(r, 0), terms=terms_of_var),
        row("std", (0, 0), lambda r: root(variance(r, 1), r), all_equal, terms=terms_of_std),
        row("softmax", (0,), lambda r: reciprocal(total([exp(x - r[1]) for x in r])), output=1),
        row("log_softmax", (0,), lambda r: r[1] - log_sum_exp(r), output=1),
    ]
    for eps in (2.0**-16, 2.0**-60, 2.0**-100):
        # layer_norm over one axis, one group of three channels, one channel of three numbers
        for call, numbers, shape in (("layer_norm", (1, eps), "3"), ("group_norm_alone", (1, eps), "1,3"),
                                     ("batch_norm_alone", (eps,), "3,1")):
            out.append(Case(call, lambda in_, e=eps: layer_norm(in_[0], mpf(e), 0), numbers, [shape], "vectors",
                            choices=subnormal_mean, terms=terms_of_layer_norm(eps)))
        out.append(row("rms_norm", (1, eps), lambda r, e=eps: rms_norm(r, mpf(e), 0), terms=terms_of_rms_norm(eps)))
    for p in (0.5, 1, 1.5, 2, 3):
        choices = at_zero if p == 2 else zeros_are_kinks(p)
        out.append(row("norm", (p, 0), lambda r, p=p: norm(r, mpf(p)), choices, terms=terms_of_norm(p)))
    out.append(row("norm", (mp.inf, 0), lambda r: folded([absolute(x) for x in r], larger), ties))
    out.append(row("norm", (-mp.inf, 0), lambda r: folded([absolute(x) for x in r], smaller), ties))
    for e in (0, 0.25):
        smooth = lambda r, e=e: smoothed(r, 1, mpf(e))
        out.append(Case("cross_entropy", lambda in_, f=smooth: f(in_[0]), (MEAN, e), ["1,3", "1"], "vectors_and_class",
                        kinds="di"))
    out.append(Case("softmax_cross_entropy", lambda in_: smoothed(in_[0], 1, 0), (), ["1,3", "1"], "vectors_and_class",
                    kinds="di"))
    out.append(Case("nll_loss", lambda in_: -in_[0][1] + zero_of(in_[0]), (MEAN,), ["1,3", "1"], "vectors_and_class",
                    kinds="di"))
    out.append(Case("cross_entropy", lambda in_: total([p * (log_sum_exp(in_[0]) - x) for x, p in zip(*in_)]), (MEAN,),
                    ["1,3", "1,3"], "vectors_and_weights", kinds="dd"))
    out.append(Case("cosine_similarity", lambda in_: cosine(in_[0], in_[1], mpf(10) ** -8), (-1, 0), ["2", "2"], "planes",
                    terms=terms_of_cosine, choices=lambda p: "fs" if p[:2] == (0, 0) or p[2:] == (0, 0) else ""))
    out.append(Case("mse_loss", lambda in_: mean([(a - b) * (a - b) for a, b in zip(*in_)]), (MEAN,), ["2", "2"], "planes"))
    out.append(Case("linear_scan", lambda in_: in_[0][1] * in_[1][0] + in_[1][1], (0, 0), ["3", "3"], "scans", output=2))
    return out
