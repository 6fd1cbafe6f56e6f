"""Golden cases of the structured ops: normalisation, convolution, pooling, attention, resizing.

Deliberate differences from PyTorch: a convolution wants all four axes; a query that a mask lets see nothing gets 0 (as PyTorch's attention, not as softmax).
"""

import torch
import torch.nn.functional as F

from make_golden import CALLS, bools, distinct, emit, floats, rng, write


def pair(a, i, default=1):
    v = [int(x) for x in a[i : i + 2]]
    return tuple(x or default for x in v) if v else (default, default)


def conv(a):
    """stride, padding, dilation, groups"""
    groups = int(a[6]) if len(a) > 6 else 1
    return dict(stride=pair(a, 0), padding=pair(a, 2, 0), dilation=pair(a, 4), groups=groups or 1)


def transposed(x, w, b, a):
    return F.conv_transpose2d(x, w, b, output_padding=pair(a, 7, 0), **conv(a))


def one(a):
    v = [int(x) for x in a] + [0] * (4 - len(a))
    return dict(stride=v[0] or 1, padding=v[1], dilation=v[2] or 1, groups=v[3] or 1)


def sliding(a):
    """stride, padding, kernel, dilation"""
    return dict(kernel_size=pair(a, 4), stride=pair(a, 0), padding=pair(a, 2, 0), dilation=pair(a, 6))


def pool(a):
    kernel = pair(a, 4)
    stride = tuple(s or k for s, k in zip(pair(a, 0, 0), kernel))
    return dict(kernel_size=kernel, stride=stride, padding=pair(a, 2, 0))


def along(a):
    """kernel, stride, padding"""
    return dict(kernel_size=int(a[0]), stride=int(a[1]) or None, padding=int(a[2]))


def max_pool(x, a, index=False):
    y, i = F.max_pool2d(x, **pool(a), dilation=pair(a, 6), return_indices=True)
    return i if index else y


def avg_pool(x, a):
    return F.avg_pool2d(x, **pool(a), count_include_pad=not a[6])


def avg_pool_input(g, a):
    """The transpose, as the gradient of the pool."""
    x = torch.zeros(*g.shape[:2], int(a[7]), int(a[8]), dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(avg_pool(x, a), x, g, create_graph=True)[0]


def conv_input(g, w, a):
    groups = conv(a)["groups"]
    shape = (g.shape[0], w.shape[1] * groups, int(a[7]), int(a[8]))
    x = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(F.conv2d(x, w, **conv(a)), x, g, create_graph=True)[0]


def conv_weight(x, g, a):
    shape = (g.shape[1], x.shape[1] // conv(a)["groups"], int(a[7]), int(a[8]))
    w = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(F.conv2d(x, w, **conv(a)), w, g, create_graph=True)[0]


def rotary(x, a):
    """offset, base, interleaved: pairs of elements as complex numbers, times e^(i angle). PyTorch has no such function."""
    d, t = x.shape[-1], x.shape[-2]
    frequency = (a[1] or 10000.0) ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    angle = torch.outer(a[0] + torch.arange(t, dtype=torch.float64), frequency)
    pairs = x.unflatten(-1, (-1, 2)) if a[2] else x.unflatten(-1, (2, -1)).transpose(-1, -2)
    turned = torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * torch.polar(torch.ones_like(angle), angle))
    return (turned if a[2] else turned.transpose(-1, -2)).flatten(-2)


def last(x, a):
    return x.shape[-(int(a[0]) or 1) :]


def attention(q, k, v, mask, a):
    if a[0]:
        causal = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril()
        if mask is None:
            mask = causal
        elif mask.dtype == torch.bool:
            mask = mask & causal
        else:
            mask = mask + torch.zeros_like(mask).masked_fill(~causal, float("-inf"))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=a[1] or None)


def resize(x, mode, align=None, **to):
    return F.interpolate(x, mode=mode, align_corners=align, **to)


