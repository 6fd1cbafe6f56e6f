/* Bad input of indexing: gather and scatter, embedding, sort. */
#include "tests/ops/cases.h"

#define BAD_INDEX(name) \
    {name, ARG(2), {SHAPE(2, 3), SHAPE_OF(I64, 2, 3), SHAPE(2, 3)}, TG_ERR_ARGUMENT, \
     {"axis 2", "left [2, 3]"}}, \
        {name, ARG(0), {SHAPE(3), SHAPE(2), SHAPE(2)}, TG_ERR_DTYPE, {"right [2] f", "i64 or i32"}}, \
        {name, ARG(0), {SHAPE(3), SHAPE_OF(U8, 2), SHAPE(2)}, TG_ERR_DTYPE, {"right [2] u8"}}, \
        {name, ARG(0), {SHAPE(3), VECTOR_OF(I64, 0, 3), SHAPE(2)}, TG_ERR_ARGUMENT, \
         {"index 3 is out of range for axis 0 of size 3: left [3] f", "at [1] of right [2] i64"}}, \
        {name, ARG(0), {SHAPE(3), VECTOR_OF(I32, -4, 0), SHAPE(2)}, TG_ERR_ARGUMENT, \
         {"index -4", "size 3: left [3]", "at [0] of right [2] i32"}}, \
        {name, ARG(0), {SHAPE(0), VECTOR_OF(I64, 0), SHAPE(1)}, TG_ERR_ARGUMENT, {"index 0", "size 0: left [0]"}}, \
        {name, ARG(0), {SCALAR(1), SHAPE_OF(I64, 1), SHAPE(1)}, TG_ERR_ARGUMENT, {"left [] f"}}

static const bad table[] = {
    BAD_INDEX("gather"),
    BAD_INDEX("scatter_add"),
    BAD_INDEX("index_select"),
    {"gather", ARG(0), {SHAPE(2, 3), SHAPE_OF(I64, 2)}, TG_ERR_SHAPE, {"left [2, 3]", "right [2] i64"}},
    {"gather", ARG(0), {SHAPE(2, 3), SHAPE_OF(I64, 2, 4)}, TG_ERR_SHAPE, {"left [2, 3]", "right [2, 4] i64"}},
    {"scatter_add", ARG(0), {SHAPE(3), SHAPE_OF(I64, 2), SHAPE(1)}, TG_ERR_SHAPE,
     {"right [2] i64", "third [1]"}},
    {"scatter_add", ARG(0), {SHAPE(2, 3), SHAPE_OF(I64, 2), SHAPE(2)}, TG_ERR_SHAPE,
     {"left [2, 3]", "right [2] i64"}},
    {"scatter_add", ARG(0), {SHAPE(3), SHAPE_OF(I64, 2), SHAPE_OF(I64, 2)}, TG_ERR_DTYPE,
     {"left [3] f", "third [2] i64"}},
    {"index_select", ARG(0), {SHAPE(2, 3), SHAPE_OF(I64, 2, 1)}, TG_ERR_SHAPE, {"right [2, 1] i64"}},
    {"sort", ARG(0, 1), {SHAPE(2)}, TG_ERR_ARGUMENT, {"axis 1", "left [2]"}},
    {"sort", ARG(0, 0), {SCALAR(2)}, TG_ERR_ARGUMENT, {"axis 0", "left [] f"}},
    {"topk", ARG(0, 0, 3), {SHAPE(2)}, TG_ERR_ARGUMENT, {"topk: k is 3", "axis 0 of size 2", "left [2]"}},
    {"topk", ARG(0, 0, -1), {SHAPE(2)}, TG_ERR_ARGUMENT, {"topk", "left [2]", "-1"}},
    {"topk", ARG(0, 1, 1), {SHAPE(2)}, TG_ERR_ARGUMENT, {"topk", "left [2]", "axis 1"}},

    {"scatter",
     ARG(2),
     {SHAPE(2, 3), SHAPE_OF(I64, 2, 3), SHAPE(2, 3)},
     TG_ERR_ARGUMENT,
     {"axis 2", "left [2, 3]"}},
    {"scatter", ARG(0), {SHAPE(3), SHAPE(2), SHAPE(2)}, TG_ERR_DTYPE, {"right [2] f", "i64 or i32"}},
    {"scatter",
     ARG(0),
     {SHAPE(3), SHAPE_OF(I64, 2), SHAPE_OF(I64, 2)},
     TG_ERR_DTYPE,
     {"left [3] f", "third [2] i64"}},
    {"scatter", ARG(0), {SHAPE(3), SHAPE_OF(I64, 2), SHAPE(1)}, TG_ERR_SHAPE, {"right [2] i64", "third [1]"}},
    {"scatter",
     ARG(0),
     {SHAPE(2, 3), SHAPE_OF(I64, 2, 4), SHAPE(2, 4)},
     TG_ERR_SHAPE,
     {"left [2, 3]", "right [2, 4] i64"}},
    {"scatter",
     ARG(0),
     {SHAPE(3), VECTOR_OF(I64, 0, 3), SHAPE(2)},
     TG_ERR_ARGUMENT,
     {"index 3", "axis 0", "left [3]"}},
    {"scatter",
     ARG(0),
     {SHAPE(3), VECTOR_OF(I32, -4, 0), SHAPE(2)},
     TG_ERR_ARGUMENT,
     {"index -4", "left [3]"}},
    {"scatter", ARG(0), {SCALAR(1), SHAPE_OF(I64, 1), SHAPE(1)}, TG_ERR_ARGUMENT, {"left [] f"}},
    {"take_along_dim",
     ARG(0),
     {SHAPE(2, 3), SHAPE_OF(I64, 2)},
     TG_ERR_SHAPE,
     {"take_along_dim", "left [2, 3]", "right [2] i64"}},
    {"take_along_dim",
     ARG(0),
     {SHAPE(2, 3), SHAPE_OF(I64, 2, 2)},
     TG_ERR_SHAPE,
     {"left [2, 3]", "right [2, 2] i64"}},
    {"take_along_dim",
     ARG(2),
     {SHAPE(2, 3), SHAPE_OF(I64, 2, 3)},
     TG_ERR_ARGUMENT,
     {"axis 2", "left [2, 3]"}},
    {"one_hot", ARG(3), {VECTOR_OF(I64, 3)}, TG_ERR_ARGUMENT, {"index 3"}},
    {"one_hot", ARG(-1), {VECTOR_OF(I64, 0)}, TG_ERR_ARGUMENT, {"one_hot", "-1 classes", "left [1] i64"}},
    {"one_hot", ARG(3), {SHAPE(2)}, TG_ERR_DTYPE, {"i64 or i32"}},
    {"embedding", ARG(0), {SHAPE(3), SHAPE_OF(I64, 2)}, TG_ERR_SHAPE, {"embedding", "left [3]"}},
    {"embedding", ARG(1, 3), {SHAPE(3, 2), SHAPE_OF(I64, 2)}, TG_ERR_ARGUMENT,
     {"padding index 3", "axis 0 of size 3", "left [3, 2]"}},
};

extern const bad_table errors_index;
const bad_table errors_index = {table, COUNT(table)};
