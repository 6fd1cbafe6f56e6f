#include "tests/ops/samples.h"

static const sample rows[] = {
    {"diagonal", NULL, {{"ab"}}, ARG(0, 0, 1)},
    {"diagonal", "above", {{"ab"}}, ARG(2, 0, 1)},
    {"diagonal", "below, axes -1 0 of 3", {{"abc"}}, ARG(-1, 2, 0)},
    {"diagonal", "batch", {{"cdb"}}, ARG(1, -2, -1)},
    {"diagonal", "outside", {{"ab"}}, ARG(99, 0, 1), .kind = K_EMPTY},
    {"diagonal_scatter", NULL, {{"aa"}, {"a"}}, ARG(0, 0, 1)},
    {"diagonal_scatter",
     "above",
     {{"ab"}, {"2"}},
     ARG(2, 0, 1),
     .frozen = "ab",
     .why = "src fits these sizes"},
    {"diagonal_scatter",
     "below, batch",
     {{"bca"}, {"c3"}},
     ARG(-1, 0, -1),
     .frozen = "ab",
     .why = "src fits these sizes"},
    {"diag_embed", NULL, {{"ab"}}, ARG(0)},
    {"diag_embed", "below", {{"b"}}, ARG(-2)},
    {"diag", NULL, {{"b"}}, ARG(1)},
    {"diag", "of a matrix", {{"ab"}}, ARG(-1)},
    {"tril", NULL, {{"ab"}}, ARG(0)},
    {"tril", "above, batch", {{"cab"}}, ARG(1)},
    {"tril", "I64", {{"ab", TG_I64, -9, 10}}, ARG(-1), NO_FLOATS},
    {"triu", NULL, {{"ab"}}, ARG(0)},
    {"triu", "below, batch", {{"cba"}}, ARG(-1)},
};

#define NO_AXES "a 0-d tensor spans no matrix: shape/errors.c"
static const exemption exempt[] = {
    {"diagonal", KIND(K_SCALAR), NO_AXES},
    {"diagonal_scatter", KIND(K_SCALAR), NO_AXES},
    {"diagonal_scatter", KINDS_BROADCAST, "src goes by position: shapes do not broadcast"},
};

SAMPLES(diagonal, EXEMPT(exempt));
