/* Rows of normalize, a composition. */
#include "tests/ops/samples.h"

#define OF_POWERS .f32_rtol = 1e-5, .f32_atol = 2e-6, .reason = "powers of sums of f32 terms"

/* Away from 0, where a norm has its kink. */
#define AWAY(shape) \
    { \
        shape, TG_F32, 0.5, 2, {50, 200}, { 0.0005, 0.002 } \
    }

static const sample rows[] = {
    {"normalize", NULL, {AWAY("ab")}, ARG(-1, 0, 0), OF_POWERS},
    {"normalize", "axis 0", {AWAY("abc")}, ARG(0, 2, 0), OF_POWERS},
    {"normalize", "p 1", {{"ab", .kink = {0}, .n_kinks = 1}}, ARG(1, 1, 0), OF_POWERS},
    {"normalize", "p 3, axis 1 of three", {AWAY("abc")}, ARG(1, 3, 0), OF_POWERS},
    {"normalize", "below eps", {{"ab"}}, ARG(1, 0, 1e6), OF_POWERS, .skip = KIND(K_SCALED) | KIND(K_LARGE) | KIND(K_NAN), .why = "a norm that is larger or NaN is not below eps"},
};

extern const sample_set samples_normalize;
SAMPLES(normalize);
