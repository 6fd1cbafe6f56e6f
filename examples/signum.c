/* An optimiser of your own, through the same contract as the built-in ones.
 *
 * RMSprop (Tieleman and Hinton, 2012): each gradient is divided by the root of a running mean of its squares,
 *     v = alpha v + (1 - alpha) g^2
 *     p -= lr g / (sqrt(v) + eps)
 *
 * The program defines it, fits a sine with it, and exits with 1 when the fit is bad.
 */
#include <tapegrad.h>

#include <math.h>
#include <stdio.h>

/* Hyperparameters are a plain struct, described field by field: with the default that 0 stands for, and the range. */
typedef struct rmsprop_opts {
    double alpha, eps;
} rmsprop_opts;

static const tg_hyper hypers[] = {
    {"alpha", TG_ATTR_REAL, offsetof(rmsprop_opts, alpha), .standard = 0.99, .below = 1},
    {"eps", TG_ATTR_REAL, offsetof(rmsprop_opts, eps), .standard = 1e-8},
};

/* What is remembered of each parameter: a tensor like it, at first zero. */
static const tg_optim_moment moments[] = {{.name = "square_avg"}};

/* One parameter, one step. tg_array_get and tg_array_set take care of dtypes; a rule that must be fast loops over `data`. */
static void step(const tg_optim_call *call) {
    const rmsprop_opts *o = call->opts;
    const tg_array *p = call->param, *v = call->moment[0];
    for (int64_t i = 0; i < p->numel; i++) {
        double g = tg_array_get(call->grad, i);
        double mean = o->alpha * tg_array_get(v, i) + (1 - o->alpha) * g * g;
        tg_array_set(v, i, mean);
        tg_array_set(p, i, tg_array_get(p, i) - call->lr * g / (sqrt(mean) + o->eps));
    }
}

static const tg_optim_rule rmsprop = {
    .name = "rmsprop",
    .formula = "v = alpha v + (1 - alpha) g^2; p -= lr g / (sqrt(v) + eps)",
    .moments = moments,
    .n_moments = 1,
    .opts_size = sizeof(rmsprop_opts),
    .hypers = hypers,
    .n_hypers = 2,
    .step = step,
};

static tg_tensor *net(tg_model *m, tg_tensor *x) {
    x = tg_tanh(tg_nn_linear(m, "hidden", x, 16));
    return tg_nn_linear(m, "out", x, 1);
}

int main(void) {
    tg_model *m = tg_model_new(1);
    tg_optim *optim = tg_optim_new(m, &rmsprop, 0.02, &(rmsprop_opts){.alpha = 0.95});
    tg_optim_print(stdout, optim);
    double error = 1;
    for (int i = 1; i <= 1000; i++) {
        tg_mark mark = tg_tape_mark();
        tg_tensor *x = tg_reshape(tg_linspace(TG_F32, -3, 3, 64), 64, 1);
        tg_tensor *loss = tg_mse_loss(net(m, x), tg_sin(x));
        tg_backward(loss);
        if (tg_optim_step(optim) != TG_OK) return fprintf(stderr, "%s\n", tg_error_message()), 1;
        error = tg_item(loss);
        if (i % 250 == 0) printf("step %4d   mean squared error %.5f\n", i, error);
        tg_optim_set_lr(optim, 0.02 * (1 - i / 1000.0));
        tg_tape_rewind(mark);
    }

    /* What a checkpoint would hold: the steps and moments of each parameter. */
    for (int i = 0; i < tg_model_count(m); i++) {
        tg_optim_state s;
        tg_optim_get_state(optim, i, &s);
        printf("%-14s %lld steps, largest v %.2g\n", tg_name(tg_model_at(m, i)), (long long)s.steps,
               tg_item(tg_amax(s.moment[0])));
    }
    tg_optim_free(optim), tg_model_free(m);
    return error < 5e-3 && tg_error_status() == TG_OK ? 0 : 1;
}
