#include "tests/ops/samples.h"

#define PAIR(name, label, a, b) {name, label, {a, b}, .any_shape = true}
#define BASE(shape, low, high) {shape, .lo = low, .hi = high, .large = {5, 10}, .small = {0.1, 0.2}}
#define NEGATIVE_BASE {"ab", .lo = -2, .hi = -0.5, .large = {-10, -5}, .small = {-0.5, -0.3}}
#define POWER(shape, low, high) {shape, .lo = low, .hi = high, .large = {3, 6}}
#define INTEGER_POWERS(low, high) {"ab", .lo = low, .hi = high, .large = {low, high}, .small = {low, high}, \
                                   .grid = 1, .constant = true}
/* |a| > |b|, so that a always depends on b; quotients away from 0 and infinity */
#define DIVIDEND(shape, low, high) {shape, .lo = low, .hi = high, .large = {50, 500}, .small = {0.3, 0.5}}
#define DIVISOR(shape, low, high) {shape, .lo = low, .hi = high, .large = {7, 40}, .small = {0.1, 0.2}}
#define INTEGERS(name, type) \
    {name, #type, {{"ab", TG_##type, -4, 5}, {"ab", TG_##type, -4, 5}}, .any_shape = true, NO_FLOATS}
#define PLANE(shape) {shape, .lo = 0.2, .hi = 2, .large = {50, 200}, .small = {0.02, 0.1}}
#define SIGN_OF_NAN .skip = KIND(K_NAN), .why = "a NaN has a sign too"

static const sample rows[] = {
    PAIR("pow", NULL, BASE("ab", 0.3, 2), POWER("ab", -2, 2)),
    PAIR("pow", "rank 3", BASE("abc", 0.3, 2), POWER("abc", 0.5, 3)),
    {"pow", "negative base", {NEGATIVE_BASE, INTEGER_POWERS(-3, 4)}, .any_shape = true,
     .skip = KIND(K_REPEATED), .why = "a negative base has no derivative by the exponent"},
    {"pow_scalar", NULL, {BASE("ab", 0.3, 2)}, ARG(1.7), .any_shape = true},
    {"pow_scalar", "square", {{"ab", .large = {50, 500}}}, ARG(2), .any_shape = true},
    {"pow_scalar", "cube", {{"abc", .large = {-100, -50}}}, ARG(3), .any_shape = true},
    {"pow_scalar", "root", {BASE("ab", 0.3, 2)}, ARG(0.5), .any_shape = true},
    {"pow_scalar", "inverse", {BASE("ab", 0.3, 2)}, ARG(-1), .any_shape = true},
    {"pow_scalar", "negative", {BASE("abc", 0.3, 2)}, ARG(-2.5), .any_shape = true},
    {"pow_scalar", "one", {{"ab"}}, ARG(1), .any_shape = true},
    {"pow_scalar", "zero", {{"ab"}}, ARG(0), .any_shape = true, .skip = KIND(K_NAN),
     .why = "NaN^0 = 1: x^0 does not depend on x"},
    PAIR("maximum", NULL, {"ab"}, {"ab"}),
    PAIR("maximum", "rank 3", {"abc"}, {"abc"}),
    PAIR("minimum", NULL, {"ab"}, {"ab"}),
    PAIR("minimum", "rank 3", {"abc"}, {"abc"}),
    INTEGERS("maximum", I32), INTEGERS("maximum", I64),
    INTEGERS("minimum", I32), INTEGERS("minimum", I64),
    PAIR("fmod", NULL, DIVIDEND("ab", 2, 5), DIVISOR("ab", 0.5, 1.8)),
    PAIR("fmod", "negative", DIVIDEND("abc", -5, -2), DIVISOR("abc", 0.5, 1.8)),
    PAIR("remainder", NULL, DIVIDEND("ab", 2, 5), DIVISOR("ab", 0.5, 1.8)),
    PAIR("remainder", "negative", DIVIDEND("abc", -5, -2), DIVISOR("abc", 0.5, 1.8)),
    PAIR("remainder", "by negative", DIVIDEND("ab", 2, 5), DIVISOR("ab", -1.8, -0.5)),
    PAIR("atan2", NULL, PLANE("ab"), PLANE("ab")),
    PAIR("atan2", "left half", PLANE("abc"), BASE("abc", -2, -0.2)),
    PAIR("hypot", NULL, PLANE("ab"), PLANE("ab")),
    PAIR("hypot", "left half", PLANE("abc"), BASE("abc", -2, -0.2)),
    PAIR("xlogy", NULL, {"ab"}, PLANE("ab")),
    PAIR("xlogy", "rank 3", {"abc"}, PLANE("abc")),
    {"logaddexp", NULL, {{"ab"}, {"ab"}}, .any_shape = true, OF_SUMS},
    {"logaddexp", "wide", {BASE("abc", -5, 5), BASE("abc", -5, 5)}, .any_shape = true, OF_SUMS},
    PAIR("half_square_over", NULL, {"ab"}, PLANE("ab")),
    PAIR("half_square_over", "of negative", {"abc"}, BASE("abc", -2, -0.2)),
    {"copysign", NULL, {PLANE("ab"), {"ab", .kink = {0}, .n_kinks = 1}}, .any_shape = true, SIGN_OF_NAN},
    {"copysign", "of negative", {BASE("abc", -2, -0.2), {"abc", .kink = {0}, .n_kinks = 1}},
     .any_shape = true, SIGN_OF_NAN},
};

#define ALWAYS_ZERO "the gradient by the sign is zero everywhere"
static const equivalent equal[] = {
    {"copysign", "sign flipped", 1, ALWAYS_ZERO}, {"copysign", "zero", 1, ALWAYS_ZERO},
    {"copysign", "times 1.03", 1, ALWAYS_ZERO},   {"copysign", "reversed", 1, ALWAYS_ZERO},
    {"copysign", "transposed", 1, ALWAYS_ZERO},   {"copysign", "ignores dout", 1, ALWAYS_ZERO},
    {"copysign", "detached", 1, ALWAYS_ZERO},
};

static const exemption exempt[] = {
    {"copysign", KIND(K_NAN), "a NaN has a sign too"},
};

SAMPLES(binary, EXEMPT(exempt), EQUAL(equal));
