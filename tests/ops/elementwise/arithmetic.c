#include "tests/ops/samples.h"

/* Integers: no gradient; the values are held against the golden numbers. */
#define INTEGERS(name, type) \
    {name, #type, {{"ab", TG_##type, -9, 10}, {"ab", TG_##type, 1, 10}}, .any_shape = true, NO_FLOATS}

static const sample rows[] = {
    {"add", NULL, {{"ab"}, {"ab"}}, .any_shape = true},
    {"add", "rank 3", {{"abc"}, {"abc"}}, .any_shape = true},
    {"add", "rank 8", {{"1a1b1c11"}, {"1a1b1c11"}}, .any_shape = true},
    {"sub", NULL, {{"ab"}, {"ab"}}, .any_shape = true},
    {"sub", "rank 3", {{"abc"}, {"abc"}}, .any_shape = true},
    {"mul", NULL, {{"ab"}, {"ab"}}, .any_shape = true},
    {"mul", "rank 3", {{"abc"}, {"abc"}}, .any_shape = true},
    {"div", NULL, {{"ab"}, {"ab", .lo = 0.5, .hi = 2, .large = {50, 500}, .small = {0.01, 0.1}}},
     .any_shape = true},
    {"div", "by negative", {{"abc"}, {"abc", .lo = -2, .hi = -0.5, .small = {-0.1, -0.01}}},
     .any_shape = true},
    INTEGERS("add", I32), INTEGERS("add", I64),
    INTEGERS("sub", I32), INTEGERS("sub", I64),
    INTEGERS("mul", I32), INTEGERS("mul", I64),
    INTEGERS("div", I32), INTEGERS("div", I64),
    {"affine", NULL, {{"ab"}}, ARG(-2.5, 0.75), .any_shape = true, OF_SUMS},
    {"affine", "zero scale", {{"ab"}}, ARG(0, 1), .any_shape = true,
     .skip = KIND(K_NAN), .why = "0 * NaN: the dependence test does not see that out depends on x"},
    {"add_scalar", NULL, {{"abc"}}, ARG(1.5), .any_shape = true, OF_SUMS},
    {"mul_scalar", NULL, {{"abc"}}, ARG(-3), .any_shape = true},
    {"neg", NULL, {{"ab"}}, .any_shape = true},
};

static const equivalent equal[] = {
    {"add", "swapped", 0, "both gradients are dout"},
};

SAMPLES(arithmetic, EQUAL(equal));
