/* What the sample files share. A row reads: call, label, inputs, numbers, then what is special about it. */
#ifndef TG_TESTS_OPS_SAMPLES_H
#define TG_TESTS_OPS_SAMPLES_H

#include "tests/ops/harness.h"

/* A row leaves out what is as usual. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define ARG(...) \
    { \
        sizeof((double[]){__VA_ARGS__}) / sizeof(double), { __VA_ARGS__ } \
    }

/* Results that are sums: rounding is relative to the terms. */
#define OF_SUMS .f32_rtol = 1e-5, .f32_atol = 2e-6, .reason = "a sum of f32 terms may cancel"

/* Rows without a float input: the kinds that only vary its values say nothing new. */
#define NO_FLOATS \
    .skip = KIND(K_LARGE) | KIND(K_SMALL) | KIND(K_NAN) | KIND(K_INF) | KIND(K_SCALED), .why = "no float input"

/* For maxima: no ties, and something to choose from along the axes reduced. */
#define DISTINCT(shape) \
    { shape, .distinct = true }
#define NOT_EMPTY(letters) .nonempty = letters, .why = "of nothing there is no largest: reduce/errors.c"

#define KINDS_BROADCAST (KIND(K_LEFT) | KIND(K_RIGHT) | KIND(K_BOTH))

#define SAMPLES(name, ...) const sample_set samples_##name = {#name, rows, COUNT(rows), __VA_ARGS__}
#define EXEMPT(array) .exempt = (array), .n_exempt = COUNT(array)
#define EQUAL(array) .equal = (array), .n_equal = COUNT(array)

#endif
