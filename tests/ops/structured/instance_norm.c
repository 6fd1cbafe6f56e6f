/* Rows of instance_norm, a composition. */
#include "tests/ops/samples.h"

#define WIDE_EPS 0.01

static const sample rows[] = {
    {"instance_norm", NULL, {{"ab4"}}, ARG(WIDE_EPS), OF_SUMS},
    {"instance_norm_affine", NULL, {{"ab3"}, {"b"}, {"b"}}, ARG(WIDE_EPS), OF_SUMS},
    {"instance_norm_affine", "images", {{"a2b2"}, {"2"}, {"2"}}, ARG(WIDE_EPS), OF_SUMS},
};

extern const sample_set samples_instance_norm;
SAMPLES(instance_norm);
