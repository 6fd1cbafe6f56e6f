/* Exact cases of the products. */
#include "tests/ops/cases.h"

static const convention cases[] = {
    /* ---- nothing ---- */
    {"a product with inner size 0 is 0", "matmul", {0}, {EMPTY(2, 0), EMPTY(0, 2)}, MATRIX(2, 2, 0, 0, 0, 0),
     {EMPTY(2, 0), EMPTY(0, 2)}},
    {"the dot product of nothing is 0", "matmul", {0}, {EMPTY(0), EMPTY(0)}, SCALAR(0), {EMPTY(0), EMPTY(0)}},
    {"a product without rows", "matmul", {0}, {EMPTY(0, 2), MATRIX(2, 1, 3, 4)}, EMPTY(0, 1),
     {EMPTY(0, 2), MATRIX(2, 1, 0, 0)}},

    /* ---- one handle for both inputs ---- */
    {"x x for a matrix", "matmul", {0}, {MATRIX(2, 2, 1, 2, 3, 4), {-1}}, MATRIX(2, 2, 7, 10, 15, 22),
     {MATRIX(2, 2, 7, 11, 9, 13)}},

    {"linear, the weight is [out, in]",
     "linear_bias",
     {0},
     {MATRIX(1, 3, 1, 2, 4), MATRIX(2, 3, 1, 0, 1, 0, 3, 0), VECTOR(10, 20)},
     MATRIX(1, 2, 15, 26),
     {MATRIX(1, 3, 1, 3, 1), MATRIX(2, 3, 1, 2, 4, 1, 2, 4), VECTOR(1, 1)}},
    {"linear without inputs is the bias",
     "linear_bias",
     {0},
     {EMPTY(2, 0), EMPTY(1, 0), VECTOR(5)},
     MATRIX(2, 1, 5, 5),
     {EMPTY(2, 0), EMPTY(1, 0), VECTOR(2)}},
    {"addmm with beta 0 does not look at c",
     "addmm",
     ARG(0, 2),
     {VECTOR(NAN_, INF), MATRIX(1, 1, 3), MATRIX(1, 2, 1, -1)},
     MATRIX(1, 2, 6, -6),
     {VECTOR(0, 0), MATRIX(1, 1, 0), MATRIX(1, 2, 6, 6)}},
    {"einsum, no arrow: in alphabetical order", "einsum1", ARG(18), {MATRIX(1, 2, 3, 5)}, MATRIX(2, 1, 3, 5)},
    {"einsum, no arrow: capitals first", "einsum1", ARG(19), {MATRIX(1, 2, 3, 5)}, MATRIX(2, 1, 3, 5)},
    {"einsum, a letter of size 1 broadcasts",
     "einsum2",
     ARG(7),
     {MATRIX(1, 2, 3, 5), MATRIX(2, 2, 1, 2, 4, 8)},
     MATRIX(2, 2, 3, 12, 10, 40),
     {MATRIX(1, 2, 5, 10), MATRIX(2, 2, 3, 5, 3, 5)}},
    {"einsum, and is summed over as often as it repeats",
     "einsum2",
     ARG(4),
     {VECTOR(3), VECTOR(1, 2, 4)},
     SCALAR(21),
     {VECTOR(7), VECTOR(3, 3, 3)}},
    {"einsum over nothing is 0", "einsum2", ARG(4), {EMPTY(0), EMPTY(0)}, SCALAR(0)},
    {"einsum of the output sums the axes of dots", "einsum1", ARG(17), {EMPTY(0, 1, 2)}, MATRIX(1, 2, 0, 0)},
};

extern const convention_table conventions_products;
const convention_table conventions_products = {cases, COUNT(cases)};
