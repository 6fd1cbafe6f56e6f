"""Golden cases of the products: linear, dot, outer, bmm, addmm and einsum."""

import torch
import torch.nn.functional as F

from make_golden import CALLS, ELEMENTWISE, emit, floats, rng, write

# The same list stands in tests/ops/products/calls.c.
EQUATIONS = """
ij,jk->ik  bij,bjk->bik  bij,bkj->bik  ij,kj  i,i->  i,j->ij  ij,ij->ij  ij,ij->ji  ij->ji  ij->  ij->i
ii->  ii->i  iji->j  ...ij,...jk->...ik  ...ij,...jk  i...->...i  ...ij->ij  ba  aB  ij,jk->k
ij,jk,kl->il  bi,bj,bk->bijk  ij,kl->jl  bn,anm,bm->ba  bqhd,bkhd->bhqk  ii,ij,jj->i  ij,ij->
...,...  ,ij->ij  ij,j->i  abcd,cd->abcd  a,b,c,a->bc  abcdefg,abcdefg->abcdefg
abcdefgh,abcdefgi->abcdefg  i...i->...i  ij->ij
""".split()
SIZES = dict(a=2, b=3, c=2, d=3, e=1, f=2, g=1, h=2, i=3, j=4, k=2, l=3, m=4, n=2, q=3, B=4)
DOTS = {  # sizes of "..." in each operand
    14: [[(), ()], [(2,), (2,)], [(3,), ()], [(2, 1), (3,)], [(1,), (5,)]],
    15: [[(2,), (2,)], [(), (3,)]],
    16: [[()], [(2, 3)]],
    17: [[()], [(2,)], [(2, 3)]],
    28: [[(), ()], [(2, 3), (3,)], [(2, 1), (1, 3)]],
    35: [[()], [(2, 4)]],
}


def einsum(*given):
    return torch.einsum(EQUATIONS[int(given[-1][0])], *given[:-1])


CALLS.update({
    "linear": lambda x, w, a: F.linear(x, w),
    "linear_bias": lambda x, w, b, a: F.linear(x, w, b),
    "dot": lambda x, y, a: torch.dot(x, y),
    "outer": lambda x, y, a: torch.outer(x, y),
    "bmm": lambda x, y, a: torch.bmm(x, y),
    "addmm": lambda c, x, y, a: torch.addmm(c, x, y, beta=a[0], alpha=a[1]),
    "broadcast_to": lambda x, a: torch.broadcast_to(x, [int(v) for v in a]),
    "einsum1": einsum,
    "einsum2": einsum,
    "einsum3": einsum,
    "einsum4": einsum,
})
ELEMENTWISE.update(["outer", "broadcast_to"])


def linears():
    for lead in [(), (4,), (1,), (2, 3), (2, 1, 3), (0,), (2, 0), (33,)]:
        for i, o in [(3, 2), (17, 5), (1, 1), (4, 1), (0, 2), (3, 0)]:
            emit("linear", [floats((*lead, i)), floats((o, i))])
            emit("linear_bias", [floats((*lead, i)), floats((o, i)), floats((o,))])


def fixed_ranks():
    for n, m in [(3, 4), (1, 1), (0, 2), (17, 3)]:
        emit("dot", [floats((n,)), floats((n,))])
        emit("outer", [floats((n,)), floats((m,))])
    for b, i, k, j in [(2, 3, 4, 5), (1, 1, 1, 1), (0, 2, 3, 2), (3, 2, 0, 2), (4, 9, 5, 3)]:
        emit("bmm", [floats((b, i, k)), floats((b, k, j))])
    for shape in [(3, 5), (5,), (1,), (), (3, 1), (1, 5)]:
        for numbers in [(1, 1), (0.5, -2), (-1, 1), (1, 0)]:
            emit("addmm", [floats(shape), floats((3, 4)), floats((4, 5))], numbers)
    emit("addmm", [floats((3, 5)), floats((3, 4)), floats((4, 5))], (0, 1))
    for shape, to in [((1, 4), (3, 4)), ((4,), (2, 3, 4)), ((), (2, 2)), ((3, 1), (-1, 5))]:
        emit("broadcast_to", [floats(shape)], to)


def equations():
    for number, equation in enumerate(EQUATIONS):
        subscripts = equation.split("->")[0].split(",")
        for dots in DOTS.get(number, [[()] * len(subscripts)]):
            shapes = []
            for subscript, middle in zip(subscripts, dots):
                before, *after = subscript.split("...")
                shape = [SIZES[c] for c in before]
                shapes.append((*shape, *middle, *(SIZES[c] for c in "".join(after))))
            emit(f"einsum{len(shapes)}", [floats(s) for s in shapes], (number,))


def broadcasting():
    """A letter of size 1 repeats."""
    for number, a, b in [(0, (2, 1), (3, 4)), (0, (2, 3), (1, 4)), (1, (1, 2, 3), (4, 3, 2)), (7, (1, 4), (3, 4)),
                         (4, (1,), (3,)), (27, (3, 1), (1, 4))]:
        emit("einsum2", [floats(a), floats(b)], (number,))
    for number, shapes in [(21, [(2, 3), (3, 1), (4, 2)]), (22, [(1, 2), (3, 2), (3, 2)])]:
        emit("einsum3", [floats(s) for s in shapes], (number,))
    for number, shapes in [(0, [(2, 0), (0, 3)]), (1, [(0, 2, 3), (0, 3, 2)]), (6, [(0, 3), (0, 3)])]:
        emit("einsum2", [floats(s) for s in shapes], (number,))


CALLS["matmul"] = lambda x, y, a: torch.matmul(x, y)


def matrices():
    pairs = [
        ((3, 4), (4, 2)),
        ((4,), (4,)),
        ((3, 4), (4,)),
        ((3,), (3, 4)),
        ((5, 3, 4), (5, 4, 2)),
        ((3, 4), (5, 4, 2)),
        ((5, 3, 4), (4, 2)),
        ((5, 3, 4), (4,)),
        ((4,), (5, 4, 2)),
        ((2, 1, 3, 4), (5, 4, 2)),
        ((1, 3, 4), (5, 4, 2)),
        ((2, 0), (0, 3)),
        ((0, 2), (2, 3)),
        ((0, 3, 4), (4, 2)),
        ((1, 1), (1, 1)),
        ((17, 9), (9, 33)),
        ((2, 5, 1, 7), (1, 7, 3)),
    ]
    for a, b in pairs:
        emit("matmul", [floats(a), floats(b)])


def main():
    write(
        "products",
        ("products", matrices),
        ("linears", linears),
        ("fixed_ranks", fixed_ranks),
        ("equations", equations),
        ("broadcasting", broadcasting),
    )
