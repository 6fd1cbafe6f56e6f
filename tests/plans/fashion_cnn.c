int fashion_cnn_main(int argc, char **argv);
#define main fashion_cnn_main
#include "examples/fashion_cnn.c"

#include "tests/plans/plans.h"

static int batch(tg_tensor **b) { return numbers_and_classes(b, TG_SHAPE(2, 1, 28, 28), 10); }
const example fashion_cnn_example = {"fashion_cnn", loss, NULL, batch};
