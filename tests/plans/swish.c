int custom_op_main(void);
#define main custom_op_main
#include "examples/custom_op.c"

#include "tests/plans/plans.h"

/* An op of the user's own, which has a forward and a rule, and is called as it is; once in a walk that is recorded. */
static tg_tensor *loss(tg_model *m, tg_tensor **b, void *user) {
    (void)user;
    tg_tensor *z = swish(tg_nn_linear(m, "hidden", b[0], 16), 1.5), *w = tg_model_find(m, "hidden.weight"), *g;
    tg_tensor *miss = tg_cross_entropy(tg_nn_linear(m, "out", z, 3), b[1]);
    tg_grad(1, &miss, 1, &w, &g, .create_graph = true);
    return tg_add(miss, tg_sum(tg_square(g)));
}

static int batch(tg_tensor **b) { return numbers_and_classes(b, TG_SHAPE(8, 6), 3); }
const example swish_example = {"custom_op", loss, NULL, batch};
