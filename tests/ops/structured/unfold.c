#include "tests/ops/samples.h"

static const sample rows[] = {
    {"unfold", NULL, {{"ab34"}}, ARG(1, 1, 0, 0, 2, 2), .sizes = "a2b2"},
    {"unfold", "stride, padding", {{"ab45"}}, ARG(2, 3, 1, 1, 3, 2), .sizes = "a2b2"},
    {"unfold",
     "dilation, any size",
     {{"a1cd"}},
     ARG(1, 1, 1, 2, 2, 3, 2, 2),
     .sizes = "a2c3d3",
     .nonempty = "cd",
     .why = "no window fits into so little"},
    {"fold", NULL, {{"a86"}}, ARG(1, 1, 0, 0, 2, 2, 1, 1, 3, 4), .sizes = "a2", OF_SUMS},
    {"fold", "stride, padding", {{"a64"}}, ARG(2, 3, 1, 1, 3, 2, 1, 1, 4, 5), .sizes = "a2", OF_SUMS},
    {"fold", "dilation", {{"a66"}}, ARG(1, 1, 1, 2, 2, 3, 2, 2, 3, 2), .sizes = "a2", OF_SUMS},
    {"fold",
     "one window a place",
     {{"abc"}},
     ARG(1, 1, 0, 0, 1, 1, 1, 1, 1, SIZE('c')),
     .nonempty = "c",
     OF_SUMS,
     .why = "an image has places"},
};

#define FOUR_AXES "a 0-d tensor has no images: structured/errors.c"
static const exemption exempt[] = {
    {"unfold", KIND(K_SCALAR), FOUR_AXES},
    {"fold", KIND(K_SCALAR), FOUR_AXES},
};

extern const sample_set samples_unfold;
SAMPLES(unfold, EXEMPT(exempt));
