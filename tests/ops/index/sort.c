#include "tests/ops/samples.h"

#define NAN_MOVES "NaN goes to the end, not where the number stood: index/exact.c"
#define NO_NAN .skip = KIND(K_NAN), .why = NAN_MOVES
#define NO_TIES .skip = KIND(K_NAN) | KIND(K_EXPANDED), .why = "repeated rows tie; " NAN_MOVES

/* descending, axis; smallest, axis, k */
static const sample rows[] = {
    {"sort", NULL, {DISTINCT("ab")}, ARG(0, -1), NO_NAN},
    {"sort", "descending, axis 0", {DISTINCT("ab")}, ARG(1, 0), NO_TIES},
    {"sort", "axis 1 of 3", {DISTINCT("abc")}, ARG(0, 1), NO_NAN},
    {"sort",
     "longer than a run",
     {DISTINCT("ab")},
     ARG(1, 1),
     .sizes = "a2b9",
     .skip = KIND(K_NAN),
     .why = NAN_MOVES},
    {"sort", "I64", {{"ab", TG_I64, -9, 10}}, ARG(1, -1), NO_FLOATS},
    {"sort", "I32", {{"ab", TG_I32, -9, 10}}, ARG(0, -1), NO_FLOATS},
    {"sort", "U8", {{"ab", TG_U8, 0, 4}}, ARG(0, 0), NO_FLOATS},
    {"sort", "BOOL", {{"ab", TG_BOOL}}, ARG(1, 0), NO_FLOATS},
    {"sort_index", NULL, {{"ab", .distinct = true, .constant = true}}, ARG(0, -1), NO_NAN},
    {"topk",
     NULL,
     {DISTINCT("ab")},
     ARG(0, -1, 2),
     .frozen = "b",
     .skip = KIND(K_NAN),
     .why = "two of at least two; " NAN_MOVES},
    {"topk",
     "smallest, axis 0",
     {DISTINCT("ba")},
     ARG(1, 0, 3),
     .frozen = "b",
     .skip = KIND(K_NAN) | KIND(K_EXPANDED),
     .why = "three of at least three; repeated rows tie; " NAN_MOVES},
    {"topk_index",
     NULL,
     {{"ab", .distinct = true, .constant = true}},
     ARG(0, -1, 2),
     .frozen = "b",
     .skip = KIND(K_NAN),
     .why = "two of at least two; " NAN_MOVES},
};

static const exemption exempt[] = {
    {"sort", KIND(K_SCALAR), "a 0-d tensor has no axis to name: index/errors.c"},
    {"sort", KIND(K_NAN), NAN_MOVES},
};

SAMPLES(sort, EXEMPT(exempt));
