"""Golden cases of linear algebra. Matrices are well conditioned: numbers on a coarse grid beside a large diagonal.

cholesky is given symmetric matrices; of others PyTorch reads one triangle, ours takes the symmetric part. The gradient
of det at a singular matrix is 0 in PyTorch; ours is the adjugate, which expansion along a row gives there.
"""

import torch

from make_golden import CALLS, emit, floats, rng, write


def triangular(a, b, numbers):
    upper, transpose, unit = (bool(v) for v in numbers)
    vectors = b.dim() == 1 or b.shape == a.shape[:-1]
    b = b.unsqueeze(-1) if vectors else b
    a = a.mT if transpose else a
    x = torch.linalg.solve_triangular(a, b, upper=upper != transpose, unitriangular=unit)
    return x.squeeze(-1) if vectors else x


def expanded(a):
    """The determinant as a polynomial."""
    n = a.shape[-1]
    if n == 0:
        return torch.ones(a.shape[:-2], dtype=a.dtype)
    minors = [expanded(torch.cat([a[..., 1:, :j], a[..., 1:, j + 1 :]], -1)) for j in range(n)]
    return sum((-1) ** j * a[..., 0, j] * minors[j] for j in range(n))


def det(a):
    value = torch.linalg.det(a)
    return expanded(a) if (value.detach().abs() < 1e-12).any() else value


def cholesky_of_product(x, numbers):
    return torch.linalg.cholesky(x @ x.mT + torch.eye(x.shape[-2], dtype=x.dtype), upper=bool(numbers[0]))


CALLS.update({
    "cholesky": lambda a, n: torch.linalg.cholesky(a, upper=bool(n[0])),
    "cholesky_of_product": cholesky_of_product,
    "triangular_solve": triangular,
    "solve": lambda a, b, n: torch.linalg.solve(a, b),
    "inverse": lambda a, n: torch.linalg.inv(a),
    "det": lambda a, n: det(a),
    "cofactor": lambda a, n: torch.linalg.det(a)[..., None, None] * torch.linalg.inv(a).mT,
    "slogdet": lambda a, n: torch.linalg.slogdet(a).logabsdet,
    "slogdet_sign": lambda a, n: torch.linalg.slogdet(a).sign.detach(),
})


def regular(shape):
    """Some rows exchanged, so that there are pivots to look for."""
    n = shape[-1]
    return (floats(shape, -1, 1) + 2 * torch.eye(n, dtype=torch.float64)).roll(n // 2, -2)


def definite(shape):
    x = floats(shape, -0.5, 0.5)
    return x + x.mT + shape[-1] * torch.eye(shape[-1], dtype=torch.float64)


SQUARES = [(3, 3), (1, 1), (0, 0), (4, 4), (9, 9), (5, 2, 2), (2, 3, 3, 3), (0, 3, 3)]
SYSTEMS = [  # a, b
    ((3, 3), (3,)),
    ((3, 3), (3, 2)),
    ((4, 4), (4, 4)),
    ((1, 1), (1,)),
    ((7, 7), (7, 9)),
    ((0, 0), (0, 2)),
    ((2, 2), (2, 0)),
    ((5, 3, 3), (5, 3)),
    ((5, 3, 3), (3,)),
    ((5, 3, 3), (3, 2)),
    ((5, 3, 3), (5, 3, 2)),
    ((3, 3), (5, 3, 2)),
    ((2, 1, 3, 3), (4, 3, 2)),
    ((2, 2, 2), (2, 2)),
    ((2, 2, 2), (1, 2, 2)),
    ((0, 2, 2), (2, 3)),
]


def squares():
    for shape in SQUARES:
        for call in ("inverse", "det", "cofactor", "slogdet", "slogdet_sign"):
            emit(call, [regular(shape)])
        for upper in (0, 1):
            emit("cholesky", [definite(shape)], (upper,))
            emit("cholesky_of_product", [floats(shape, -1, 1)], (upper,))


def singular():
    for rows in ([[0, 0, 0], [0, 2, 0], [0, 0, 4]], [[1, 2], [2, 4]], [[1, 2, 3], [4, 5, 6], [5, 7, 9]]):
        emit("det", [torch.tensor(rows, dtype=torch.float64)])
    a = floats((2, 4, 4), -1, 1)
    a[1, 2] = a[1, 0]
    emit("det", [a])


def systems():
    for a, b in SYSTEMS:
        emit("solve", [regular(a), floats(b)])
        for numbers in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)):
            emit("triangular_solve", [definite(a), floats(b)], numbers)


def main():
    write("linalg", ("squares", squares), ("systems", systems), ("singular", singular))
