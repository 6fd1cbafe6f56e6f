int signum_main(void);
#define main signum_main
#include "examples/signum.c"

#include "tests/plans/plans.h"

/* An optimiser of the user's own. */
static tg_optim *optim(tg_model *m) {
    tg_optim *o = tg_optim_new(m, &signum, 0.01, &(signum_opts){.weight_decay = 1e-3});
    tg_optim_group(o, "*.bias", .set = {{"weight_decay", 0}});
    return o;
}

static tg_tensor *loss(tg_model *m, tg_tensor **b, void *user) {
    (void)user;
    return tg_mse_loss(net(m, b[0]), tg_sin(b[0]));
}

static int batch(tg_tensor **b) { return b[0] = tg_uniform(TG_F32, -3, 3, 64, 1), 1; }
const example signum_example = {"signum", loss, optim, batch};
