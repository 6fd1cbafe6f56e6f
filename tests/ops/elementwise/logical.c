#include "tests/ops/samples.h"

#define GRID .lo = -2, .hi = 2, .grid = 1
#define OF_ONE(name) \
    {name, NULL, {{"ab", GRID}}, .any_shape = true}, \
        {name, "I64", {{"ab", TG_I64, 0, 3}}, .any_shape = true, NO_FLOATS}, \
        {name, "I32", {{"abc", TG_I32, -1, 2}}, .any_shape = true, NO_FLOATS}, \
        {name, "U8", {{"ab", TG_U8, 0, 3}}, .any_shape = true, NO_FLOATS}, \
        {name, "BOOL", {{"ab", TG_BOOL}}, .any_shape = true, NO_FLOATS}

/* Of two: the dtypes may differ, so that rows have one float input at most. */
#define OF_TWO(name) \
    {name, NULL, {{"ab", GRID}, {"ab", TG_BOOL}}, .any_shape = true}, \
        {name, "float on the right", {{"abc", TG_I64, 0, 2}, {"abc", GRID}}, .any_shape = true}, \
        {name, "I32", {{"ab", TG_I32, -1, 2}, {"ab", TG_I32, -1, 2}}, .any_shape = true, NO_FLOATS}, \
        {name, "U8 and BOOL", {{"ab", TG_U8, 0, 3}, {"ab", TG_BOOL}}, .any_shape = true, NO_FLOATS}

static const sample rows[] = {
    OF_ONE("logical_not"), OF_ONE("isnan"),      OF_ONE("isfinite"),
    OF_TWO("logical_and"), OF_TWO("logical_or"), OF_TWO("logical_xor"),
};

SAMPLES(logical, .exempt = NULL);
