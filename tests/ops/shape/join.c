#include "tests/ops/samples.h"

#define FIXED(letters) .frozen = letters, .why = "the numbers fit these sizes"

static const sample rows[] = {
    {"concat", NULL, {{"ab"}, {"cb"}}, ARG(0)},
    {"concat", "axis -1", {{"ab"}, {"ac"}}, ARG(-1)},
    {"concat", "axis 1 of 3, equal shapes", {{"abc"}, {"abc"}}, ARG(1)},
    {"concat", "I64", {{"ab", TG_I64, -9, 10}, {"ab", TG_I64, -9, 10}}, ARG(0), NO_FLOATS},
    {"concat_1", NULL, {{"ab"}}, ARG(0)},
    {"concat_3", NULL, {{"ab"}, {"ac"}, {"ad"}}, ARG(1)},
    {"stack", NULL, {{"ab"}, {"ab"}}, ARG(0)},
    {"stack", "axis 1", {{"ab"}, {"ab"}}, ARG(1)},
    {"stack", "axis -1", {{"ab"}, {"ab"}}, ARG(-1)},
    {"stack", "0-d", {{""}, {""}}, ARG(0), .kind = K_SCALAR},
    {"stack_3", NULL, {{"ab"}, {"ab"}, {"ab"}}, ARG(-2)},
    {"tile", NULL, {{"ab"}}, ARG(2, 3)},
    {"tile", "fewer numbers than axes", {{"abc"}}, ARG(2)},
    {"tile", "more numbers than axes", {{"b"}}, ARG(2, 1, 2)},
    {"tile", "to nothing", {{"ab"}}, ARG(0, 2), .kind = K_EMPTY},
    {"tile", "0-d", {{""}}, ARG(3), .kind = K_SCALAR},
    {"tile", "BOOL", {{"ab", TG_BOOL}}, ARG(2, 2), NO_FLOATS},
    {"repeat", NULL, {{"ab"}}, ARG(3, 1)},
    {"repeat", "new axes", {{"ab"}}, ARG(2, 1, 2)},
    {"flip", NULL, {{"ab"}}, ARG(0)},
    {"flip", "axes 0 -1", {{"abc"}}, ARG(0, -1)},
    {"flip", "all", {{"abc"}}},
    {"roll", NULL, {{"ab"}}, ARG(1, 1)},
    {"roll", "backwards, further than the axis", {{"abc"}}, ARG(-7, 0)},
    {"flatten", NULL, {{"abc"}}, ARG(0, -1)},
    {"flatten", "the last two", {{"abc"}}, ARG(1, 2)},
    {"flatten", "0-d", {{""}}, ARG(0, -1), .kind = K_SCALAR},
    {"select", NULL, {{"ab"}}, ARG(0, 0), .nonempty = "a", .why = "there must be one to select"},
    {"select", "from the end", {{"abc"}}, ARG(-1, -1), .nonempty = "c", .why = "there must be one to select"},
    {"narrow", NULL, {{"ab"}}, ARG(1, 1, 2), FIXED("b")},
    {"narrow", "from the end", {{"ba"}}, ARG(0, -3, 3), FIXED("b")},
    {"split", NULL, {{"ab"}}, ARG(1, 1, 1, 2, 1), FIXED("b")},
    {"split", "first piece", {{"ba"}}, ARG(0, -2, 3, 0, 1), FIXED("b")},
    {"chunk", NULL, {{"ab"}}, ARG(0, 1, 2)},
    {"chunk", "the last, smaller one", {{"da"}}, ARG(1, 0, 2), FIXED("d")},
};

#define BY_POSITION "inputs stand side by side: shapes do not broadcast"
static const exemption exempt[] = {
    {"concat", KINDS_BROADCAST, BY_POSITION},
};

SAMPLES(join, EXEMPT(exempt));
