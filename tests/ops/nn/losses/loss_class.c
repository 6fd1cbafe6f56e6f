#include "tests/ops/nn/losses/losses.h"

static const sample rows[] = {
    {"cross_entropy",
     "probabilities",
     {MODEST("ab"), UNIT("ab")},
     ARG(MEAN, 0.25),
     OF_SUMS,
     SAME_SHAPES_EMPTY(OUT_OF_DOMAIN)},
    {"cross_entropy",
     "probabilities, more axes",
     {MODEST("abc"), UNIT("abc")},
     ARG(NONE),
     OF_SUMS,
     SAME_SHAPES_EMPTY(OUT_OF_DOMAIN)},
    {"cross_entropy_weight",
     "probabilities",
     {MODEST("ab"), UNIT("ab"), {"b", TG_F32, 0.5, 2}},
     ARG(SUM, 0.1),
     OF_SUMS,
     SAME_SHAPES_EMPTY(OUT_OF_DOMAIN | KIND(K_REPEATED))},
};

SAMPLES(loss_class, .exempt = NULL);
