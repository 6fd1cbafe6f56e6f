/* Bad input of the elementwise functions. */
#include "tests/ops/cases.h"

/* As BAD_FLOAT and BAD_PAIR, of calls with numbers. */
#define BAD_TYPE(name, ...) \
    {name, ARG(__VA_ARGS__), {SHAPE_OF(I32, 4)}, TG_ERR_DTYPE, {"left [4] i32", "f32"}}
#define BAD_SHAPES(name) \
    {name, {0}, {SHAPE(2, 3), SHAPE(2, 2)}, TG_ERR_SHAPE, {"left [2, 3] f", "right [2, 2] f"}}
#define BAD_NUMBERS(name) {name, {0}, {SHAPE_OF(BOOL, 2), SHAPE_OF(BOOL, 2)}, TG_ERR_DTYPE, {"left [2] bool"}}
#define REFUSED(name, text, ...) {name, ARG(__VA_ARGS__), {SHAPE(3)}, TG_ERR_ARGUMENT, {"left [3] f", text}}

static const bad table[] = {
    BAD_PAIR("add"),
    BAD_PAIR("sub"),
    BAD_PAIR("mul"),
    BAD_PAIR("div"),
    BAD_PAIR("eq"),
    BAD_PAIR("ne"),
    BAD_PAIR("lt"),
    BAD_PAIR("le"),
    BAD_PAIR("gt"),
    BAD_PAIR("ge"),
    {"add", {0}, {SHAPE_OF(BOOL, 2), SHAPE_OF(BOOL, 2)}, TG_ERR_DTYPE, {"left [2] bool"}},
    {"mul", {0}, {SHAPE_OF(U8, 2), SHAPE_OF(U8, 2)}, TG_ERR_DTYPE, {"left [2] u8"}},
    {"add", {0}, {SHAPE(0), SHAPE(2)}, TG_ERR_SHAPE, {"left [0]", "right [2]"}},
    {"affine", ARG(2, 1), {SHAPE_OF(BOOL, 2)}, TG_ERR_DTYPE, {"left [2] bool"}},


    {"where", {0}, {SHAPE(2), SHAPE(2), SHAPE(2)}, TG_ERR_DTYPE, {"left [2] f", "bool"}},
    {"where", {0}, {SHAPE_OF(BOOL, 2), SHAPE(2), SHAPE(3)}, TG_ERR_SHAPE, {"right [2] f", "third [3] f"}},
    {"where", {0}, {SHAPE_OF(BOOL, 3), SHAPE(2), SHAPE(2)}, TG_ERR_SHAPE, {"left [3] bool", "right [2] f"}},
    {"where", {0}, {SHAPE_OF(BOOL, 2), SHAPE(2), SHAPE_OF(I32, 2)}, TG_ERR_DTYPE,
     {"right [2] f", "third [2] i32"}},
    {"masked_fill", ARG(1), {SHAPE(2), SHAPE(2)}, TG_ERR_DTYPE, {"right [2] f", "bool"}},
    {"masked_fill", ARG(1), {SHAPE(2), SHAPE_OF(BOOL, 3)}, TG_ERR_SHAPE, {"left [2] f", "right [3] bool"}},
    {"masked_fill", ARG(1), {SHAPE(2), SHAPE_OF(BOOL, 3, 2)}, TG_ERR_SHAPE,
     {"left [2] f", "right [3, 2] bool"}},
    BAD_FLOAT("sinc"),
    BAD_TYPE("clamp", 0, 1), BAD_TYPE("nan_to_num", 0, 1, 2), BAD_TYPE("leaky_relu", 0.1), BAD_TYPE("elu", 1),
    BAD_TYPE("celu", 1), BAD_TYPE("softplus_beta", 1, 20), BAD_TYPE("hardtanh", -1, 1),
    BAD_TYPE("pow_scalar", 2), BAD_TYPE("polygamma", 1), BAD_TYPE("sinc_derivative", 1),
    REFUSED("clamp", "NaN", NAN, 1), REFUSED("clamp", "NaN", 0, NAN), REFUSED("celu", "alpha", 0),
    REFUSED("softplus_beta", "beta", 0, 20), REFUSED("hardtanh", "lo 1", 1, 1),
    REFUSED("hardtanh", "hi 0", 2, 0), REFUSED("polygamma", "-1", -1), REFUSED("polygamma", "21", 21),
    BAD_TYPE("sigmoid_derivative", 1), BAD_TYPE("gaussian_derivative", 1, 1),
    REFUSED("sigmoid_derivative", "21", 21), REFUSED("gaussian_derivative", "-1", 1, -1),
    REFUSED("gaussian_derivative", "scale 0", 0, 1), REFUSED("gaussian_derivative", "scale nan", NAN, 1),
    REFUSED("sinc_derivative", "-1", -1), REFUSED("sinc_derivative", "21", 21),
    BAD_PAIR("pow"), BAD_PAIR("maximum"), BAD_PAIR("minimum"), BAD_PAIR("fmod"), BAD_PAIR("remainder"),
    BAD_PAIR("atan2"), BAD_PAIR("hypot"), BAD_PAIR("xlogy"), BAD_PAIR("logaddexp"), BAD_PAIR("half_square_over"), BAD_PAIR("copysign"),
    BAD_NUMBERS("maximum"), BAD_NUMBERS("minimum"), BAD_NUMBERS("pow"), BAD_NUMBERS("fmod"),
    {"maximum", {0}, {SHAPE_OF(I32, 2), SHAPE_OF(I64, 2)}, TG_ERR_DTYPE, {"left [2] i32", "right [2] i64"}},
    BAD_SHAPES("logical_and"), BAD_SHAPES("logical_or"), BAD_SHAPES("logical_xor"),
    {"addcmul", ARG(1), {SHAPE(2, 3), SHAPE(2, 3), SHAPE(2)}, TG_ERR_SHAPE, {"mul", "right [2, 3] f"}},
    {"addcdiv", ARG(1), {SHAPE(2, 3), SHAPE(2, 3), SHAPE(2)}, TG_ERR_SHAPE, {"div", "third [2] f"}},
    {"lerp", {0}, {SHAPE(2, 3), SHAPE(2, 3), SHAPE(2)}, TG_ERR_SHAPE, {"third [2] f"}},
    {"glu", ARG(1), {SHAPE(2, 3)}, TG_ERR_SHAPE, {"glu: axis 1 of size 3 has no halves", "left [2, 3]"}},
    {"glu", ARG(2), {SHAPE(2, 4)}, TG_ERR_ARGUMENT, {"glu: axis 2", "left [2, 4]"}},
    {"glu", ARG(0), {SHAPE_OF(I32, 2)}, TG_ERR_DTYPE, {"glu: "}},
    {"prelu", {0}, {SHAPE(2, 3), SHAPE(2)}, TG_ERR_SHAPE, {"prelu: ", "one a channel of axis 1", "right [2]"}},
    {"prelu", {0}, {SHAPE(3), SHAPE(3)}, TG_ERR_SHAPE, {"prelu: ", "right [3]"}},
    {"prelu", {0}, {SHAPE(2, 3), SHAPE(3, 1)}, TG_ERR_SHAPE, {"prelu: ", "right [3, 1]"}},
    {"prelu", {0}, {SHAPE(2, 3), SHAPE_OF(I32, 3)}, TG_ERR_DTYPE, {"prelu: "}},
    {"prelu", {0}, {SHAPE_OF(I64, 2, 3), SHAPE_OF(I64, 1)}, TG_ERR_DTYPE, {"prelu: ", "left [2, 3] i64"}},
};

extern const bad_table errors_elementwise;
const bad_table errors_elementwise = {table, COUNT(table)};
