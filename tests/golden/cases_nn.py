"""Golden cases of the losses of ops/nn. The first number is the reduction: mean, sum, none, batch mean.

Deliberate differences from PyTorch, with exact cases in tests/ops/nn/exact.c:
    kl_div at target 0             gradient 0 by the target from t log t; PyTorch has -inf there
    cosine_similarity below eps    gradient 0 by way of the norm that eps bounds; PyTorch lets it pass
    class numbers                  none is ignored unless asked for; PyTorch ignores -100
    hinge_embedding_loss           labels other than 1 and -1 are an error
hinge_loss, which PyTorch has not, is composed here.
"""

import math

import torch
import torch.nn.functional as F

from make_golden import CALLS, emit, floats, ints, values, write

REDUCTIONS = ["mean", "sum", "none"]


def reduced(f):
    """f(*inputs, numbers, reduction) with batch mean on top."""

    def run(*args):
        *inputs, a = args
        a = list(a) + [0.0] * 4
        if a[0] == 3:
            return f(*inputs, a, "sum") / inputs[0].shape[0]
        return f(*inputs, a, REDUCTIONS[int(a[0])])

    return run


def to_classes(c):
    return c.to(torch.int64)


def class_options(ignore, index):
    return {"ignore_index": int(index)} if ignore or index else {}


def cross_entropy(x, t, w, a, r):
    if not t.is_floating_point():
        t = to_classes(t)
    return F.cross_entropy(x, t, weight=w, reduction=r, label_smoothing=a[1], **class_options(a[2], a[3]))


def nll_loss(x, t, w, a, r):
    return F.nll_loss(x, to_classes(t), weight=w, reduction=r, **class_options(a[1], a[2]))


def finish(v, reduction):
    return v.mean() if reduction == "mean" else v.sum() if reduction == "sum" else v


def hinge_loss(x, y, a, r):
    return finish(((a[1] or 1) - y * x).clamp_min(0), r)


def weighted_classes(log_p, t, w, e, ignored, r):
    """The same by hand: PyTorch gives class weights no gradient."""
    c = log_p.shape[1]
    along = w.reshape([1, c] + [1] * (log_p.dim() - 2))
    if t.is_floating_point():
        return finish(-(along * log_p * ((1 - e) * t + e / c)).sum(1), r)
    keep = t != ignored
    t = torch.where(keep, to_classes(t), 0)
    of_row = torch.where(keep, w[t], 0.0)
    smooth = torch.where(keep, (along * log_p).sum(1), 0.0) * (e / c)
    v = -(1 - e) * of_row * log_p.gather(1, t.unsqueeze(1)).squeeze(1) - smooth
    return v.sum() / of_row.sum() if r == "mean" else finish(v, r)


def checked(by_hand, pytorchs):
    assert torch.allclose(by_hand, pytorchs, rtol=1e-13, atol=1e-13)
    return by_hand


def positive_weight(x, t, w, a, r):
    """By hand again, for the gradient of the weight."""
    y = finish(-(w * t * F.logsigmoid(x) + (1 - t) * F.logsigmoid(-x)), r)
    return checked(y, bce(x.detach(), t.detach(), pos_weight=w.detach(), reduction=r))


def weighted_cross_entropy(x, t, w, a, r):
    ignored = a[3] if a[2] or a[3] else -100
    y = weighted_classes(torch.log_softmax(x, 1), t, w, a[1], ignored, r)
    return checked(y, cross_entropy(x.detach(), t.detach(), w.detach(), a, r))


def weighted_nll(x, t, w, a, r):
    ignored = a[2] if a[1] or a[2] else -100
    return checked(weighted_classes(x, t, w, 0, ignored, r), nll_loss(x.detach(), t, w.detach(), a, r))


bce = F.binary_cross_entropy_with_logits
CALLS["mse_loss"] = reduced(lambda x, t, a, r: F.mse_loss(x, t, reduction=r))
CALLS["l1_loss"] = reduced(lambda x, t, a, r: F.l1_loss(x, t, reduction=r))
CALLS["huber_loss"] = reduced(lambda x, t, a, r: F.huber_loss(x, t, reduction=r, delta=a[1] or 1))
CALLS["smooth_l1_loss"] = reduced(lambda x, t, a, r: F.smooth_l1_loss(x, t, reduction=r, beta=a[1] or 1))
CALLS["kl_div"] = reduced(lambda x, t, a, r: F.kl_div(x, t, reduction=r, log_target=bool(a[1])))
CALLS["hinge_embedding_loss"] = reduced(
    lambda x, y, a, r: F.hinge_embedding_loss(x, y, margin=a[1] or 1, reduction=r)
)
CALLS["hinge_loss"] = reduced(hinge_loss)
CALLS["gaussian_nll_loss"] = reduced(
    lambda x, t, v, a, r: F.gaussian_nll_loss(x, t, v, full=bool(a[1]), eps=a[2] or 1e-6, reduction=r)
)
CALLS["cosine_similarity"] = lambda x, y, a: F.cosine_similarity(x, y, int(a[0]), (a + [0])[1] or 1e-8)
CALLS["binary_cross_entropy"] = reduced(lambda x, t, a, r: F.binary_cross_entropy(x, t, reduction=r))
CALLS["binary_cross_entropy_weight"] = reduced(
    lambda x, t, w, a, r: finish(w * F.binary_cross_entropy(x, t, reduction="none"), r)
)
CALLS["bce_with_logits"] = reduced(lambda x, t, a, r: bce(x, t, reduction=r))
CALLS["bce_pos_weight"] = reduced(positive_weight)
CALLS["bce_weight"] = reduced(
    lambda x, t, w, a, r: finish(w * bce(x, t, reduction="none"), r)
)
CALLS["cross_entropy"] = reduced(lambda x, t, a, r: cross_entropy(x, t, None, a, r))
CALLS["cross_entropy_weight"] = reduced(weighted_cross_entropy)
CALLS["nll_loss"] = reduced(lambda x, t, a, r: nll_loss(x, t, None, a, r))
CALLS["nll_loss_weight"] = reduced(weighted_nll)


