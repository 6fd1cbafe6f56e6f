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
    {"rnn_scan", NULL, {{"ab1"}, WEIGHT("11")}, ARG(0), .sizes = "a2b3", NO_NAN, OF_SUMS},
    {"rnn_scan_state", NULL, {{"abc"}, WEIGHT("cc"), {"ac"}}, ARG(0), .sizes = "a2b2c3", SHORT, OF_SUMS},
    {"rnn_scan", "relu", {{"abc"}, WEIGHT("cc")}, ARG(1), .sizes = "a2b3c2", .skip = KIND(K_NAN),
     .why = FROM_ZEROS "; the first row has the long sequences", .frozen = "b", OF_SUMS},
    {"rnn_scan_state", "relu", {{"abc"}, WEIGHT("cc"), {"ac"}}, ARG(1), .sizes = "a2b2c3", .frozen = "b",
     .skip = KIND(K_NAN), .why = "a NaN times a weight of a unit that relu has shut is NaN; long sequences as above", OF_SUMS},
};

#define ONE_FORM "each input has its own shape, with two or three axes"
static const exemption exempt[] = {
    {"rnn_scan", KIND(K_SCALAR) | KINDS_BROADCAST, ONE_FORM},
};

extern const sample_set samples_rnn;
SAMPLES(rnn, EXEMPT(exempt));
