int fashion_mnist_main(int argc, char **argv);
#define main fashion_mnist_main
#include "examples/fashion_mnist.c"

#include "tests/plans/plans.h"

static int batch(tg_tensor **b) { return numbers_and_classes(b, TG_SHAPE(16, 784), 10); }
const example fashion_mnist_example = {"fashion_mnist", loss, NULL, batch};