CALLS.update({
    "layer_norm": lambda x, a: F.layer_norm(x, last(x, a), eps=a[1] or 1e-5),
    "layer_norm_affine": lambda x, w, b, a: F.layer_norm(x, last(x, a), w, b, eps=a[1] or 1e-5),
    "rms_norm": lambda x, a: F.rms_norm(x, last(x, a), eps=a[1] or None),
    "rms_norm_weight": lambda x, w, a: F.rms_norm(x, last(x, a), w, eps=a[1] or None),
    "group_norm": lambda x, w, b, a: F.group_norm(x, int(a[0]), w, b, eps=a[1] or 1e-5),
    "batch_norm": lambda x, w, b, a: F.batch_norm(x, None, None, w, b, training=True, eps=a[0] or 1e-5),
    "batch_norm_eval": lambda x, m, v, a: F.batch_norm(x, m.detach(), v.detach(), eps=a[0] or 1e-5),
    "conv2d": lambda x, w, a: F.conv2d(x, w, **conv(a)),
    "conv2d_bias": lambda x, w, b, a: F.conv2d(x, w, b, **conv(a)),
    "conv1d": lambda x, w, a: F.conv1d(x, w, **one(a)),
    "conv_transpose1d": lambda x, w, a: F.conv_transpose1d(x, w, output_padding=int(a[4]) if len(a) > 4 else 0, **one(a)),
    "conv_transpose1d_bias": lambda x, w, b, a: F.conv_transpose1d(x, w, b, **one(a)),
    "instance_norm": lambda x, a: F.instance_norm(x, eps=a[0] or 1e-5),
    "instance_norm_affine": lambda x, w, b, a: F.instance_norm(x, weight=w, bias=b, eps=a[0] or 1e-5),
    "max_pool1d": lambda x, a: F.max_pool1d(x, **along(a), dilation=int(a[3])),
    "max_pool1d_index": lambda x, a: F.max_pool1d(x, **along(a), dilation=int(a[3]), return_indices=True)[1],
    "avg_pool1d": lambda x, a: F.avg_pool1d(x, **along(a), count_include_pad=not a[3]),
    "adaptive_avg_pool1d": lambda x, a: F.adaptive_avg_pool1d(x, int(a[0])),
    "conv2d_input": conv_input,
    "conv2d_weight": conv_weight,
    "conv_transpose2d": lambda x, w, a: transposed(x, w, None, a),
    "conv_transpose2d_bias": transposed,
    "max_pool2d": max_pool,
    "max_pool2d_index": lambda x, a: max_pool(x, a, True),
    "avg_pool2d": avg_pool,
    "avg_pool2d_input": avg_pool_input,
    "adaptive_avg_pool2d": lambda x, a: F.adaptive_avg_pool2d(x, (int(a[0]), int(a[1]))),
    "rotary": rotary,
    "unfold": lambda x, a: F.unfold(x, **sliding(a)),
    "fold": lambda x, a: F.fold(x, (int(a[8]), int(a[9])), **sliding(a)),
    "attention": lambda q, k, v, a: attention(q, k, v, None, a),
    "attention_mask": attention,
    "nearest": lambda x, a: resize(x, "nearest", size=pair(a, 0)),
    "nearest_scale": lambda x, a: resize(x, "nearest", scale_factor=tuple(a)),
    "bilinear": lambda x, a: resize(x, "bilinear", bool(a[2]), size=pair(a, 0)),
    "bilinear_scale": lambda x, a: resize(x, "bilinear", False, scale_factor=tuple(a)),
})


def norms():
    for shape, axes in [((3, 5), 0), ((2, 3, 4), 2), ((17,), 1), ((2, 33), 1), ((0, 3), 1), ((3, 1), 1)]:
        n = axes or 1
        for eps in (0, 0.125):
            emit("layer_norm", [floats(shape)], (axes, eps))
            emit("rms_norm", [floats(shape, 0.5, 2)], (axes, eps))
        emit("layer_norm_affine", [floats(shape), floats(shape[-n:]), floats(shape[-n:])], (axes, 0))
        emit("rms_norm_weight", [floats(shape, 0.5, 2), floats(shape[-n:])], (axes, 0))
    for shape, groups in [((2, 4, 3), 2), ((2, 6, 2, 3), 3), ((3, 4), 1), ((2, 3, 5), 3), ((1, 4, 2, 1, 2), 2)]:
        c = shape[1]
        emit("group_norm", [floats(shape), floats((c,)), floats((c,))], (groups, 0))
    for shape in [(4, 3), (2, 3, 5), (2, 2, 3, 4), (3, 1, 2)]:
        c = shape[1]
        emit("batch_norm", [floats(shape), floats((c,)), floats((c,))], (0,))
        emit("batch_norm", [floats(shape), floats((c,)), floats((c,))], (0.125,))


