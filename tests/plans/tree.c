int tree_main(int argc, char **argv);
#define main tree_main
#include "examples/tree.c"

#include "tests/plans/plans.h"

/* Always the same expressions: another one is another program, which a plan would record anew. */
static tg_tensor *loss_of_some(tg_model *m, tg_tensor **b, void *user) {
    static const char *const text[] = {"(3+(2*(4-9)))", "((7-1)*(5+5))", "(0*8)"};
    tg_tensor *root[3];
    (void)user;
    for (int i = 0; i < 3; i++) {
        const char *s = text[i];
        root[i] = vector(m, &s);
    }
    return tg_cross_entropy(tg_nn_linear(m, "value", tg_concat_with(0, 3, root), MODULUS), b[0]);
}

static int batch(tg_tensor **b) {
    b[0] = tg_to(tg_mul_scalar(tg_rand(TG_F32, 3), MODULUS), TG_I64);
    return 1;
}
const example tree_example = {"tree", loss_of_some, NULL, batch};
