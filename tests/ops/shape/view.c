#include "tests/ops/samples.h"

/* No float conversion: values only. to_and_back has the gradient. */
#define VALUES_ONLY(shape) {shape, .constant = true}

static const sample rows[] = {
    {"reshape", NULL, {{"ab"}}, ARG(SIZE('b'), SIZE('a'))},
    {"reshape", "flat", {{"abc"}}, ARG(-1)},
    {"reshape", "left over", {{"abc"}}, ARG(SIZE('c'), -1), .nonempty = "c",
     .why = "-1 has no size beside a zero"},
    {"reshape", "0-d", {{""}}, ARG(1, 1), .kind = K_SCALAR},
    {"reshape", "I64", {{"ab", TG_I64, -9, 10}}, ARG(SIZE('b'), SIZE('a')), NO_FLOATS},
    {"unsqueeze", NULL, {{"ab"}}, ARG(1)},
    {"unsqueeze", "last", {{"ab"}}, ARG(-1)},
    {"squeeze", NULL, {{"a1b"}}, ARG(1)},
    {"permute", NULL, {{"ab"}}, ARG(1, 0)},
    {"permute", "rank 3", {{"abc"}}, ARG(2, 0, 1)},
    {"permute", "negative axes", {{"abc"}}, ARG(-1, 1, 0)},
    {"permute", "0-d", {{""}}, .kind = K_SCALAR},
    {"transpose", NULL, {{"abc"}}, ARG(0, -1)},
    {"transpose", "BOOL", {{"ab", TG_BOOL}}, ARG(0, 1), NO_FLOATS},
    {"expand", NULL, {{"1b"}}, ARG(SIZE('a'), SIZE('b'))},
    {"expand", "new axis", {{"ab"}}, ARG(2, -1, -1)},
    {"expand", "last axis", {{"ab1"}}, ARG(-1, -1, 4)},
    {"expand", "0-d", {{""}}, ARG(2, 3), .kind = K_SCALAR},
    {"broadcast_to", NULL, {{"1b"}}, ARG(SIZE('a'), SIZE('b'))},
    {"contiguous", NULL, {{"ab"}}, .any_shape = true},
    {"contiguous", "rank 3", {{"abc"}}, .any_shape = true},
    {"to_and_back", NULL, {{"ab", .grid = 0x1p-8}}, .any_shape = true, .eps = 0x1p-8,
     .reason = "differences through f32 are exact on a grid; 1e-6 would be lost in rounding"},
    {"to", "F32", {VALUES_ONLY("ab")}, ARG(TG_F32), .any_shape = true},
    {"to", "F64", {VALUES_ONLY("ab")}, ARG(TG_F64), .any_shape = true},
    {"to", "I32", {VALUES_ONLY("ab")}, ARG(TG_I32), .any_shape = true},
    {"to", "I64", {VALUES_ONLY("ab")}, ARG(TG_I64), .any_shape = true},
    {"to", "U8", {{"ab", .lo = 0, .hi = 2, .constant = true}}, ARG(TG_U8), .any_shape = true},
    {"to", "BOOL", {VALUES_ONLY("ab")}, ARG(TG_BOOL), .any_shape = true},
    {"to", "from I64", {{"ab", TG_I64, -9, 10}}, ARG(TG_F32), .any_shape = true, NO_FLOATS},
    {"to", "from BOOL", {{"ab", TG_BOOL}}, ARG(TG_F64), .any_shape = true, NO_FLOATS},
};

SAMPLES(view, .exempt = NULL);
