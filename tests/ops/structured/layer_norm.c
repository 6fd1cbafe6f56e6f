/* Rows of layer_norm, rms_norm and group_norm. */
#include "tests/ops/samples.h"

#define WIDE_EPS 0.01

static const sample rows[] = {
    {"layer_norm", NULL, {{"ab"}}, ARG(1, WIDE_EPS), OF_SUMS},
    {"layer_norm", "default eps", {{"ab"}}, ARG(0, 0), OF_SUMS},
    {"layer_norm", "two axes", {{"abc"}}, ARG(2, WIDE_EPS), OF_SUMS},
    {"layer_norm_affine", NULL, {{"ab"}, {"b"}, {"b"}}, ARG(1, WIDE_EPS), OF_SUMS},
    {"layer_norm_affine", "two axes", {{"abc"}, {"bc"}, {"bc"}}, ARG(2, WIDE_EPS), OF_SUMS},
    {"rms_norm", NULL, {{"ab"}}, ARG(1, WIDE_EPS), OF_SUMS},
    {"rms_norm", "all axes", {{"abc"}}, ARG(3, WIDE_EPS), OF_SUMS},
    {"rms_norm_weight", NULL, {{"ab"}, {"b"}}, ARG(1, WIDE_EPS), OF_SUMS},
    {"rms_norm_weight", "two axes", {{"abc"}, {"bc"}}, ARG(2, WIDE_EPS), OF_SUMS},
    {"group_norm", NULL, {{"a4b"}, {"4"}, {"4"}}, ARG(2, WIDE_EPS), OF_SUMS},
    {"group_norm",
     "one group",
     {{"abcd"}, {"b"}, {"b"}},
     ARG(1, WIDE_EPS),
     .sizes = "a2b3c2d2",
     .frozen = "d",
     OF_SUMS,
     .why = "fewer sizes"},
};

#define BY_POSITION "inputs go by position: shapes do not broadcast"
static const exemption exempt[] = {
    {"layer_norm", KINDS_BROADCAST, BY_POSITION},
    {"rms_norm", KINDS_BROADCAST, BY_POSITION},
    {"layer_norm", KIND(K_SCALAR), "a 0-d tensor has no last axis: structured/errors.c"},
    {"rms_norm", KIND(K_SCALAR), "a 0-d tensor has no last axis: structured/errors.c"},
};

extern const sample_set samples_layer_norm;
SAMPLES(layer_norm, EXEMPT(exempt));
