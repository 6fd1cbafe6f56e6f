/* Rows of pixel_shuffle and pixel_unshuffle, compositions. */
#include "tests/ops/samples.h"

static const sample rows[] = {
    {"pixel_shuffle", NULL, {{"a8bc"}}, ARG(2), .sizes = "a2b2c3"},
    {"pixel_shuffle", "one image", {{"9bc"}}, ARG(3), .sizes = "b2c1"},
    {"pixel_shuffle", "by 1, two axes of images", {{"adebc"}}, ARG(1), .sizes = "a2b2c2d2e1"},
    {"pixel_shuffle", "I32", {{"4bc", TG_I32, -9, 10}}, ARG(2), NO_FLOATS},
    {"pixel_unshuffle", NULL, {{"ab46"}}, ARG(2), .sizes = "a2b2"},
    {"pixel_unshuffle", "one image", {{"b36"}}, ARG(3), .sizes = "b2"},
    {"pixel_unshuffle", "U8", {{"b42", TG_U8, 0, 99}}, ARG(2), NO_FLOATS},
};

extern const sample_set samples_pixel_shuffle;
SAMPLES(pixel_shuffle);
