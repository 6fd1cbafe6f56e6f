/* Rows of aggregate, and of the compositions of ops/reduce/variance.h. */
#include "tests/ops/samples.h"

#define OF_PRODUCTS .f32_rtol = 1e-5, .reason = "a product of many f32 factors"
#define TRUTHS \
    .skip = KIND(K_NAN) | KIND(K_INF) | KIND(K_LARGE) | KIND(K_SMALL), \
    .why = "NaN is as true as any other number"
#define COUNTS \
    { "ab", TG_F32, -2, 2, .constant = true, .grid = 1 }

/* Magnitudes whose products stay in range. */
#define FACTORS(shape) \
    { \
        shape, TG_F32, -2, 2, {-4, 4}, { -0.5, 0.5 } \
    }

static const sample rows[] = {
    {"prod", NULL, {FACTORS("ab")}, ARG(0), OF_PRODUCTS},
    {"prod", "axis 1", {FACTORS("abc")}, ARG(0, 1), OF_PRODUCTS},
    {"prod", "axes 0 -1, keepdim", {FACTORS("abc")}, ARG(1, 0, -1), OF_PRODUCTS},
    {"prod", "0-d", {{""}}, ARG(0), .kind = K_SCALAR},
    {"prod", "I32", {{"ab", TG_I32, -2, 3}}, ARG(0, 0), NO_FLOATS},
    {"logsumexp", NULL, {{"ab"}}, ARG(0), OF_SUMS},
    {"logsumexp", "axis 1", {{"abc"}}, ARG(0, 1), OF_SUMS},
    {"logsumexp", "axes 0 -1, keepdim", {{"abc"}}, ARG(1, 0, -1), OF_SUMS},
    {"logsumexp", "0-d", {{""}}, ARG(0), .kind = K_SCALAR, OF_SUMS},
    {"all", NULL, {COUNTS}, ARG(0), TRUTHS},
    {"all", "axis 0, keepdim", {COUNTS}, ARG(1, 0), TRUTHS},
    {"all", "BOOL", {{"ab", TG_BOOL}}, ARG(0, -1), NO_FLOATS},
    {"all", "0-d", {{""}}, ARG(0), .kind = K_SCALAR, TRUTHS},
    {"any", NULL, {COUNTS}, ARG(0), TRUTHS},
    {"any", "axis 0, keepdim", {COUNTS}, ARG(1, 0), TRUTHS},
    {"any", "I32", {{"ab", TG_I32, 0, 2}}, ARG(0, -1), NO_FLOATS},
    {"any", "0-d", {{""}}, ARG(0), .kind = K_SCALAR, TRUTHS},
    {"count_nonzero", NULL, {COUNTS}, ARG(0), TRUTHS},
    {"count_nonzero", "axis 1", {COUNTS}, ARG(0, 1), TRUTHS},

    {"var", NULL, {{"ab"}}, ARG(0, 0), OF_SUMS, .skip = KIND(K_ONE), .why = "of one element: NaN"},
    {"var", "axis 1, keepdim", {{"abc"}}, ARG(0, 1, 1), OF_SUMS, .frozen = "b", .why = "of one element: NaN"},
    {"var", "biased", {{"abc"}}, ARG(-1, 0, 0, -1), OF_SUMS},
    {"var",
     "correction 1.5",
     {{"ab"}},
     ARG(1.5, 0),
     OF_SUMS,
     .skip = KIND(K_ONE),
     .why = "of one element: NaN"},
    {"std",
     NULL,
     {{"ab"}},
     ARG(0, 0),
     OF_SUMS,
     .skip = KIND(K_EXPANDED) | KIND(K_ONE) | KIND(K_SIZES),
     .why = "NaN of one element; at equal elements the root has its kink"},
    {"std",
     "axis 1, keepdim",
     {{"abc"}},
     ARG(-1, 1, 1),
     OF_SUMS,
     .skip = KIND(K_ONE) | KIND(K_SIZES) | KIND(K_SMALL) | KIND(K_EXPANDED),
     .why = "near equal elements the root has its kink"},
};

static const exemption exempt[] = {
    {"all", KIND(K_NAN) | KIND(K_INF) | KIND(K_LARGE) | KIND(K_SMALL), "NaN is as true as any other number"},
    {"any", KIND(K_NAN) | KIND(K_INF) | KIND(K_LARGE) | KIND(K_SMALL), "NaN is as true as any other number"},
};

SAMPLES(aggregate, EXEMPT(exempt));
