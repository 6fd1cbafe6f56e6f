/* Rows of interpolate, a composition. */
#include "tests/ops/samples.h"

static const sample rows[] = {
    {"nearest", NULL, {{"ab34"}}, ARG(5, 2), .sizes = "a2b2"},
    {"nearest_scale", NULL, {{"ab34"}}, ARG(2, 1.5), .sizes = "a2b2"},
    {"bilinear",
     NULL,
     {{"ab34"}},
     ARG(5, 3, 0),
     .sizes = "a2b2",
     OF_SUMS},
    {"bilinear",
     "align_corners",
     {{"ab34"}},
     ARG(5, 3, 1),
     .sizes = "a2b2",
     OF_SUMS},
    {"bilinear_scale",
     NULL,
     {{"ab34"}},
     ARG(2, 1.5),
     .sizes = "a2b2",
     OF_SUMS},
};

extern const sample_set samples_interpolate;
SAMPLES(interpolate);
