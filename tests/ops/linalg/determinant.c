#include "tests/ops/samples.h"

/* Determinants near 1 at any size. */
#define A(shape) {shape, TG_F32, -1, 1, .dominant = true}
#define NO_ROWS .skip = KIND(K_EXPANDED), .why = "a matrix of equal rows is singular; batches are repeated"

#define NAN_SPREADS "NaN goes to all cofactors, though one does not depend on its own row and column"

static const sample rows[] = {
    {"det", NULL, {A("aa")}, NO_ROWS, OF_SUMS},
    {"det", "any matrix", {{"aa"}}, .frozen = "a", .skip = KIND(K_EXPANDED), .why = "any matrix of size 3", OF_SUMS},
    {"det", "batch", {A("dbb")}, OF_SUMS},
    {"cofactor", NULL, {A("aa")}, .skip = KIND(K_EXPANDED) | KIND(K_NAN), .why = "singular; " NAN_SPREADS, OF_SUMS},
    {"cofactor", "batch", {A("dbb")}, .skip = KIND(K_NAN), .why = NAN_SPREADS, OF_SUMS},
    {"slogdet", NULL, {A("aa")}, NO_ROWS, OF_SUMS},
    {"slogdet", "batch", {A("dbb")}, OF_SUMS},
    {"slogdet_sign", NULL, {{"daa", .constant = true}}},
};

#define NO_MATRIX "a 0-d tensor is no matrix: linalg/errors.c"
static const exemption exempt[] = {
    {"det", KIND(K_SCALAR), NO_MATRIX},
    {"cofactor", KIND(K_SCALAR), NO_MATRIX},
    {"cofactor", KIND(K_NAN), NAN_SPREADS},
    {"slogdet", KIND(K_SCALAR), NO_MATRIX},
};

SAMPLES(determinant, EXEMPT(exempt));
