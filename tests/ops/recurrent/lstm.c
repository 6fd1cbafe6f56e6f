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
    {"lstm_cell", NULL, {{"a8"}, {"a2"}}, OF_SUMS},
    {"lstm_cell_all", NULL, {{"a4"}, {"a1"}}, OF_SUMS},
    {"lstm_scan", NULL, {{"ab4"}, WEIGHT("41")}, .sizes = "a2b3", NO_NAN, OF_SUMS},
    {"lstm_scan_all", NULL, {{"ab8"}, WEIGHT("82"), {"a2"}, {"a2"}}, .sizes = "a2b2", SHORT, OF_SUMS},
    {"lstm_scan_cells", NULL, {{"ab4"}, WEIGHT("41"), {"a1"}}, .sizes = "a3b2", SHORT, OF_SUMS},
};

#define ONE_FORM "each input has its own shape, with two or three axes"
static const exemption exempt[] = {
    {"lstm_cell", KIND(K_SCALAR) | KINDS_BROADCAST, ONE_FORM},
    {"lstm_scan", KIND(K_SCALAR) | KINDS_BROADCAST, ONE_FORM},
};

extern const sample_set samples_lstm;
SAMPLES(lstm, EXEMPT(exempt));
