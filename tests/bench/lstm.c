/* lstm: 32 sequences of 32 steps of 64 numbers, hidden size 128, mean squared error, Adam 1e-3; and the same with a
 * GRU.
 * Floor: the products with both weights, 2 in out flops a step and weight, once forward and twice back, but for the
 * gradient of the input; Adam's pass. */
#include "bench.h"

enum { BATCH = SHARE(32), STEPS = 32, IN = 64, HIDDEN = 128 };

#define FLOPS(gates) (2.0 * BATCH * STEPS * (gates)*HIDDEN * (2 * IN + 3 * HIDDEN))
#define BYTES(gates) ADAM_BYTES((gates)*HIDDEN *(IN + HIDDEN + 2.0))

static tg_tensor *lstm_loss(tg_model *m, tg_tensor *x, tg_tensor *y) {
    return tg_mse_loss(tg_nn_lstm(m, "lstm", x, HIDDEN), y);
}
static tg_tensor *gru_loss(tg_model *m, tg_tensor *x, tg_tensor *y) {
    return tg_mse_loss(tg_nn_gru(m, "gru", x, HIDDEN), y);
}

static void *make(loss_fn *loss) {
    tg_tensor *x = tg_normal(TG_F32, 0, 1, BATCH, STEPS, IN),
              *y = tg_normal(TG_F32, 0, 1, BATCH, STEPS, HIDDEN);
    training *t = training_make(x, y, loss);
    if (t) t->optim = tg_adam(t->model, 1e-3);
    return t;
}
static void *lstm_make(void) { return make(lstm_loss); }
static void *gru_make(void) { return make(gru_loss); }

static const workload rows[] = {
    {"lstm", lstm_make, training_step, training_end, FLOPS(4), BYTES(4)},
    {"gru", gru_make, training_step, training_end, FLOPS(3), BYTES(3)},
};

extern const workload_table lstm_workloads;
WORKLOADS(lstm_workloads, rows);
