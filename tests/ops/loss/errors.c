/* Bad input of softmax and cross-entropy. */
#include "tests/ops/cases.h"

static const bad table[] = {
    {"softmax", ARG(2), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"axis 2", "left [2, 3]"}},
    {"softmax", ARG(0), {SCALAR(1)}, TG_ERR_ARGUMENT, {"axis 0", "left [] f"}},
    {"softmax", ARG(0), {SHAPE_OF(I64, 3)}, TG_ERR_DTYPE, {"left [3] i64"}},
    {"log_softmax", ARG(-3), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"axis -3", "left [2, 3]"}},
    {"log_softmax", ARG(0), {SCALAR(1)}, TG_ERR_ARGUMENT, {"axis 0", "left [] f"}},
    {"log_softmax", ARG(0), {SHAPE_OF(BOOL, 3)}, TG_ERR_DTYPE, {"left [3] bool"}},
    {"softmax_cross_entropy", {0}, {SCALAR(1), SHAPE_OF(I64, 1)}, TG_ERR_SHAPE, {"left [] f", "right [1] i64"}},
    {"softmax_cross_entropy", {0}, {SHAPE(2, 3), SHAPE_OF(I64, 3)}, TG_ERR_SHAPE, {"left [2, 3]", "right [3] i64"}},
    {"softmax_cross_entropy", {0}, {SHAPE(2, 3), SHAPE(2)}, TG_ERR_DTYPE, {"i64 or i32", "right [2] f"}},
    {"softmax_cross_entropy", {0}, {SHAPE_OF(I64, 2, 3), SHAPE_OF(I64, 2)}, TG_ERR_DTYPE, {"left [2, 3] i64"}},
    {"softmax_cross_entropy", {0}, {SHAPE(2, 3), VECTOR_OF(I64, 0, 3)}, TG_ERR_ARGUMENT,
     {"row 1 has class 3", "3 classes", "left [2, 3]"}},
    {"softmax_cross_entropy", {0}, {SHAPE(2, 3), VECTOR_OF(I32, -4, 0)}, TG_ERR_ARGUMENT,
     {"row 0 has class -4", "left [2, 3]"}},
};

extern const bad_table errors_loss;
const bad_table errors_loss = {table, COUNT(table)};
