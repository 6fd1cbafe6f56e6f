#include "tests/ops/samples.h"

#include <math.h>

#define PLAIN(name, ...) {name, NULL, {{"ab", __VA_ARGS__}}, .any_shape = true}
#define LABELLED(name, label, ...) {name, label, {{"abc", __VA_ARGS__}}, .any_shape = true}
#define AWAY_FROM(...) .kink = {__VA_ARGS__}, .n_kinks = sizeof((double[]){__VA_ARGS__}) / sizeof(double)
#define POSITIVE .lo = 0.2, .hi = 3, .large = {100, 1e6}, .small = {1e-3, 1e-2}
#define INSIDE .lo = -0.9, .hi = 0.9, .large = {0.9, 0.99}

/* The vector library takes a slower path for all lanes when one of them is large. Neighbours then differ in
 * the last place, which the test of dependence, with 10^6 in one lane, would take for dependence. */
#define OTHER_PATH \
    .skip = KIND(K_NAN), .why = "a large neighbour changes the last place: the plain row has the kind"

static const sample rows[] = {
    {"exp", NULL, {{"ab", .large = {70, 80}}}, .any_shape = true},
    {"exp", "negative", {{"abc", .lo = -10, .hi = -1, .large = {-80, -70}}}, .any_shape = true},
    {"log", NULL, {{"ab", .lo = 0.2, .hi = 3, .large = {100, 1e6}, .small = {1e-3, 1e-2}}},
     .any_shape = true},
    {"log", "near 1", {{"abc", .lo = 0.9, .hi = 1.1, .large = {1e3, 1e6}, .small = {1e-3, 1e-2}}},
     .any_shape = true},
    {"sqrt", NULL, {{"ab", .lo = 0.2, .hi = 3, .large = {1e3, 1e6}, .small = {1e-3, 1e-2}}},
     .any_shape = true},
    {"square", NULL, {{"ab", .large = {50, 500}}}, .any_shape = true},
    {"square", "rank 3", {{"abc", .large = {-500, -50}}}, .any_shape = true},
    {"abs", NULL, {{"ab", .kink = {0}, .n_kinks = 1}}, .any_shape = true},
    {"sign", NULL, {{"ab", .kink = {0}, .n_kinks = 1}}, .any_shape = true},
    PLAIN("rsqrt", .lo = 0.2, .hi = 3, .large = {100, 1e4}, .small = {0.01, 0.1}),
    PLAIN("reciprocal", .lo = 0.5, .hi = 2, .large = {50, 500}, .small = {0.01, 0.1}),
    LABELLED("reciprocal", "negative", .lo = -2, .hi = -0.5, .small = {-0.1, -0.01}),
    PLAIN("exp2", .large = {70, 80}),
    LABELLED("exp2", "negative", .lo = -10, .hi = -1, .large = {-80, -70}),
    PLAIN("expm1", .large = {70, 80}),
    LABELLED("expm1", "negative", .lo = -10, .hi = -1, .large = {-80, -70}),
    PLAIN("log2", POSITIVE),
    PLAIN("log10", POSITIVE),
    PLAIN("log1p", .lo = -0.5, .hi = 3, .large = {100, 1e6}),
    PLAIN("sin", .large = {-200, 200}),
    {"sin", "wide", {{"abc", .lo = -10, .hi = 10}}, .any_shape = true, OTHER_PATH},
    PLAIN("cos", .large = {-200, 200}),
    {"cos", "wide", {{"abc", .lo = -10, .hi = 10}}, .any_shape = true, OTHER_PATH},
    PLAIN("tan", .lo = -1.2, .hi = 1.2, .large = {-50.2, -48.2}),
    PLAIN("asin", INSIDE),
    PLAIN("acos", INSIDE),
    PLAIN("atan", .large = {-200, 200}),
    PLAIN("sinh", .large = {40, 44}),
    LABELLED("sinh", "wide", .lo = -5, .hi = 5, .large = {-44, -40}),
    PLAIN("cosh", .large = {40, 44}),
    LABELLED("cosh", "wide", .lo = -5, .hi = 5, .large = {-44, -40}),
    PLAIN("asinh", .large = {-200, 200}),
    PLAIN("acosh", .lo = 1.2, .hi = 3, .large = {10, 1000}, .small = {1.01, 1.1}),
    PLAIN("atanh", INSIDE),
    PLAIN("erf", .large = {-20, 20}),
    PLAIN("erfc", .large = {-20, 20}),
    LABELLED("erfc", "right tail", .lo = 2, .hi = 5, .large = {5, 9}),
    PLAIN("erfinv", INSIDE),
    PLAIN("lgamma", .lo = 0.3, .hi = 4, .large = {100, 1e4}, .small = {0.01, 0.1}),
    LABELLED("lgamma", "negative", .lo = -1.8, .hi = -1.2, .large = {-7.8, -7.2}, .small = {-0.1, -0.01}),
    PLAIN("digamma", .lo = 0.3, .hi = 4, .large = {100, 1e4}, .small = {0.02, 0.1}),
    LABELLED("digamma", "negative", .lo = -1.8, .hi = -1.2, .large = {-7.8, -7.2}, .small = {-0.1, -0.02}),
    PLAIN("floor", AWAY_FROM(-1, 0, 1)),
    PLAIN("ceil", AWAY_FROM(-1, 0, 1)),
    PLAIN("round", AWAY_FROM(-0.5, 0.5, 1.5)),
    PLAIN("trunc", AWAY_FROM(-1, 0, 1)),
    PLAIN("frac", AWAY_FROM(-1, 0, 1)),
    {"clamp", NULL, {{"ab", AWAY_FROM(-0.5, 1)}}, ARG(-0.5, 1), .any_shape = true},
    {"clamp", "below", {{"abc", AWAY_FROM(0.25)}}, ARG(0.25, INFINITY), .any_shape = true},
    {"clamp", "above", {{"abc", AWAY_FROM(0.25)}}, ARG(-INFINITY, 0.25), .any_shape = true},
    {"nan_to_num", NULL, {{"ab"}}, ARG(0.5, 7, -9), .any_shape = true, .skip = KIND(K_NAN),
     .why = "its purpose is to stop NaN: elementwise/exact.c"},
    {"nan_to_num", "other numbers", {{"abc"}}, ARG(-1, 100, 3), .any_shape = true, .skip = KIND(K_NAN),
     .why = "its purpose is to stop NaN: elementwise/exact.c"},
};

static const exemption exempt[] = {
    {"nan_to_num", KIND(K_NAN), "its purpose is to stop NaN: elementwise/exact.c"},
};

#define ALWAYS_ZERO "the gradient is zero everywhere"
#define ZERO_GRADIENT(op, input) \
    {op, "sign flipped", input, ALWAYS_ZERO}, {op, "zero", input, ALWAYS_ZERO}, \
    {op, "times 1.03", input, ALWAYS_ZERO}, {op, "reversed", input, ALWAYS_ZERO}, \
    {op, "transposed", input, ALWAYS_ZERO}, {op, "ignores dout", input, ALWAYS_ZERO}, \
    {op, "detached", input, ALWAYS_ZERO}
static const equivalent equal[] = {
    ZERO_GRADIENT("sign", -1),  ZERO_GRADIENT("floor", -1), ZERO_GRADIENT("ceil", -1),
    ZERO_GRADIENT("round", -1), ZERO_GRADIENT("trunc", -1),
};

SAMPLES(math, EXEMPT(exempt), EQUAL(equal));
