/* The examples that are nothing but a main: one layer. */
#include "tests/plans/plans.h"

static tg_optim *sgd(tg_model *m) { return tg_sgd(m, 0.1); }

static tg_tensor *squares(tg_model *m, tg_tensor **b, void *user) {
    (void)user;
    return tg_mse_loss(tg_nn_linear(m, "rent", b[0], 1), b[1]);
}
static int rents(tg_tensor **b) {
    return b[0] = tg_randn(TG_F32, 100, 3), b[1] = tg_randn(TG_F32, 100, 1), 2;
}
const example linear_example = {"linear_regression", squares, sgd, rents};

static tg_tensor *odds(tg_model *m, tg_tensor **b, void *user) {
    (void)user;
    return tg_binary_cross_entropy_with_logits(tg_nn_linear(m, "passed", b[0], 1), b[1]);
}
static int exams(tg_tensor **b) {
    return b[0] = tg_randn(TG_F32, 140, 2), b[1] = tg_round(tg_rand(TG_F32, 140, 1)), 2;
}
const example logistic_example = {"logistic_regression", odds, sgd, exams};
