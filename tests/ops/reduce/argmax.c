#include "tests/ops/samples.h"

static const sample rows[] = {
    {"max", NULL, {DISTINCT("ab")}, ARG(0, -1), NOT_EMPTY("b")},
    {"max", "axis 1, keepdim", {DISTINCT("abc")}, ARG(1, 1), NOT_EMPTY("b")},
    {"max_index", NULL, {{"ab", .distinct = true, .constant = true}}, ARG(0, -1), NOT_EMPTY("b")},
    {"argmax", NULL, {DISTINCT("ab")}, ARG(-1), NOT_EMPTY("b")},
    {"argmax", "axis 1", {DISTINCT("abc")}, ARG(1), NOT_EMPTY("b")},
    {"min", NULL, {DISTINCT("ab")}, ARG(0, -1), NOT_EMPTY("b")},
    {"min", "axis 1, keepdim", {DISTINCT("abc")}, ARG(1, 1), NOT_EMPTY("b")},
    {"min_index", NULL, {{"ab", .distinct = true, .constant = true}}, ARG(0, -1), NOT_EMPTY("b")},
    {"argmin", NULL, {DISTINCT("ab")}, ARG(-1), NOT_EMPTY("b")},
    {"argmin", "axis 1", {DISTINCT("abc")}, ARG(1), NOT_EMPTY("b")},
};

#define NO_AXIS "a 0-d tensor has no axis to name: reduce/errors.c"
static const exemption exempt[] = {
    {"max", KIND(K_SCALAR), NO_AXIS},
    {"argmax", KIND(K_SCALAR), NO_AXIS},
    {"min", KIND(K_SCALAR), NO_AXIS},
    {"argmin", KIND(K_SCALAR), NO_AXIS},
};

SAMPLES(argmax, EXEMPT(exempt));
