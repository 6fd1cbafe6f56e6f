/* Compositions: products of fixed ranks, and einsum. */
#include "tests/ops/samples.h"

static const sample rows[] = {
    {"dot", NULL, {{"a"}, {"a"}}, OF_SUMS},
    {"outer", NULL, {{"a"}, {"b"}}},
    {"outer", "square", {{"a"}, {"a"}}},
    {"bmm", NULL, {{"dab"}, {"dbc"}}, OF_SUMS},
    {"addmm", NULL, {{"ac"}, {"ab"}, {"bc"}}, ARG(1, 1), OF_SUMS},
    {"addmm", "scaled", {{"ac"}, {"ab"}, {"bc"}}, ARG(0.5, -2), OF_SUMS},
    {"addmm", "row", {{"c"}, {"ab"}, {"bc"}}, ARG(2, 1), OF_SUMS},
    {"addmm", "scalar", {{""}, {"ab"}, {"bc"}}, ARG(1, 3), OF_SUMS},

    {"einsum2", "product", {{"ij"}, {"jk"}}, ARG(0), OF_SUMS},
    {"einsum2", "batch", {{"bij"}, {"bjk"}}, ARG(1), OF_SUMS},
    {"einsum2", "batch, transposed", {{"bij"}, {"bkj"}}, ARG(2), OF_SUMS},
    {"einsum2", "implicit", {{"ij"}, {"kj"}}, ARG(3), OF_SUMS},
    {"einsum2", "dot", {{"i"}, {"i"}}, ARG(4), OF_SUMS},
    {"einsum2", "outer", {{"i"}, {"j"}}, ARG(5)},
    {"einsum2", "elementwise", {{"ij"}, {"ij"}}, ARG(6)},
    {"einsum1", "transposed", {{"ij"}}, ARG(8)},
    {"einsum1", "sum", {{"ij"}}, ARG(9), OF_SUMS},
    {"einsum1", "rows", {{"ij"}}, ARG(10), OF_SUMS},
    {"einsum1", "trace", {{"ii"}}, ARG(11), OF_SUMS},
    {"einsum1", "diagonal", {{"ii"}}, ARG(12)},
    {"einsum1", "diagonal and sum", {{"iji"}}, ARG(13), OF_SUMS},
    {"einsum2", "dots", {{"eij"}, {"jk"}}, ARG(14), OF_SUMS},
    {"einsum2", "dots, size 1", {{"1dij"}, {"ejk"}}, ARG(14), .sizes = "d1e2", OF_SUMS, .frozen = "d",
     .why = "d is the axis of size 1"},
    {"einsum1", "dots move", {{"iab"}}, ARG(16)},
    {"einsum3", "chain", {{"ij"}, {"jk"}, {"kl"}}, ARG(21), OF_SUMS},
    {"einsum3", "outer", {{"bi"}, {"bj"}, {"bk"}}, ARG(22), OF_SUMS},
    {"einsum2", "summed first", {{"ij"}, {"kl"}}, ARG(23), OF_SUMS},
    {"einsum3", "bilinear", {{"bn"}, {"anm"}, {"bm"}}, ARG(24), OF_SUMS},
    {"einsum2", "attention", {{"bqhd"}, {"bkhd"}}, ARG(25), .sizes = "b2q3h2d3k2", OF_SUMS},
    {"einsum3", "diagonals", {{"ii"}, {"ij"}, {"jj"}}, ARG(26), OF_SUMS},
    {"einsum2", "matrix vector", {{"ij"}, {"j"}}, ARG(30), OF_SUMS},
    {"einsum4", "four", {{"a"}, {"b"}, {"c"}, {"a"}}, ARG(32), .sizes = "a3b2c2", OF_SUMS},
};

SAMPLES(vectors);
