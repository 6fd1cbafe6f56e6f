#include "tests/ops/samples.h"

#define ROOM(letters) .frozen = letters, .why = "an image smaller than the window is an error: structured/errors.c"

static const sample rows[] = {
    {"max_pool2d", NULL, {DISTINCT("ab46")}, ARG(0, 0, 0, 0, 2, 2), .sizes = "a2b2"},
    {"max_pool2d", "overlapping, padding", {DISTINCT("ab55")}, ARG(2, 1, 1, 1, 3, 2), .sizes = "a2b2"},
    {"max_pool2d",
     "dilation",
     {DISTINCT("a1cd")},
     ARG(1, 2, 1, 1, 2, 3, 2, 1),
     .sizes = "a2c5d5",
     ROOM("cd")},
    {"max_pool2d",
     "along the width",
     {DISTINCT("a1cd")},
     ARG(1, 1, 0, 0, 1, 1),
     .sizes = "a2c3d3",
     .nonempty = "cd",
     .why = "no place for a window"},
};

#define FOUR_AXES "a 0-d tensor has no images: structured/errors.c"
static const exemption exempt[] = {{"max_pool2d", KIND(K_SCALAR), FOUR_AXES}};

extern const sample_set samples_max_pool;
SAMPLES(max_pool, EXEMPT(exempt));
