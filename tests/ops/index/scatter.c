#include "tests/ops/samples.h"

#define INDEX(shape, letter) \
    { shape, TG_I64, .index_of = letter }
#define INDEX32(shape, letter) \
    { shape, TG_I32, .index_of = letter }
#define CHOOSES(letters) .nonempty = letters, .why = "an index needs an element to choose"

static const sample rows[] = {
    {"scatter", NULL, {{"ab"}, INDEX("cb", 'a'), {"cb"}}, ARG(0), CHOOSES("a")},
    {"scatter", "equal shapes", {{"ab"}, INDEX("ab", 'b'), {"ab"}}, ARG(1), CHOOSES("b")},
    {"scatter", "axis -1 of 3, I32", {{"abc"}, INDEX32("abd", 'c'), {"abd"}}, ARG(-1), CHOOSES("c")},
    {"scatter",
     "I64",
     {{"ab", TG_I64, -9, 10}, INDEX("cb", 'a'), {"cb", TG_I64, -9, 10}},
     ARG(0),
     .nonempty = "a",
     .skip = KIND(K_LARGE) | KIND(K_SMALL) | KIND(K_NAN) | KIND(K_INF),
     .why = "an index needs an element to choose; no float input"},
    {"take_along_dim", NULL, {{"ab"}, INDEX("ad", 'b')}, ARG(1), CHOOSES("b")},
    {"take_along_dim", "index broadcasts", {{"abc"}, INDEX("1d1", 'b')}, ARG(-2), CHOOSES("b")},
    {"take_along_dim", "x broadcasts", {{"1b"}, INDEX("ad", 'b')}, ARG(1), CHOOSES("b")},
    {"one_hot",
     NULL,
     {INDEX("ab", 'a')},
     ARG(SIZE('a')),
     .nonempty = "a",
     .skip = KIND(K_LARGE) | KIND(K_SMALL) | KIND(K_NAN) | KIND(K_INF),
     .why = "of no classes there is none"},
    {"one_hot", "0-d", {{"", TG_I64, 0, 3}}, ARG(3)},
};

static const exemption exempt[] = {
    {"scatter", KIND(K_SCALAR), "a 0-d tensor has no axis to name: index/errors.c"},
    {"scatter", KINDS_BROADCAST, "indices go by position: shapes do not broadcast"},
};

SAMPLES(scatter, EXEMPT(exempt));
