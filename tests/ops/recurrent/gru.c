/* Sizes of gates are 3 or 4 times the hidden size, so that is a number here, not a letter; test_kernels.c goes
 * through the sizes around the vector width. */
#include "tests/ops/samples.h"

#define FROM_ZEROS "the first state of zeros times NaN is NaN, though it depends on nothing"
#define NO_NAN .skip = KIND(K_NAN), .why = FROM_ZEROS
#define SHORT .frozen = "b", .why = "the first row has the long sequences"
/* Weights small enough that a long sequence does not grow; the products with them are sums. */
#define WEIGHT(shape) \
    { \
        shape, TG_F32, -0.5, 0.5, { -5, 5 } \
    }

static const sample rows[] = {
    {"gru_cell", NULL, {{"a6"}, {"a6"}, {"a2"}}, OF_SUMS},
    {"gru_cell_all", NULL, {{"a3"}, {"a3"}, {"a1"}}, OF_SUMS},
    {"gru_scan", NULL, {{"ab3"}, WEIGHT("31")}, .sizes = "a2b3", NO_NAN, OF_SUMS},
    {"gru_scan_all", NULL, {{"ab6"}, WEIGHT("62"), {"6"}, {"a2"}}, .sizes = "a2b2", SHORT, OF_SUMS},
    {"gru_scan_states", NULL, {{"ab9"}, WEIGHT("93"), {"9"}, {"a3"}}, .sizes = "a2b2", SHORT, OF_SUMS},
};

#define ONE_FORM "each input has its own shape, with two or three axes"
static const exemption exempt[] = {
    {"gru_cell", KIND(K_SCALAR) | KINDS_BROADCAST, ONE_FORM},
    {"gru_scan", KIND(K_SCALAR) | KINDS_BROADCAST, ONE_FORM},
};

extern const sample_set samples_gru;
SAMPLES(gru, EXEMPT(exempt));
