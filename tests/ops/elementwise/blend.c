#include "tests/ops/samples.h"

#define PLANE(shape) {shape, .lo = 0.2, .hi = 2, .large = {50, 200}, .small = {0.02, 0.1}}

static const sample rows[] = {
    {"lerp", NULL, {{"ab"}, {"ab"}, {"ab"}}, .any_shape = true, OF_SUMS},
    {"lerp", "the far half", {{"abc"}, {"abc"}, {"abc", .lo = 0.5, .hi = 1.5}}, .any_shape = true, OF_SUMS},
    {"addcmul", NULL, {{"ab"}, {"ab"}, {"ab"}}, ARG(-1.5), .any_shape = true, OF_SUMS},
    {"addcmul", "value 1", {{"abc"}, {"abc"}, {"abc"}}, ARG(1), .any_shape = true, OF_SUMS},
    {"addcmul", "value below 1", {{"ab"}, {"ab"}, {"ab"}}, ARG(0.25), .any_shape = true, OF_SUMS},
    {"addcdiv", "value above 1", {{"ab"}, {"ab"}, PLANE("ab")}, ARG(-3), .any_shape = true, OF_SUMS},
    {"addcdiv", NULL, {{"ab"}, {"ab"}, PLANE("ab")}, ARG(0.5), .any_shape = true, OF_SUMS},
};

static const equivalent equal[] = {
    {"lerp", "overwritten", 2, "between a tensor and itself nothing depends on the weight"},
};

SAMPLES(blend, EQUAL(equal));
