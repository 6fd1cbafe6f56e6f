#include "tests/ops/samples.h"

#define FACTORS(shape) \
    { \
        shape, TG_F32, -2, 2, {-4, 4}, { -0.5, 0.5 } \
    }
#define OF_PRODUCTS \
    .f32_rtol = 1e-5, .eps = 1e-5, .reason = "a product of many f32 factors; differences of large products round"

static const sample rows[] = {
    {"cumsum", NULL, {{"ab"}}, ARG(-1, 0, 0), OF_SUMS},
    {"cumsum", "axis 1, reverse", {{"abc"}}, ARG(1, 1, 0), OF_SUMS},
    {"cumsum", "axis 0, exclusive", {{"ab"}}, ARG(0, 0, 1), OF_SUMS},
    {"cumsum", "I32", {{"ab", TG_I32, -9, 10}}, ARG(0, 0, 0), NO_FLOATS},
    {"cumprod", NULL, {FACTORS("ab")}, ARG(-1, 0, 0), OF_PRODUCTS},
    {"cumprod", "axis 1, reverse", {FACTORS("abc")}, ARG(1, 1, 0), OF_PRODUCTS},
    {"cumprod", "axis 0, exclusive", {FACTORS("ab")}, ARG(0, 0, 1), OF_PRODUCTS},
    {"cumprod", "reverse, exclusive", {FACTORS("ab")}, ARG(1, 1, 1), OF_PRODUCTS},
    {"cumprod", "BOOL", {{"ab", TG_BOOL}}, ARG(0, 0, 0), NO_FLOATS},
    {"linear_scan", NULL, {{"ab", TG_F32, -1, 1, {-2, 2}}, {"ab"}}, ARG(1, 0), OF_SUMS},
    {"linear_scan", "axis 0, reverse", {{"abc", TG_F32, -1, 1, {-2, 2}}, {"abc"}}, ARG(0, 1), OF_SUMS},
};

#define NO_AXIS "a 0-d tensor has no axis to name: reduce/errors.c"
static const exemption exempt[] = {
    {"cumsum", KIND(K_SCALAR), NO_AXIS},
    {"cumprod", KIND(K_SCALAR), NO_AXIS},
    {"linear_scan", KIND(K_SCALAR), NO_AXIS},
    {"linear_scan", KINDS_BROADCAST, "a and b have one shape"},
};

SAMPLES(scan, EXEMPT(exempt));
