#include "tests/ops/samples.h"

static const sample rows[] = {
    {"avg_pool2d", NULL, {{"ab46"}}, ARG(0, 0, 0, 0, 2, 3, 0), .sizes = "a2b2", OF_SUMS},
    {"avg_pool2d", "overlapping, padding", {{"ab55"}}, ARG(2, 1, 1, 1, 3, 2, 0), .sizes = "a2b2", OF_SUMS},
    {"avg_pool2d", "padding excluded", {{"ab45"}}, ARG(1, 2, 1, 1, 2, 3, 1), .sizes = "a2b2", OF_SUMS},
    {"avg_pool2d",
     "same size",
     {{"a1cd"}},
     ARG(1, 1, 1, 1, 3, 3, 0),
     .sizes = "a2c3d3",
     OF_SUMS,
     .nonempty = "cd",
     .why = "no window fits into so little"},
    {"adaptive_avg_pool2d", NULL, {{"ab57"}}, ARG(3, 4), .sizes = "a2b2", OF_SUMS},
    {"adaptive_avg_pool2d",
     "larger",
     {{"a1cd"}},
     ARG(5, 1),
     .sizes = "a2c3d3",
     .nonempty = "cd",
     OF_SUMS,
     .why = "no mean of nothing"},
    {"avg_pool2d_input", NULL, {{"ab22"}}, ARG(0, 0, 0, 0, 2, 3, 0, 4, 6), .sizes = "a2b2", OF_SUMS},
    {"avg_pool2d_input",
     "padding excluded",
     {{"ab34"}},
     ARG(2, 1, 1, 1, 2, 3, 1, 4, 4),
     .sizes = "a2b2",
     OF_SUMS},
    {"avg_pool2d_input",
     "same size",
     {{"a1cd"}},
     ARG(1, 1, 1, 1, 3, 3, 0, SIZE('c'), SIZE('d')),
     .sizes = "a2c3d3",
     .nonempty = "cd",
     OF_SUMS,
     .why = "no windows"},
};

#define FOUR_AXES "a 0-d tensor has no images: structured/errors.c"
static const exemption exempt[] = {
    {"avg_pool2d", KIND(K_SCALAR), FOUR_AXES},
    {"avg_pool2d_input", KIND(K_SCALAR), FOUR_AXES},
};

extern const sample_set samples_avg_pool;
SAMPLES(avg_pool, EXEMPT(exempt));
