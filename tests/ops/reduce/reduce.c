#include "tests/ops/samples.h"

#define ALL_AXES(letters) \
    .nonempty = letters, .skip = KIND(K_EXPANDED), .why = "no largest of nothing; a repeated row makes ties"

static const sample rows[] = {
    {"sum", NULL, {{"ab"}}, ARG(0), OF_SUMS},
    {"sum", "axis 1", {{"abc"}}, ARG(0, 1), OF_SUMS},
    {"sum", "axes 0 -1, keepdim", {{"abc"}}, ARG(1, 0, -1), OF_SUMS},
    {"sum", "all, keepdim", {{"ab"}}, ARG(1), OF_SUMS},
    {"sum", "0-d", {{""}}, ARG(0), .kind = K_SCALAR},
    {"sum", "I32", {{"ab", TG_I32, -9, 10}}, ARG(0, 0), NO_FLOATS},
    {"sum", "BOOL", {{"ab", TG_BOOL}}, ARG(0), NO_FLOATS},
    {"mean", NULL, {{"ab"}}, ARG(0), OF_SUMS},
    {"mean", "axis 1", {{"abc"}}, ARG(0, 1), OF_SUMS},
    {"mean", "axes 0 -1, keepdim", {{"abc"}}, ARG(1, 0, -1), OF_SUMS},
    {"mean", "0-d", {{""}}, ARG(0), .kind = K_SCALAR},
    {"amax", NULL, {DISTINCT("ab")}, ARG(0), ALL_AXES("ab")},
    {"amax", "axis 1", {DISTINCT("abc")}, ARG(0, 1), NOT_EMPTY("b")},
    {"amax", "axes 1 -1, keepdim", {DISTINCT("abc")}, ARG(1, 1, -1), NOT_EMPTY("bc")},
    {"amax", "0-d", {{""}}, ARG(0), .kind = K_SCALAR},
    {"amin", NULL, {DISTINCT("ab")}, ARG(0), ALL_AXES("ab")},
    {"amin", "axis 1", {DISTINCT("abc")}, ARG(0, 1), NOT_EMPTY("b")},
    {"amin", "axes 1 -1, keepdim", {DISTINCT("abc")}, ARG(1, 1, -1), NOT_EMPTY("bc")},
    {"amin", "0-d", {{""}}, ARG(0), .kind = K_SCALAR},
    {"sum_to", NULL, {{"ab"}}, ARG(SIZE('b')), OF_SUMS},
    {"sum_to", "inner axes", {{"abc"}}, ARG(1, SIZE('b'), 1), OF_SUMS},
    {"sum_to", "same shape", {{"ab"}}, ARG(SIZE('a'), SIZE('b')), OF_SUMS},
    {"sum_to", "to 0-d", {{"abc"}}, OF_SUMS},
    {"sum_to", "0-d", {{""}}, .kind = K_SCALAR},
};

SAMPLES(reduce, .exempt = NULL);
