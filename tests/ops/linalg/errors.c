/* Bad input on square matrices. */
#include "tests/ops/cases.h"

#define BAD_SQUARE(name) \
    {name, {0}, {SHAPE(2, 3)}, TG_ERR_SHAPE, {"square", "left [2, 3] f"}}, \
        {name, {0}, {SHAPE(3)}, TG_ERR_SHAPE, {"square", "left [3] f"}}, \
        {name, {0}, {SCALAR(1)}, TG_ERR_SHAPE, {"square", "left [] f"}}, \
        {name, {0}, {SHAPE_OF(I64, 2, 2)}, TG_ERR_DTYPE, {"left [2, 2] i64"}}
#define BAD_SYSTEM(name) \
    {name, {0}, {SHAPE(2, 3), SHAPE(2)}, TG_ERR_SHAPE, {"square", "left [2, 3] f"}}, \
        {name, {0}, {SHAPE(2), SHAPE(2)}, TG_ERR_SHAPE, {"square", "left [2] f"}}, \
        {name, {0}, {SHAPE(2, 2), SHAPE(3)}, TG_ERR_SHAPE, {"2 rows", "left [2, 2] f", "right [3] f"}}, \
        {name, {0}, {SHAPE(2, 2), SHAPE(3, 2)}, TG_ERR_SHAPE, {"2 rows", "left [2, 2] f", "right [3, 2] f"}}, \
        {name, {0}, {SHAPE(3, 2, 2), SHAPE(4, 2)}, TG_ERR_SHAPE, {"left [3, 2, 2] f", "right [4, 2] f"}}, \
        {name, {0}, {SHAPE(2, 2), SCALAR(1)}, TG_ERR_SHAPE, {"left [2, 2] f", "right [] f"}}, \
        {name, {0}, {SHAPE(3, 2, 2), SHAPE(2, 2, 1)}, TG_ERR_SHAPE, {"batch", "left [3, 2, 2]", "right [2, 2, 1]"}}, \
        {name, {0}, {SHAPE(0, 0), SHAPE(0, 3000000000)}, TG_ERR_SHAPE, {"3000000000 is too large", "right [0, 3000000000]"}}, \
        {name, {0}, {SHAPE_OF(I32, 2, 2), SHAPE(2)}, TG_ERR_DTYPE, {"left [2, 2] i32"}}, \
        {name, {0}, {SHAPE(2, 2), SHAPE_OF(BOOL, 2)}, TG_ERR_DTYPE, {"right [2] bool"}}

/* Three of them, the middle one of rank 1. */
#define STACK \
    { \
        1 + 3, {3, 2, 2}, { 4, 1, 1, 2, 1, 2, 2, 4, 3, 0, 0, 3 } \
    }

static const bad table[] = {
    BAD_SQUARE("cholesky"), BAD_SQUARE("inverse"), BAD_SQUARE("det"), BAD_SQUARE("cofactor"), BAD_SQUARE("slogdet"),
    BAD_SYSTEM("solve"), BAD_SYSTEM("triangular_solve"),

    {"cholesky", ARG(0), {MATRIX(2, 2, 1, 2, 2, 1)}, TG_ERR_ARGUMENT, {"matrix 0", "left [2, 2] f", "definite"}},
    {"cholesky", ARG(1), {MATRIX(2, 2, 1, 2, 2, 1)}, TG_ERR_ARGUMENT, {"matrix 0", "left [2, 2] f"}},
    {"cholesky", ARG(0), {MATRIX(1, 1, 0)}, TG_ERR_ARGUMENT, {"matrix 0", "left [1, 1] f"}},
    {"cholesky", ARG(0), {MATRIX(1, 1, NAN)}, TG_ERR_ARGUMENT, {"matrix 0", "left [1, 1] f"}},
    {"cholesky", ARG(0), {MATRIX(2, 2, 1, NAN, 0, 1)}, TG_ERR_ARGUMENT, {"matrix 0", "left [2, 2] f"}},
    {"cholesky", ARG(0), {MATRIX(2, 2, 1, INFINITY, INFINITY, 1)}, TG_ERR_ARGUMENT, {"matrix 0"}},
    {"cholesky", ARG(0), {STACK}, TG_ERR_ARGUMENT, {"matrix 1", "left [3, 2, 2] f", "definite"}},
    {"solve", {0}, {STACK, SHAPE(2)}, TG_ERR_ARGUMENT, {"matrix 1", "left [3, 2, 2] f", "singular"}},
    {"solve", {0}, {SHAPE(2, 2), SHAPE(3, 2, 1)}, TG_ERR_ARGUMENT, {"matrix 0", "left [2, 2] f", "singular"}},
    {"inverse", {0}, {STACK}, TG_ERR_ARGUMENT, {"matrix 1", "left [3, 2, 2] f", "singular"}},
};

extern const bad_table errors_linalg;
const bad_table errors_linalg = {table, COUNT(table)};
