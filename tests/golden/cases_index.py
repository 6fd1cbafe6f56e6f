"""Golden cases of indexing: gather and scatter_add, index_select, embedding, sorting, scattering.

Deliberate differences from PyTorch:
    scatter, equal indices     the last one stays and has the gradient: tests/ops/index/exact.c;
                               PyTorch leaves it open
    negative indices           counted from the end; PyTorch refuses them in gather and its like, and in one_hot
    padding index              counts from the end too
"""

import torch
import torch.nn.functional as F

from make_golden import CALLS, ELEMENTWISE, distinct, emit, floats, ints, rng, values, wrapped, write


def order(x, a):
    return torch.sort(x, dim=int(a[1]), descending=bool(a[0]), stable=True)


def best(x, a):
    return torch.topk(x, int(a[2]), dim=int(a[1]), largest=not a[0])


def embedding(w, i, a):
    padding = int(a[1]) % w.shape[0] if a[0] else None
    return F.embedding(wrapped(i, w.shape[0]), w, padding_idx=padding)


OURS = {
    "sort": lambda x, a: order(x, a).values,
    "sort_index": lambda x, a: order(x, a).indices,
    "topk": lambda x, a: best(x, a).values,
    "topk_index": lambda x, a: best(x, a).indices,
    "scatter": lambda x, i, s, a: torch.scatter(x, int(a[0]), wrapped(i, x.shape[int(a[0])]), s),
    "take_along_dim": lambda x, i, a: torch.take_along_dim(x, wrapped(i, x.shape[int(a[0])]), int(a[0])),
    "one_hot": lambda i, a: torch.nn.functional.one_hot(i.to(torch.int64), int(a[0])),
}
CALLS.update(OURS)
ELEMENTWISE.update(OURS)  # every output is one of the inputs
CALLS.update({
    "gather": lambda x, i, a: torch.gather(x, int(a[0]), wrapped(i, x.shape[int(a[0])])),
    "scatter_add": lambda x, i, s, a: x.scatter_add(int(a[0]), wrapped(i, x.shape[int(a[0])]), s),
    "index_select": lambda x, i, a: torch.index_select(x, int(a[0]), wrapped(i, x.shape[int(a[0])])),
    "embedding": embedding,
})
ELEMENTWISE |= {"gather", "index_select"}


def indexing():
    for dtype in ("i64", "i32"):
        for shape, index, axis in [
            ((5,), (7,), 0),
            ((3, 4), (2, 4), 0),
            ((3, 4), (3, 6), 1),
            ((2, 3, 4), (2, 3, 5), -1),
            ((3, 4), (2, 1), 1),
            ((3, 4), (0, 4), 0),
        ]:
            size = shape[axis]
            emit("gather", [floats(shape), ints(index, -size, size, dtype)], (axis,))
        for shape, index, axis in [
            ((5,), (7,), 0),
            ((3, 4), (2, 4), 0),
            ((3, 4), (3, 6), 1),
            ((2, 3, 4), (2, 3, 5), -1),
            ((3, 4), (0, 4), 0),
        ]:
            size = shape[axis]
            emit("scatter_add", [floats(shape), ints(index, -size, size, dtype), floats(index)], (axis,))
        for shape, n, axis in [
            ((5,), 7, 0),
            ((3, 4), 2, 0),
            ((3, 4), 6, -1),
            ((2, 3, 4), 5, 1),
            ((3, 4), 0, 0),
        ]:
            emit("index_select", [floats(shape), ints((n,), -shape[axis], shape[axis], dtype)], (axis,))


def embeddings():
    for shape in [(4,), (2, 3), (), (0,)]:
        for numbers in ((0, 0), (1, 0), (1, -1), (1, 2)):
            emit("embedding", [floats((5, 3)), ints(shape, -5, 5)], numbers)


def sorting():
    for descending in (0, 1):
        for shape, axis in [((3, 4), 0), ((3, 4), 1), ((2, 3, 4), -2), ((17,), 0), ((2, 33), 1), ((100,), 0), ((0, 3), 1)]:
            emit("sort", [distinct(shape)], (descending, axis))
            emit("sort_index", [distinct(shape)], (descending, axis))
        ties = ints((5, 40), 0, 4).double()
        emit("sort", [ties], (descending, 1))
        emit("sort_index", [ties], (descending, 1))
        ends = values(1, torch.nan, -torch.inf, 0, -0.0, torch.inf, torch.nan, -3)
        emit("sort", [ends], (descending, 0))
        emit("sort_index", [ends], (descending, 0))
        for dtype in ("i32", "i64", "u8", "bool"):
            x = ints((3, 20), 0 if dtype in ("u8", "bool") else -9, 2 if dtype == "bool" else 9, dtype)
            emit("sort", [x], (descending, 1))
            emit("sort_index", [x], (descending, 1))
        for shape, axis, k in [((3, 4), 0, 2), ((3, 4), 1, 4), ((2, 3, 4), -2, 1), ((17,), 0, 5), ((7,), 0, 0)]:
            emit("topk", [distinct(shape)], (descending, axis, k))
            emit("topk_index", [distinct(shape)], (descending, axis, k))


def permuted(shape, axis):
    """Indices along the axis without equal ones in a row."""
    rows = torch.zeros(shape, dtype=torch.int64).movedim(axis, -1)
    flat = [rng.sample(range(rows.shape[-1]), rows.shape[-1]) for _ in range(rows.numel() // rows.shape[-1])]
    return torch.tensor(flat).reshape(rows.shape).movedim(-1, axis).contiguous()


def scattering():
    for shape, index, axis in [((5,), (5,), 0), ((3, 4), (3, 2), 0), ((3, 4), (2, 4), 1), ((2, 3, 4), (2, 3, 4), -1)]:
        for dtype in (torch.int64, torch.int32):
            at = permuted(index, axis).to(dtype)
            emit("scatter", [floats(shape), at, floats(index)], (axis,))
    emit("scatter", [floats((3, 4)), ints((0, 4), 0, 1), floats((0, 4))], (0,))
    emit("scatter", [ints((6,), 0, 9), permuted((4,), 0), ints((4,), 0, 9)], (0,))
    for shape, index, axis in [((3, 4), (3, 2), 1), ((3, 4), (1, 4), 0), ((1, 4), (3, 2), 1), ((2, 3, 4), (2, 5, 1), 1)]:
        n = shape[axis]
        emit("take_along_dim", [floats(shape), ints(index, -n, n)], (axis,))
    for shape, classes in [((5,), 4), ((), 3), ((2, 3), 7), ((0,), 3)]:
        emit("one_hot", [ints(shape, 0, min(classes, 4))], (classes,))


def main():
    write(
        "index",
        ("indexing", indexing),
        ("embeddings", embeddings),
        ("shape sorting", sorting),
        ("shape scattering", scattering),
    )