WINDOWS = [  # x, kernel, stride, padding, dilation
    ((5, 6), (3, 3), (1, 1), (0, 0), (1, 1)),
    ((5, 6), (3, 3), (1, 1), (1, 1), (1, 1)),
    ((5, 7), (3, 2), (2, 3), (1, 0), (1, 1)),
    ((7, 5), (2, 3), (2, 1), (0, 2), (3, 2)),
    ((4, 4), (1, 1), (1, 1), (0, 0), (1, 1)),
    ((4, 4), (1, 1), (2, 3), (1, 1), (1, 1)),
    ((1, 9), (1, 4), (1, 2), (0, 3), (1, 2)),
    ((3, 3), (3, 3), (1, 1), (0, 0), (1, 1)),
    ((2, 2), (3, 3), (4, 1), (2, 1), (1, 1)),
]


def convolutions():
    for (h, w), k, s, p, d in WINDOWS:
        for images, channels, filters, groups in [(2, 3, 2, 1), (1, 4, 6, 2), (2, 3, 3, 3)]:
            numbers = (*s, *p, *d, groups)
            x, kernel = floats((images, channels, h, w)), floats((filters, channels // groups, *k))
            emit("conv2d", [x, kernel], numbers)
            g = floats(F.conv2d(x, kernel, **conv(numbers)).shape)
            if groups == 1 or k == (3, 2):
                emit("conv2d_bias", [x, kernel, floats((filters,))], numbers)
                emit("conv2d_input", [g, kernel], (*numbers, h, w))
                emit("conv2d_weight", [x, g], (*numbers, *k))
                if all(2 * q <= e * (n - 1) + t * (m - 1) for q, e, n, t, m in zip(p, d, k, s, g.shape[2:])):
                    emit("conv_transpose2d", [g, kernel], numbers)
                    emit("conv_transpose2d_bias", [g, kernel, floats((channels,))], numbers)
    emit("conv_transpose2d", [floats((1, 2, 2, 3)), floats((2, 3, 3, 3))], (2, 3, 1, 0, 1, 1, 1, 1, 2))
    emit("conv2d", [floats((0, 2, 3, 3)), floats((2, 2, 2, 2))])
    emit("conv1d", [floats((2, 3, 9)), floats((4, 3, 3))])
    emit("conv1d", [floats((2, 4, 9)), floats((6, 2, 3))], (2, 1, 2, 2))
    emit("conv1d", [floats((1, 1, 4)), floats((1, 1, 4))], (1, 3, 1, 1))


def pools():
    for (h, w), k, s, p, d in WINDOWS:
        x = distinct((2, 2, h, w))
        half = tuple(min(a, b // 2) for a, b in zip(p, k))
        fits = all(n + 2 * q >= e * (m - 1) + 1 for n, q, e, m in zip((h, w), half, d, k))
        if fits:
            for call in ("max_pool2d", "max_pool2d_index"):
                emit(call, [x], (*s, *half, *k, *d))
        emit("unfold", [floats((2, 2, h, w))], (*s, *p, *k, *d))
        columns = F.unfold(floats((2, 2, h, w)), **sliding((*s, *p, *k, *d)))
        emit("fold", [floats(columns.shape)], (*s, *p, *k, *d, h, w))
        if h + 2 * half[0] >= k[0] and w + 2 * half[1] >= k[1]:
            for exclude in (0, 1):
                numbers = (*s, *half, *k, exclude)
                y = avg_pool(floats((2, 2, h, w)), numbers)
                emit("avg_pool2d", [floats((2, 2, h, w))], numbers)
                emit("avg_pool2d_input", [floats(y.shape)], (*numbers, h, w))
    emit("max_pool2d", [distinct((1, 2, 4, 6))], (0, 0, 0, 0, 2, 3))
    emit("avg_pool2d", [floats((1, 2, 4, 6))], (0, 0, 0, 0, 2, 3, 0))
    for shape, size in [((2, 2, 5, 7), (3, 4)), ((1, 2, 3, 3), (1, 1)), ((1, 1, 2, 3), (4, 5)), ((1, 1, 6, 4), (3, 2))]:
        emit("adaptive_avg_pool2d", [floats(shape)], size)


def attentions():
    for q, k, v in [((3, 2), (4, 2), (4, 5)), ((2, 3, 4), (2, 3, 4), (2, 3, 4)), ((2, 2, 5, 3), (2, 2, 7, 3), (2, 2, 7, 2))]:
        mask = bools((q[-2], k[-2]))
        mask[:, 0] = True
        for causal in (0, 1):
            for scale in (0, 0.75):
                emit("attention", [floats(q), floats(k), floats(v)], (causal, scale))
            emit("attention_mask", [floats(q), floats(k), floats(v), mask], (causal, 0))
            emit("attention_mask", [floats(q), floats(k), floats(v), floats((q[-2], k[-2]))], (causal, 0))


def long_attentions():
    """Longer than a tile of queries or keys."""
    for q, k, v in [((70, 3), (130, 3), (130, 2)), ((2, 65, 17), (33, 17), (2, 33, 9))]:
        mask = bools((q[-2], k[-2]))
        mask[:, 0] = True
        mask[5] = False  # sees nothing
        for causal in (0, 1):
            emit("attention", [floats(q), floats(k), floats(v)], (causal, 0))
            emit("attention_mask", [floats(q), floats(k), floats(v), mask], (causal, 0))
            emit("attention_mask", [floats(q), floats(k), floats(v), floats((k[-2],))], (causal, 0))


def resizes():
    for shape in [(2, 1, 3, 4), (1, 2, 5, 2), (1, 1, 1, 1)]:
        for size in [(3, 4), (6, 8), (2, 2), (7, 5), (1, 1)]:
            emit("nearest", [floats(shape)], size)
            emit("bilinear", [floats(shape)], (*size, 0))
            emit("bilinear", [floats(shape)], (*size, 1))
        for scale in [(2, 2), (1.5, 3)]:
            emit("nearest_scale", [floats(shape)], scale)
            emit("bilinear_scale", [floats(shape)], scale)


def of_one_axis():
    for k, s, p, d in [(2, 0, 0, 1), (3, 1, 1, 1), (3, 2, 1, 2), (1, 3, 0, 1)]:
        for call in ("max_pool1d", "max_pool1d_index"):
            emit(call, [distinct((2, 3, 9))], (k, s, p, d))
        for exclude in (0, 1):
            emit("avg_pool1d", [floats((2, 3, 9))], (k, s, p, exclude))
    for n in (1, 3, 9, 11):
        emit("adaptive_avg_pool1d", [floats((2, 2, 9))], (n,))
    emit("conv_transpose1d", [floats((2, 3, 5)), floats((3, 2, 3))])
    emit("conv_transpose1d", [floats((2, 4, 5)), floats((4, 3, 2))], (3, 1, 2, 2, 2))
    emit("conv_transpose1d_bias", [floats((2, 3, 5)), floats((3, 2, 3)), floats((2,))], (2, 1))
    for shape in [(2, 3, 4), (2, 2, 3, 2), (1, 4, 2, 1, 2)]:
        c = shape[1]
        for eps in (0, 0.125):
            emit("instance_norm", [floats(shape)], (eps,))
            emit("instance_norm_affine", [floats(shape), floats((c,)), floats((c,))], (eps,))


def rotations():
    for shape in [(2, 3, 4), (1, 2, 2), (3, 2, 5, 6), (2, 0, 2)]:
        for offset, base in [(0, 0), (7, 10000), (-3, 2), (100000, 500000)]:
            for interleaved in (0, 1):
                emit("rotary", [floats(shape)], (offset, base, interleaved))


def main():
    write(
        "structured",
        ("norms", norms),
        ("convolutions", convolutions),
        ("pools", pools),
        ("attentions", attentions),
        ("long_attentions", long_attentions),
        ("resizes", resizes),
        ("of_one_axis", of_one_axis),
        ("rotations", rotations),
    )
