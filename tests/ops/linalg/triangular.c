#include "tests/ops/samples.h"

#define A(shape) {shape, .dominant = true}
#define REFUSED (KIND(K_NAN) | KIND(K_INF))
#define NO_ROWS \
    .skip = KIND(K_EXPANDED) | REFUSED, .why = "such a matrix is not positive definite; batches are repeated"
#define FINITE .skip = REFUSED, .why = "such a matrix is not positive definite: linalg/errors.c"

/* upper, transpose, unit_diagonal */
static const sample rows[] = {
    {"triangular_solve", NULL, {A("aa"), {"ab"}}, ARG(0, 0, 0), OF_SUMS},
    {"triangular_solve", "upper", {A("aa"), {"ab"}}, ARG(1, 0, 0), OF_SUMS},
    {"triangular_solve", "transpose", {A("aa"), {"ab"}}, ARG(0, 1, 0), OF_SUMS},
    {"triangular_solve", "unit diagonal", {{"aa", TG_F32, -0.5, 0.5, {-1, 1}}, {"ab"}}, ARG(0, 0, 1), OF_SUMS},
    {"triangular_solve", "upper, transpose", {A("aa"), {"ab"}}, ARG(1, 1, 0), OF_SUMS},
    {"triangular_solve", "all", {{"dbb", TG_F32, -0.5, 0.5, {-1, 1}}, {"dba"}}, ARG(1, 1, 1), OF_SUMS},
    {"triangular_solve", "square", {A("aa"), A("aa")}, ARG(0, 0, 0), OF_SUMS},
    {"triangular_solve", "batch", {A("dbb"), {"dba"}}, ARG(0, 0, 0), OF_SUMS},
    {"triangular_solve", "vectors", {A("dbb"), {"db"}}, ARG(0, 1, 0), OF_SUMS},
    {"triangular_solve", "one vector, a batch", {A("daa"), {"a"}}, ARG(1, 0, 0), .kind = K_RIGHT, OF_SUMS},
    {"triangular_solve", "one matrix, a batch", {A("aa"), {"dab"}}, ARG(0, 0, 0), .kind = K_LEFT,
     .skip = KIND(K_EXPANDED), .why = "equal rows need not be well conditioned; batches are repeated", OF_SUMS},
    {"triangular_solve", "both broadcast", {A("d1aa"), {"eab"}}, ARG(1, 0, 0), .sizes = "d2e3", .kind = K_BOTH,
     OF_SUMS},
    {"cholesky", NULL, {A("aa")}, ARG(0), NO_ROWS, OF_SUMS},
    {"cholesky", "upper", {A("aa")}, ARG(1), NO_ROWS, OF_SUMS},
    {"cholesky", "batch", {A("dbb")}, ARG(0), FINITE, OF_SUMS},
    {"cholesky_of_product", NULL, {{"dab"}}, ARG(0), FINITE, OF_SUMS},
};

#define NO_MATRIX "a 0-d tensor is no matrix: linalg/errors.c"
static const exemption exempt[] = {
    {"triangular_solve", KIND(K_SCALAR), NO_MATRIX},
    {"cholesky", KIND(K_SCALAR), NO_MATRIX},
    {"cholesky", REFUSED, "such a matrix is not positive definite: linalg/errors.c"},
};

static const equivalent equal[] = {
    {"cholesky", "transposed", 0, "the gradient of a function of the symmetric part is symmetric"},
};

SAMPLES(triangular, EXEMPT(exempt), EQUAL(equal));
