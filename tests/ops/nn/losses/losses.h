/* What the rows of the losses share. Operands do not broadcast. */
#ifndef TG_TESTS_OPS_NN_LOSSES_H
#define TG_TESTS_OPS_NN_LOSSES_H

#include "tests/ops/samples.h"

#define MEAN 0
#define SUM 1
#define NONE 2
#define BATCH_MEAN 3

#define SAME_SHAPES .skip = KINDS_BROADCAST, .why = "a loss does not broadcast"
#define SAME_SHAPES_EMPTY(more) \
    .skip = KINDS_BROADCAST | (more), .why = "a loss does not broadcast; the domain"
#define UNIT(shape) \
    { shape, TG_F32, 0.125, 0.875, {0.05, 0.95}, {0.4, 0.6}, .bounded = true }
#define BIG KIND(K_LARGE)
#define OUT_OF_DOMAIN (KIND(K_INF) | KIND(K_NAN))
#define SIGNS(shape) \
    { shape, TG_F32, 1, 1, {1, 1}, {1, 1}, .constant = true, .bounded = true }
#define MODEST(shape) \
    { \
        shape, TG_F32, -2, 2, { -20, 20 } \
    }

#endif
