int vae_main(int argc, char **argv);
#define main vae_main
#include "examples/vae.c"

#include "tests/plans/plans.h"

static int batch(tg_tensor **b) { return b[0] = tg_rand(TG_F32, 8, 784), 1; }
const example vae_example = {"vae", loss, NULL, batch};
