int char_gpt_main(int argc, char **argv);
#define main char_gpt_main
#include "examples/char_gpt.c"

#include "tests/plans/plans.h"

enum { VOCABULARY = 20 };

static tg_tensor *loss_of_ids(tg_model *m, tg_tensor **b, void *user) {
    (void)user;
    tg_tensor *x = tg_narrow(b[0], 1, 0, CONTEXT), *y = tg_narrow(b[0], 1, 1, CONTEXT);
    return tg_cross_entropy(tg_transpose(gpt(m, x, VOCABULARY, NULL), 1, 2), y);
}

static int batch(tg_tensor **b) {
    b[0] = tg_to(tg_mul_scalar(tg_rand(TG_F32, 2, CONTEXT + 1), VOCABULARY), TG_I64);
    return 1;
}
const example char_gpt_example = {"char_gpt", loss_of_ids, NULL, batch};
