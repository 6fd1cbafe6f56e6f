#include "tests/ops/samples.h"

#define INDEX(shape, letter) {shape, TG_I64, .index_of = letter}
#define INDEX32(shape, letter) {shape, TG_I32, .index_of = letter}
#define CHOOSES(letters) .nonempty = letters, .why = "an index needs an element to choose"

static const sample rows[] = {
    {"gather", NULL, {{"ab"}, INDEX("cb", 'a')}, ARG(0), CHOOSES("a")},
    {"gather", "axis 1", {{"ab"}, INDEX("ad", 'b')}, ARG(1), CHOOSES("b")},
    {"gather", "axis -1 of 3, I32", {{"abc"}, INDEX32("abd", 'c')}, ARG(-1), CHOOSES("c")},
    {"gather", "fewer rows than x", {{"ab"}, INDEX("21", 'b')}, ARG(1), .frozen = "ab",
     .why = "the index has sizes of its own, which x must reach"},
    {"scatter_add", NULL, {{"ab"}, INDEX("cb", 'a'), {"cb"}}, ARG(0), CHOOSES("a"), OF_SUMS},
    {"scatter_add", "equal shapes", {{"ab"}, INDEX("ab", 'b'), {"ab"}}, ARG(1), CHOOSES("b"), OF_SUMS},
    {"scatter_add", "axis -1 of 3, I32", {{"abc"}, INDEX32("abd", 'c'), {"abd"}}, ARG(-1), CHOOSES("c"),
     OF_SUMS},
    {"index_select", NULL, {{"ab"}, INDEX("d", 'a')}, ARG(0), CHOOSES("a")},
    {"index_select", "axis -1", {{"ab"}, INDEX("d", 'b')}, ARG(-1), CHOOSES("b")},
    {"index_select", "axis 1 of 3, I32", {{"abc"}, INDEX32("d", 'b')}, ARG(1), CHOOSES("b")},
};

#define BY_POSITION "indices go by position: shapes do not broadcast"
#define NO_AXIS "a 0-d tensor has no axis to name: index/errors.c"
static const exemption exempt[] = {
    {"gather", KINDS_BROADCAST, BY_POSITION},      {"gather", KIND(K_SCALAR), NO_AXIS},
    {"scatter_add", KINDS_BROADCAST, BY_POSITION}, {"scatter_add", KIND(K_SCALAR), NO_AXIS},
    {"index_select", KINDS_BROADCAST, BY_POSITION}, {"index_select", KIND(K_SCALAR), NO_AXIS},
};

SAMPLES(gather, EXEMPT(exempt));
