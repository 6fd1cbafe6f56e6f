/* Rows of vector norms. */
#include "tests/ops/samples.h"

#include <math.h>

#define OF_POWERS .f32_rtol = 1e-5, .f32_atol = 2e-6, .reason = "powers of sums of f32 terms"

/* Away from 0, where a norm has its kink. */
#define AWAY(shape) \
    { \
        shape, TG_F32, 0.5, 2, {50, 200}, { 0.0005, 0.002 } \
    }

static const sample rows[] = {
    {"norm", NULL, {AWAY("ab")}, ARG(0, 0), OF_POWERS},
    {"norm", "0-d", {AWAY("")}, ARG(2, 0), .kind = K_SCALAR},
    {"norm", "axis 1, keepdim", {AWAY("abc")}, ARG(2, 1, 1), OF_POWERS},
    {"norm", "p 1", {{"ab", .kink = {0}, .n_kinks = 1}}, ARG(1, 0, 0), OF_POWERS},
    {"norm", "p 3", {AWAY("abc")}, ARG(3, 0, 0, 2), OF_POWERS},
    {"norm", "p 1.5", {AWAY("ab")}, ARG(1.5, 0), OF_POWERS},
    {"norm", "p 0.5", {AWAY("ab")}, ARG(0.5, 0, -1), OF_POWERS},
    {"norm_largest",
     NULL,
     {{"ab", TG_F32, 0.5, 2, .distinct = true}},
     ARG(INFINITY, 0, 1),
     .nonempty = "b",
     .skip = KIND(K_LARGE) | KIND(K_SMALL) | KIND(K_NAN) | KIND(K_INF),
     .why = "amax of abs"},
    {"norm_smallest",
     NULL,
     {{"ab", TG_F32, 0.5, 2, .distinct = true}},
     ARG(-INFINITY, 0, 1),
     .nonempty = "b",
     .skip = KIND(K_LARGE) | KIND(K_SMALL) | KIND(K_NAN) | KIND(K_INF),
     .why = "amin of abs"},
};

SAMPLES(vector_norm, .exempt = NULL);
