#include "tests/ops/samples.h"

static const sample rows[] = {
    {"matmul", NULL, {{"ab"}, {"bc"}}, OF_SUMS},
    {"matmul", "square", {{"aa"}, {"aa"}}, OF_SUMS},
    {"matmul", "vectors", {{"b"}, {"b"}}, OF_SUMS},
    {"matmul", "matrix vector", {{"ab"}, {"b"}}, OF_SUMS},
    {"matmul", "vector matrix", {{"a"}, {"ab"}}, OF_SUMS},
    {"matmul", "batch", {{"dab"}, {"dbc"}}, OF_SUMS},
    {"matmul", "batch of rank 2", {{"edab"}, {"edbc"}}, .sizes = "d2e3", OF_SUMS},
    {"matmul", "one matrix, a batch", {{"ab"}, {"dbc"}}, .kind = K_LEFT, OF_SUMS},
    {"matmul", "a batch, one matrix", {{"dab"}, {"bc"}}, .kind = K_RIGHT, OF_SUMS},
    {"matmul", "batch, vector", {{"dab"}, {"b"}}, .kind = K_RIGHT, OF_SUMS},
    {"matmul", "vector, batch", {{"b"}, {"dbc"}}, .kind = K_LEFT, OF_SUMS},
    {"matmul", "size 1 against batch", {{"1ab"}, {"dbc"}}, .kind = K_LEFT, OF_SUMS},
    {"matmul", "both batches broadcast", {{"d1ab"}, {"ebc"}}, .sizes = "d2e3", .kind = K_BOTH, OF_SUMS},
};

static const exemption exempt[] = {
    {"matmul", KIND(K_SCALAR), "rank 0 is an error: products/errors.c"},
};

SAMPLES(matmul, EXEMPT(exempt));
