/* Bad input of the losses. */
#include "tests/ops/cases.h"

#define BAD_LOSS(name) \
    {name, {0}, {SHAPE(2, 1), SHAPE(2), SHAPE(2)}, TG_ERR_SHAPE, {name, "left [2, 1] f", "right [2] f"}}, \
        {name, \
         {0}, \
         {SHAPE(2), SHAPE_OF(F64, 2), SHAPE(2)}, \
         TG_ERR_DTYPE, \
         {name, "left [2] f32", "right [2] f64"}}, \
        {name, {0}, {SHAPE_OF(I64, 2), SHAPE_OF(I64, 2), SHAPE(2)}, TG_ERR_DTYPE, {name, "left [2] i64"}}, { \
        name, ARG(7), {VECTOR(1, 1), VECTOR(1, 1), VECTOR(1, 1)}, TG_ERR_ARGUMENT, { name, "reduction 7" } \
    }

static const bad table[] = {
    BAD_LOSS("mse_loss"),
    BAD_LOSS("l1_loss"),
    BAD_LOSS("huber_loss"),
    BAD_LOSS("smooth_l1_loss"),
    BAD_LOSS("kl_div"),
    BAD_LOSS("hinge_loss"),
    BAD_LOSS("hinge_embedding_loss"),
    BAD_LOSS("gaussian_nll_loss"),
    {"bce_with_logits", ARG(0), {SHAPE(2, 1), SHAPE(2)}, TG_ERR_SHAPE, {"left [2, 1] f", "right [2] f"}},
    {"binary_cross_entropy", ARG(0), {SHAPE(2, 1), SHAPE(2)}, TG_ERR_SHAPE, {"left [2, 1] f", "right [2] f"}},
    {"cross_entropy", {0}, {SHAPE(2, 3), SHAPE_OF(I64, 2, 1)}, TG_ERR_SHAPE, {"left [2, 3]", "right [2, 1] i64"}},
    {"cross_entropy", {0}, {SHAPE(2, 3), SHAPE(2, 1)}, TG_ERR_DTYPE, {"left [2, 3]", "right [2, 1] f"}},
    {"nll_loss", {0}, {SHAPE(2, 3), SHAPE_OF(I64, 3)}, TG_ERR_SHAPE, {"left [2, 3]", "right [3] i64"}},
    {"huber_loss", ARG(0, -1), {SHAPE(2), SHAPE(2)}, TG_ERR_ARGUMENT, {"delta is -1"}},
    {"smooth_l1_loss", ARG(0, NAN), {SHAPE(2), SHAPE(2)}, TG_ERR_ARGUMENT, {"beta is"}},
    {"hinge_loss", {0}, {VECTOR(1, 2), VECTOR(1, 0)}, TG_ERR_ARGUMENT, {"hinge_loss", "right [2] f", "position 1"}},
    {"hinge_embedding_loss", {0}, {VECTOR(1, 2), VECTOR(2, 1)}, TG_ERR_ARGUMENT, {"right [2] f", "position 0"}},
    {"gaussian_nll_loss",
     {0},
     {VECTOR(1, 2), VECTOR(1, 0), VECTOR(1, -1)},
     TG_ERR_ARGUMENT,
     {"variance", "third [2] f", "position 1"}},
    {"gaussian_nll_loss", {0}, {SHAPE(2), SHAPE(2), SHAPE(3)}, TG_ERR_SHAPE, {"variance", "third [3] f"}},
    {"gaussian_nll_loss", {0}, {SHAPE(2), SHAPE(2)}, TG_ERR_ARGUMENT, {"the variance is NULL"}},
    {"cosine_similarity", ARG(2), {SHAPE(2, 3), SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"axis 2"}},
    {"cosine_similarity", ARG(0), {SHAPE(2, 3), SHAPE(2, 2)}, TG_ERR_SHAPE, {"left [2, 3]", "right [2, 2]"}},
    {"cosine_similarity", ARG(0, -1), {SHAPE(2, 3), SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"eps is -1"}},
    {"bce_pos_weight", {0}, {VECTOR(1, 1), VECTOR(1, 1), SHAPE(3)}, TG_ERR_SHAPE, {"pos_weight third [3] f"}},
    {"bce_weight", {0}, {VECTOR(1, 1), VECTOR(1, 1), SHAPE(3, 2)}, TG_ERR_SHAPE, {"weight third [3, 2] f"}},
    {"bce_weight", {0}, {VECTOR(1, 1), VECTOR(1, 1), SHAPE_OF(I64, 2)}, TG_ERR_DTYPE, {"third [2] i64"}},
    {"cross_entropy", ARG(0, 1.5), {SHAPE(2, 3), VECTOR_OF(I64, 0, 1)}, TG_ERR_ARGUMENT, {"label_smoothing is 1.5"}},
    {"cross_entropy", ARG(0, 0, 0, -100), {SHAPE(2, 3), SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"ignore_index"}},
    {"cross_entropy",
     ARG(0, 0, 0, -100),
     {SHAPE(2, 3), VECTOR_OF(I64, -100, 3)},
     TG_ERR_ARGUMENT,
     {"row 1", "class 3", "left [2, 3]"}},
    {"cross_entropy", {0}, {SHAPE(2, 3, 4), SHAPE_OF(I64, 2)}, TG_ERR_SHAPE, {"left [2, 3, 4]", "right [2] i64"}},
    {"cross_entropy_weight",
     {0},
     {SHAPE(2, 3), VECTOR_OF(I64, 0, 1), SHAPE(2)},
     TG_ERR_SHAPE,
     {"weight must be [3]", "weight third [2] f", "left [2, 3]"}},
    {"nll_loss_weight", {0}, {SHAPE(2, 3), VECTOR_OF(I64, 0, 1), SHAPE_OF(I64, 3)}, TG_ERR_DTYPE, {"third [3] i64"}},
    {"nll_loss", ARG(9), {SHAPE(2, 3), VECTOR_OF(I64, 0, 1)}, TG_ERR_ARGUMENT, {"reduction 9"}},
};

extern const bad_table errors_nn;
const bad_table errors_nn = {table, COUNT(table)};
