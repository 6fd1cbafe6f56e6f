/* Exact cases of softmax and cross-entropy. */
#include "tests/ops/cases.h"

static const convention cases[] = {
    /* ---- NaN ---- */
    {"softmax of a row with a NaN is NaN", "softmax", ARG(-1), {MATRIX(2, 2, NAN_, 0, 1, 1)},
     MATRIX(2, 2, NAN_, NAN_, 0.5, 0.5)},

    /* ---- softmax ---- */
    {"log_softmax([1000, 0]) is finite", "log_softmax", ARG(-1), {VECTOR(1000, 0)}, VECTOR(0, -1000),
     {VECTOR(-1, 1)}},
    {"log_softmax([-1000, 0])", "log_softmax", ARG(-1), {VECTOR(-1000, 0)}, VECTOR(-1000, 0)},
    {"softmax([1000, 0]) does not overflow", "softmax", ARG(-1), {VECTOR(1000, 0)}, VECTOR(1, 0),
     {VECTOR(0, 0)}},
    {"softmax of equals", "softmax", ARG(0), {VECTOR(3, 3, 3, 3)}, VECTOR(0.25, 0.25, 0.25, 0.25)},
    {"softmax of one is 1", "softmax", ARG(-1), {MATRIX(2, 1, -5, 9)}, MATRIX(2, 1, 1, 1),
     {MATRIX(2, 1, 0, 0)}},
    {"softmax with a -inf among others: 0 there", "softmax", ARG(-1), {VECTOR(-INF, 0, 0)},
     VECTOR(0, 0.5, 0.5)},
    {"softmax: an infinity takes it all", "softmax", ARG(-1), {VECTOR(1, INF)}, VECTOR(0, 1), {VECTOR(0, 0)}, VECTOR(2, 3)},
    {"softmax: infinities share", "softmax", ARG(0), {MATRIX(3, 2, INF, 1, 1, 1, INF, -INF)}, MATRIX(3, 2, 0.5, 0.5, 0, 0.5, 0.5, 0)},
    {"log_softmax of an infinity", "log_softmax", ARG(-1), {VECTOR(1, INF)}, VECTOR(-INF, 0), {VECTOR(2, -2)}, VECTOR(2, 3)},
    {"softmax: the slope of a probability near 1 has the digits of the others",
     "softmax", ARG(-1), {VECTOR(0, -1000)}, VECTOR(1, 0), {VECTOR(0, 0)}, VECTOR(0.1f, 3)},
    {"softmax of no rows", "softmax", ARG(-1), {EMPTY(0, 3)}, EMPTY(0, 3), {EMPTY(0, 3)}},
    {"softmax along an empty axis", "softmax", ARG(-1), {EMPTY(2, 0)}, EMPTY(2, 0), {EMPTY(2, 0)}},
    {"softmax_cross_entropy far from 0",
     "softmax_cross_entropy",
     {0},
     {MATRIX(2, 2, 1000, 0, 1000, 0), VECTOR_OF(I64, 1, 0)},
     VECTOR(1000, 0),
     {MATRIX(2, 2, 1, -1, 0, 0)}},
    {"softmax_cross_entropy: a class of no chance costs everything, with a finite gradient",
     "softmax_cross_entropy",
     {0},
     {MATRIX(1, 2, -INF, 0), VECTOR_OF(I32, -2)},
     VECTOR(INF),
     {MATRIX(1, 2, -1, 1)}},
    {"softmax_cross_entropy: an infinite logit",
     "softmax_cross_entropy",
     {0},
     {MATRIX(2, 2, INF, 0, INF, 0), VECTOR_OF(I64, 0, 1)},
     VECTOR(0, INF),
     {MATRIX(2, 2, 0, 0, 1, -1)}},
    {"softmax_cross_entropy: no seed, no gradient, whatever the row holds",
     "softmax_cross_entropy",
     {0},
     {MATRIX(2, 2, NAN_, 0, 1000, 0), VECTOR_OF(I64, 0, 1)},
     VECTOR(NAN_, 1000),
     {MATRIX(2, 2, 0, 0, 1, -1)},
     VECTOR(0, 1)},
};

extern const convention_table conventions_loss;
const convention_table conventions_loss = {cases, COUNT(cases)};
