#include "tests/ops/samples.h"

#define CONSTANT 0
#define REFLECT 1
#define REPLICATE 2
#define FIXED(letters) .frozen = letters, .why = "no more is mirrored, or cut off, than there is"
#define ENDS(letters) .nonempty = letters, .why = "an empty axis has no end to repeat"

/* mode, value, n, n before, n after */
static const sample rows[] = {
    {"pad", NULL, {{"ab"}}, ARG(CONSTANT, 0, 2, 1, 2, 0, 3)},
    {"pad", "value, last axis only", {{"abc"}}, ARG(CONSTANT, -1.5, 1, 2, 1)},
    {"pad", "cut and added", {{"ba"}}, ARG(CONSTANT, 2, 2, -1, 1, 2, -2), FIXED("ab")},
    {"pad", "only cut", {{"ba"}}, ARG(CONSTANT, 2, 2, -1, -1, -2, 0), FIXED("ab")},
    {"pad", "by nothing", {{"ab"}}, ARG(CONSTANT, 1, 0)},
    {"pad", "0-d", {{""}}, ARG(CONSTANT, 1, 0), .kind = K_SCALAR},
    {"pad", "I32", {{"ab", TG_I32, -9, 10}}, ARG(CONSTANT, 7, 1, 1, 1), NO_FLOATS},
    {"pad_index", "reflect", {{"ab"}}, ARG(REFLECT, 0, 1, 3, 2), FIXED("b")},
    {"pad_index", "reflect two axes", {{"cab"}}, ARG(REFLECT, 0, 2, 2, 0, 1, 3), FIXED("ab")},
    {"pad_index", "replicate", {{"ab"}}, ARG(REPLICATE, 0, 1, 5, 2), ENDS("b")},
    {"pad_index", "replicate two axes", {{"cab"}}, ARG(REPLICATE, 0, 2, 2, 1, 1, 0), ENDS("ab")},
};

SAMPLES(pad, .exempt = NULL);
