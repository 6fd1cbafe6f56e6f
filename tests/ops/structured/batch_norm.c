/* Rows of batch_norm. */
#include "tests/ops/samples.h"

#define WIDE_EPS 0.01

static const sample rows[] = {
    {"batch_norm",
     NULL,
     {{"2ab"}, {"a"}, {"a"}},
     ARG(WIDE_EPS),
     .nonempty = "ab",
     OF_SUMS,
     .why = "a batch of nothing has no mean"},
    {"batch_norm",
     "images",
     {{"2abc"}, {"a"}, {"a"}},
     ARG(WIDE_EPS),
     .sizes = "a3b2c2",
     .nonempty = "abc",
     OF_SUMS,
     .why = "a batch of nothing has no mean"},
    {"batch_norm_alone",
     "places of one image",
     {{"1a2b"}},
     ARG(WIDE_EPS),
     .sizes = "a3b5",
     .nonempty = "ab",
     OF_SUMS,
     .why = "a batch of nothing has no mean"},
    {"batch_norm_eval",
     NULL,
     {{"ab"}, {"b", .constant = true}, {"b", .lo = 0.5, .hi = 2, .small = {0.01, 0.02}, .constant = true}},
     ARG(WIDE_EPS),
     OF_SUMS},
    {"batch_norm_eval_weight",
     "images",
     {{"abc"},
      {"b", .constant = true},
      {"b", .lo = 0.5, .hi = 2, .small = {0.01, 0.02}, .constant = true},
      {"b"}},
     ARG(WIDE_EPS),
     OF_SUMS},
};

static const exemption exempt[] = {
    {"batch_norm", KINDS_BROADCAST, "inputs go by position: shapes do not broadcast"},
    {"batch_norm", KIND(K_SCALAR), "a 0-d tensor has no channels: structured/errors.c"},
};

extern const sample_set samples_batch_norm;
SAMPLES(batch_norm, EXEMPT(exempt));
