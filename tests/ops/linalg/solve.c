#include "tests/ops/samples.h"

#define A(shape) {shape, .dominant = true}
#define NO_ROWS .skip = KIND(K_EXPANDED), .why = "a matrix of equal rows is singular; batches are repeated"

static const sample rows[] = {
    {"solve", NULL, {A("aa"), {"ab"}}, NO_ROWS, OF_SUMS},
    {"solve", "square", {A("aa"), A("aa")}, NO_ROWS, OF_SUMS},
    {"solve", "vector", {A("aa"), {"a"}}, NO_ROWS, OF_SUMS},
    {"solve", "batch", {A("dbb"), {"dba"}}, OF_SUMS},
    {"solve", "batch of rank 2", {A("deaa"), {"deab"}}, .sizes = "d2e3", OF_SUMS},
    {"solve", "vectors", {A("dbb"), {"db"}}, OF_SUMS},
    {"solve", "one vector, a batch", {A("daa"), {"a"}}, .kind = K_RIGHT, OF_SUMS},
    {"solve", "one matrix, a batch", {A("aa"), {"dab"}}, .kind = K_LEFT, NO_ROWS, OF_SUMS},
    {"solve", "a batch, one matrix", {A("daa"), {"ab"}}, .kind = K_RIGHT, OF_SUMS},
    {"solve", "both batches broadcast", {A("d1aa"), {"eab"}}, .sizes = "d2e3", .kind = K_BOTH, OF_SUMS},
    {"inverse", NULL, {A("aa")}, NO_ROWS, OF_SUMS},
    {"inverse", "batch", {A("dbb")}, OF_SUMS},
};

#define NO_MATRIX "a 0-d tensor is no matrix: linalg/errors.c"
static const exemption exempt[] = {
    {"solve", KIND(K_SCALAR), NO_MATRIX},
    {"inverse", KIND(K_SCALAR), NO_MATRIX},
};

SAMPLES(solve, EXEMPT(exempt));