def unit(shape):
    return floats(shape, 0.1, 0.9)


def signs(shape):
    return ints(shape, 0, 2).double() * 2 - 1


def weights(shape):
    return floats(shape, 0.25, 2)


SHAPES = [(3, 4), (7,), (2, 3, 4)]


def differences():
    for shape in SHAPES:
        for r in range(4):
            for call in ("mse_loss", "l1_loss"):
                emit(call, [floats(shape), floats(shape)], (r,))
            for call in ("huber_loss", "smooth_l1_loss"):
                for number in (0, 0.5, 2):
                    emit(call, [floats(shape, -3, 3), floats(shape)], (r, number))
    for call in ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss"):
        emit(call, [values(1, 2, 3), values(1, 2, 4)], (0, 0))
        emit(call, [values(1, 2, 3), values(2, 1, 3)], (2, 0))


def distributions():
    for shape in SHAPES:
        for r in range(4):
            for log in (0, 1):
                emit("kl_div", [floats(shape), floats(shape) if log else unit(shape)], (r, log))
            for full in (0, 1):
                emit("gaussian_nll_loss", [floats(shape), floats(shape), weights(shape)], (r, full, 0))
        emit("gaussian_nll_loss", [floats(shape), floats(shape), weights(shape)], (0, 0, 0.75))


def labels():
    for shape in SHAPES:
        for r in range(4):
            for margin in (0, 0.5):
                emit("hinge_loss", [floats(shape), signs(shape)], (r, margin))
                emit("hinge_embedding_loss", [floats(shape), signs(shape)], (r, margin))
            emit("binary_cross_entropy", [unit(shape), unit(shape)], (r,))
            emit("binary_cross_entropy_weight", [unit(shape), unit(shape), weights(shape[-1:])], (r,))
            emit("bce_with_logits", [floats(shape, -9, 9), unit(shape)], (r,))
            emit("bce_pos_weight", [floats(shape, -9, 9), unit(shape), weights(shape[-1:])], (r,))
            emit("bce_weight", [floats(shape, -9, 9), unit(shape), weights(shape)], (r,))


def classes():
    for shape, target in [((4, 5), (4,)), ((1, 3), (1,)), ((2, 5, 3), (2, 3)), ((6, 2), (6,))]:
        c = shape[1]
        for r in range(4):
            for dtype in ("i64", "i32"):
                emit("nll_loss", [floats(shape), ints(target, 0, c, dtype)], (r, 0, 0))
                emit("nll_loss", [floats(shape), ints(target, -1, c, dtype)], (r, 0, -1))
                emit("cross_entropy", [floats(shape), ints(target, 0, c, dtype)], (r, 0, 0, 0))
            emit("cross_entropy", [floats(shape), ints(target, 0, c)], (r, 0.1, 0, 0))
            emit("cross_entropy", [floats(shape), ints(target, -1, c)], (r, 0.1, 0, -1))
            emit("cross_entropy", [floats(shape), torch.softmax(floats(shape), 1)], (r, 0, 0, 0))
            emit("cross_entropy", [floats(shape), unit(shape)], (r, 0.25, 0, 0))
        emit("cross_entropy", [floats(shape), ints(target, 0, c)], (2, 0, 1, 0))


def weighted():
    for shape, target in [((4, 5), (4,)), ((2, 5, 3), (2, 3)), ((6, 2), (6,))]:
        c = shape[1]
        for r in range(4):
            for e in (0, 0.25):
                emit_weighted("cross_entropy_weight", shape, ints(target, 0, c), (r, e, 0, 0))
                emit_weighted("cross_entropy_weight", shape, ints(target, 1, c), (r, e, 1, 0))
                emit_weighted("cross_entropy_weight", shape, unit(shape), (r, e, 0, 0))
            emit_weighted("nll_loss_weight", shape, ints(target, 0, c), (r, 0, 0))
            emit_weighted("nll_loss_weight", shape, ints(target, -1, c), (r, 0, -1))


def emit_weighted(call, shape, target, numbers):
    emit(call, [floats(shape), target, weights((shape[1],))], numbers)


def angles():
    for shape, axis in [((3, 4), 1), ((3, 4), 0), ((5,), 0), ((2, 3, 4), -1), ((2, 3, 4), 1)]:
        emit("cosine_similarity", [floats(shape), floats(shape)], (axis, 0))
        emit("cosine_similarity", [floats(shape), floats(shape)], (axis, 0.01))
    emit("cosine_similarity", [floats((3, 4)), floats((1, 4))], (1, 0))
    emit("cosine_similarity", [floats((3, 4)), floats((4,))], (1, 0))


def main():
    write(
        "nn",
        ("differences", differences),
        ("distributions", distributions),
        ("labels", labels),
        ("classes", classes),
        ("weighted", weighted),
        ("angles", angles),
    )
