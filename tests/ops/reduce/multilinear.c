#include "tests/ops/samples.h"

#define FACTORS(shape) \
    { \
        shape, TG_F32, -1.25, 1.25, {-2, 2}, { -0.5, 0.5 } \
    }
#define OF_PRODUCTS \
    .f32_rtol = 1e-5, .f32_atol = 2e-6, .eps = 1e-5, .reason = "sums of products of many f32 factors, which may cancel"

static const sample rows[] = {
    {"cumprod_along", NULL, {FACTORS("ab"), {"ab"}}, ARG(-1, 0, 0), OF_PRODUCTS},
    {"cumprod_along", "axis 1, reverse, exclusive", {FACTORS("abc"), {"abc"}}, ARG(1, 1, 1), OF_PRODUCTS},
    {"cumprod_along_two", NULL, {FACTORS("ab"), {"ab"}, {"ab"}}, ARG(0, 0, 0), OF_PRODUCTS},
    {"cumprod_adjoint", NULL, {FACTORS("ab"), {"ab"}}, ARG(-1, 0, 0), OF_PRODUCTS},
    {"cumprod_adjoint", "axis 1, reverse", {FACTORS("abc"), {"abc"}}, ARG(1, 1, 0), OF_PRODUCTS},
    {"cumprod_adjoint", "axis 0, exclusive", {FACTORS("ab"), {"ab"}}, ARG(0, 0, 1), OF_PRODUCTS},
    {"cumprod_adjoint_along", NULL, {FACTORS("ab"), {"ab"}, {"ab"}}, ARG(-1, 0, 0), OF_PRODUCTS},
    {"cumprod_adjoint_along", "reverse, exclusive", {FACTORS("ab"), {"ab"}, {"ab"}}, ARG(0, 1, 1), OF_PRODUCTS},
};

#define NO_AXIS "a 0-d tensor has no axis to name: reduce/errors.c"
#define ONE_SHAPE "all inputs have one shape"
static const exemption exempt[] = {
    {"cumprod_along", KIND(K_SCALAR), NO_AXIS},
    {"cumprod_along", KINDS_BROADCAST, ONE_SHAPE},
    {"cumprod_adjoint", KIND(K_SCALAR), NO_AXIS},
    {"cumprod_adjoint", KINDS_BROADCAST, ONE_SHAPE},
};

SAMPLES(multilinear, EXEMPT(exempt));
