#include "tests/ops/samples.h"

#include <math.h>

#define END INFINITY /* calls.c makes it TG_END */

/* src has the size that the slice has, so the sliced axis keeps its size. */
#define FROZEN(letters) .frozen = letters, .why = "src has the slice's size along that axis"

static const sample rows[] = {
    {"slice", NULL, {{"ab"}}, ARG(1, 1, 3, 1)},
    {"slice", "step 2", {{"ba"}}, ARG(0, 0, END, 2)},
    {"slice", "backwards", {{"ab"}}, ARG(1, END, END, -1)},
    {"slice", "backwards, step 2", {{"abc"}}, ARG(1, -1, 0, -2)},
    {"slice", "negative bounds", {{"abc"}}, ARG(-2, -3, -1, 1)},
    {"slice", "nothing", {{"ab"}}, ARG(0, 2, 1, 1), .kind = K_EMPTY},
    {"slice", "I64", {{"ab", TG_I64, -9, 10}}, ARG(1, END, END, -2), NO_FLOATS},
    {"slice_scatter", NULL, {{"ab"}, {"a2"}}, ARG(1, 1, 3, 1), FROZEN("b")},
    {"slice_scatter", "whole axis", {{"ab"}, {"ab"}}, ARG(0, 0, END, 1)},
    {"slice_scatter", "step 2", {{"ba"}, {"2a"}}, ARG(0, 0, END, 2), FROZEN("b")},
    {"slice_scatter", "backwards", {{"abc"}, {"abc"}}, ARG(1, END, END, -1)},
};

#define NO_AXIS "a 0-d tensor has no axis to name: shape/errors.c"
static const exemption exempt[] = {
    {"slice", KIND(K_SCALAR), NO_AXIS},
    {"slice_scatter", KIND(K_SCALAR), NO_AXIS},
    {"slice_scatter", KINDS_BROADCAST, "src goes by position: shapes do not broadcast"},
};

SAMPLES(slice, EXEMPT(exempt));
