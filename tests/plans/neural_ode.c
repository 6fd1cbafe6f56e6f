int neural_ode_main(int argc, char **argv);
#define main neural_ode_main
#include "examples/neural_ode.c"

#include "tests/plans/plans.h"

/* The network by Runge and Kutta's rule of order 4 with a fixed step: the example's solver chooses its steps by the numbers, so
 * that no two are the same, and a plan refuses it (main.c). */
static tg_tensor *advance_by(tg_model *m, tg_tensor *y, double h) {
    tg_tensor *a = network(m, y), *b = network(m, tg_add(y, tg_mul_scalar(a, h / 2)));
    tg_tensor *c = network(m, tg_add(y, tg_mul_scalar(b, h / 2))),
              *d = network(m, tg_add(y, tg_mul_scalar(c, h)));
    return tg_add(y, tg_mul_scalar(tg_add(tg_add(a, d), tg_mul_scalar(tg_add(b, c), 2)), h / 6));
}

static tg_tensor *loss_of_path(tg_model *m, tg_tensor **b, void *user) {
    tg_tensor *y = b[0];
    (void)user;
    for (int i = 0; i < 5; i++) y = advance_by(m, y, 0.1);
    return tg_mse_loss(y, b[1]);
}

static int batch(tg_tensor **b) { return b[0] = tg_randn(TG_F64, 20, 2), b[1] = tg_randn(TG_F64, 20, 2), 2; }
const example neural_ode_example = {"neural_ode", loss_of_path, NULL, batch};
