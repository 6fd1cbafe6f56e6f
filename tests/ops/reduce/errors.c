/* Bad input of the reductions. */
#include "tests/ops/cases.h"

#define BAD_AXES(name) \
    {name, ARG(0, 2), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"axis 2", "left [2, 3]"}}, \
        {name, ARG(0, -3), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"axis -3", "left [2, 3]"}}, { \
        name, ARG(0, 1, -1), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, { "axis 1", "twice", "left [2, 3]" } \
    }
#define BAD_AXIS(name) \
    {name, ARG(2, 0, 0), {SHAPE(2, 3), SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"axis 2", "left [2, 3]"}}, { \
        name, ARG(0, 0, 0), {SCALAR(1), SCALAR(1)}, TG_ERR_ARGUMENT, { "axis 0", "left [] f" } \
    }

static const bad table[] = {
    BAD_AXES("sum"),
    BAD_AXES("mean"),
    BAD_AXES("amax"),
    {"sum", ARG(0, 0), {SCALAR(1)}, TG_ERR_ARGUMENT, {"axis 0", "left [] f"}},
    {"mean", ARG(0), {SHAPE_OF(I64, 3)}, TG_ERR_DTYPE, {"left [3] i64"}},
    {"amax", ARG(0), {SHAPE_OF(I64, 3)}, TG_ERR_DTYPE, {"left [3] i64"}},
    {"amax", ARG(0), {SHAPE(0)}, TG_ERR_SHAPE, {"left [0]", "empty"}},
    {"amax", ARG(0, 1), {SHAPE(2, 0)}, TG_ERR_SHAPE, {"left [2, 0]", "axis 1"}},
    {"max", ARG(0, 1), {SHAPE(2, 0)}, TG_ERR_SHAPE, {"left [2, 0]", "axis 1"}},
    {"max", ARG(0, 2), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"axis 2", "left [2, 3]"}},
    {"max", ARG(0, 0), {SCALAR(1)}, TG_ERR_ARGUMENT, {"axis 0", "left [] f"}},
    {"max", ARG(0, 0), {SHAPE_OF(BOOL, 3)}, TG_ERR_DTYPE, {"left [3] bool"}},
    {"argmax", ARG(0), {SHAPE(0)}, TG_ERR_SHAPE, {"left [0]"}},
    {"argmax", ARG(-2), {SHAPE(3)}, TG_ERR_ARGUMENT, {"axis -2", "left [3]"}},
    {"argmax", ARG(0), {SCALAR(1)}, TG_ERR_ARGUMENT, {"axis 0"}},
    {"sum_to", ARG(2), {SHAPE(2, 3)}, TG_ERR_SHAPE, {"[2]", "left [2, 3]"}},
    {"sum_to", ARG(2, 2, 3), {SHAPE(2, 3)}, TG_ERR_SHAPE, {"[2, 2, 3]", "left [2, 3]"}},
    {"sum_to", ARG(2), {SHAPE_OF(I32, 2)}, TG_ERR_DTYPE, {"left [2] i32"}},
    BAD_AXES("amin"),
    BAD_AXES("prod"),
    BAD_AXES("logsumexp"),
    BAD_AXES("all"),
    BAD_AXES("any"),
    {"amin", ARG(0), {SHAPE(0)}, TG_ERR_SHAPE, {"left [0]", "empty", "smallest"}},
    {"amin", ARG(0), {SHAPE_OF(I64, 3)}, TG_ERR_DTYPE, {"left [3] i64"}},
    {"min", ARG(0, 1), {SHAPE(2, 0)}, TG_ERR_SHAPE, {"left [2, 0]", "axis 1", "smallest"}},
    {"min", ARG(0, 2), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"axis 2", "left [2, 3]"}},
    {"argmin", ARG(0), {SHAPE(0)}, TG_ERR_SHAPE, {"left [0]"}},
    {"argmin", ARG(-2), {SHAPE(3)}, TG_ERR_ARGUMENT, {"axis -2", "left [3]"}},
    {"logsumexp", ARG(0), {SHAPE_OF(I32, 2)}, TG_ERR_DTYPE, {"left [2] i32"}},
    BAD_AXIS("cumsum"),
    BAD_AXIS("cumprod"),
    BAD_AXIS("linear_scan"),
    {"linear_scan", ARG(0, 0), {SHAPE(2, 3), SHAPE(3)}, TG_ERR_SHAPE, {"left [2, 3]", "right [3]"}},
    {"linear_scan", ARG(0, 0), {SHAPE(2), SHAPE_OF(I32, 2)}, TG_ERR_DTYPE, {"left [2] f", "right [2] i32"}},
    {"linear_scan", ARG(0, 0), {SHAPE_OF(I64, 2), SHAPE_OF(I64, 2)}, TG_ERR_DTYPE, {"left [2] i64"}},
    BAD_AXIS("cumprod_along"),
    BAD_AXIS("cumprod_adjoint"),
    {"cumprod_along", ARG(0, 0, 0), {SHAPE(2, 3), SHAPE(3)}, TG_ERR_SHAPE, {"left [2, 3]", "right [3]"}},
    {"cumprod_adjoint", ARG(0, 0, 0), {SHAPE(2), SHAPE_OF(I32, 2)}, TG_ERR_DTYPE, {"left [2] f", "right [2] i32"}},
    {"cumprod_adjoint", ARG(0, 0, 0), {SHAPE_OF(I64, 2), SHAPE_OF(I64, 2)}, TG_ERR_DTYPE, {"left [2] i64"}},
    {"count_nonzero", ARG(0, 2), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"axis 2"}},
    {"var", ARG(0, 0, 2), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"axis 2", "left [2, 3]"}},
    {"std", ARG(0, 0, 0, 0), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"twice", "left [2, 3]"}},
    {"var", ARG(0, 0), {SHAPE_OF(I64, 2)}, TG_ERR_DTYPE, {"left [2] i64"}},
    {"norm", ARG(2, 0, 2), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"axis 2"}},
    {"norm", ARG(2, 0), {SHAPE_OF(I64, 2)}, TG_ERR_DTYPE, {"left [2] i64"}},
    {"norm", ARG(-1, 0), {SHAPE(2)}, TG_ERR_ARGUMENT, {"p is -1"}},
    {"norm", ARG(INFINITY, 0), {SHAPE(0)}, TG_ERR_SHAPE, {"empty"}},
    {"normalize", ARG(2, 0, 0), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"normalize: axis 2", "left [2, 3]"}},
    {"normalize", ARG(0, -1, 0), {SHAPE(2)}, TG_ERR_ARGUMENT, {"normalize: p is -1"}},
    {"normalize", ARG(0, 0, -1), {SHAPE(2)}, TG_ERR_ARGUMENT, {"normalize: eps", "-1"}},
    {"normalize", ARG(0, 0, INFINITY), {SHAPE(2)}, TG_ERR_ARGUMENT, {"normalize: eps", "inf"}},
    {"normalize", ARG(0, 0, 0), {SHAPE_OF(I64, 2)}, TG_ERR_DTYPE, {"normalize: "}},
};

extern const bad_table errors_reduce;
const bad_table errors_reduce = {table, COUNT(table)};
