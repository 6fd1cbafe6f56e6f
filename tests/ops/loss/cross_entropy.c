#include "tests/ops/samples.h"

#define WIDE .large = {-1000, 1000}
#define CLASSES(type, shape, letter) {shape, TG_##type, .index_of = letter}
#define CHOOSES(letters) .nonempty = letters, .why = "a class needs an element to choose"

static const sample rows[] = {
    {"softmax_cross_entropy", NULL, {{"ab", WIDE}, CLASSES(I64, "a", 'b')}, OF_SUMS, CHOOSES("b")},
    {"softmax_cross_entropy", "one row", {{"a", WIDE}, CLASSES(I64, "", 'a')}, OF_SUMS, .nonempty = "a",
     .skip = KIND(K_EXPANDED), .why = "a class needs an element to choose; the gradient of equal logits adds up to 0"},
    {"softmax_cross_entropy", "of 3 axes, I32", {{"abc", WIDE}, CLASSES(I32, "ab", 'c')}, OF_SUMS, CHOOSES("c")},
};

static const exemption exempt[] = {
    {"softmax_cross_entropy", KIND(K_SCALAR), "a 0-d tensor has no axis of classes: loss/errors.c"},
    {"softmax_cross_entropy", KINDS_BROADCAST, "a class a row, by position"},
};

SAMPLES(cross_entropy, EXEMPT(exempt));
