int physics_main(int argc, char **argv);
#define main physics_main
#include "examples/physics.c"

#include "tests/plans/plans.h"

/* The points are an input that requires a gradient, by which the equation is differentiated twice. */
static tg_tensor *loss_of_points(tg_model *m, tg_tensor **b, void *user) {
    (void)user;
    return tg_mean(tg_square(residual(m, b[0])));
}

static int batch(tg_tensor **b) {
    b[0] = tg_set_requires_grad(tg_uniform(TG_F64, -1, 1, 200, 2), true);
    return 1;
}
const example physics_example = {"physics", loss_of_points, NULL, batch};
