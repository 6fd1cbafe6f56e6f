#include "tests/ops/samples.h"

/* Without ties, with many, and for the other types. */
#define COMPARISON(name) \
    {name, NULL, {{"ab"}, {"ab"}}, .any_shape = true}, \
        {name, "ties", {{"abc", .lo = 0, .hi = 3, .grid = 1}, {"abc", .lo = 0, .hi = 3, .grid = 1}}, \
         .any_shape = true}, \
        {name, "I64", {{"ab", TG_I64, 0, 4}, {"ab", TG_I64, 0, 4}}, .any_shape = true, NO_FLOATS}, \
        {name, "I32", {{"ab", TG_I32, 0, 4}, {"ab", TG_I32, 0, 4}}, .any_shape = true, NO_FLOATS}, \
        {name, "U8", {{"ab", TG_U8, 0, 4}, {"ab", TG_U8, 0, 4}}, .any_shape = true, NO_FLOATS}, \
        {name, "BOOL", {{"ab", TG_BOOL}, {"ab", TG_BOOL}}, .any_shape = true, NO_FLOATS}

#define X_STAYS .skip = KIND(K_LEFT) | KIND(K_BOTH), .why = "the result has x's shape"

static const sample rows[] = {
    COMPARISON("eq"), COMPARISON("ne"), COMPARISON("lt"),
    COMPARISON("le"), COMPARISON("gt"), COMPARISON("ge"),
    {"where", NULL, {{"ab", TG_BOOL}, {"ab"}, {"ab"}}, .any_shape = true},
    {"where", "u8 mask", {{"abc", TG_U8, 0, 3}, {"abc"}, {"abc"}}, .any_shape = true},
    {"where", "I64", {{"ab", TG_BOOL}, {"ab", TG_I64, -9, 10}, {"ab", TG_I64, -9, 10}}, .any_shape = true,
     NO_FLOATS},
    {"masked_fill", NULL, {{"ab"}, {"ab", TG_BOOL}}, ARG(-1), .any_shape = true, X_STAYS},
    {"masked_fill", "u8 mask", {{"abc"}, {"abc", TG_U8, 0, 3}}, ARG(0.5), .any_shape = true, X_STAYS},
};

static const exemption exempt[] = {
    {"masked_fill", KIND(K_LEFT) | KIND(K_BOTH),
     "the result has x's shape: a wider mask is an error, elementwise/errors.c"},
};

SAMPLES(compare, EXEMPT(exempt));
