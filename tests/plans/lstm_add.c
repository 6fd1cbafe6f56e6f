int lstm_add_main(int argc, char **argv);
#define main lstm_add_main
#include "examples/lstm_add.c"

#include "tests/plans/plans.h"

static int batch(tg_tensor **b) {
    b[0] = tg_to(tg_mul_scalar(tg_rand(TG_F32, 8, LENGTH), (double)strlen(characters)), TG_I64);
    return 1;
}
const example lstm_add_example = {"lstm_add", loss, NULL, batch};
