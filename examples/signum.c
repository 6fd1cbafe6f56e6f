/* An optimiser of your own, through the same contract as the built-in ones.
 *
 * Signum (Bernstein et al. 2018): every element moves by the same amount, against the sign of its running mean gradient,
 *     v = momentum v + (1 - momentum) g
 *     p -= lr sign(v)
 *
 * The program defines it, fits a sine with it, and exits with 1 when the fit is bad.
 */
#include <tapegrad.h>

#include <math.h>
#include <stdio.h>

/* Hyperparameters are a plain struct, described field by field: with the default that 0 stands for, and the range. */
typedef struct signum_opts {
    double momentum, weight_decay;
} signum_opts;

static const tg_hyper hypers[] = {
    {"momentum", TG_ATTR_REAL, offsetof(signum_opts, momentum), .standard = 0.9, .below = 1},
    {.name = "weight_decay", .type = TG_ATTR_REAL, .offset = offsetof(signum_opts, weight_decay)},
};

/* What is remembered of each parameter: a tensor like it, at first zero. */
static const tg_optim_moment moments[] = {{.name = "momentum_buffer"}};

/* One parameter, one step. tg_array_get and tg_array_set take care of dtypes; a rule that must be fast loops over `data`. */
static void step(const tg_optim_call *call) {
    const signum_opts *o = call->opts;
    const tg_array *p = call->param, *v = call->moment[0];
    for (int64_t i = 0; i < p->numel; i++) {
        double g = tg_array_get(call->grad, i), x = tg_array_get(p, i);
        double mean = o->momentum * tg_array_get(v, i) + (1 - o->momentum) * g;
        tg_array_set(v, i, mean);
        tg_array_set(p, i, x - call->lr * ((mean > 0) - (mean < 0) + o->weight_decay * x));
    }
}

static const tg_optim_rule signum = {
    .name = "signum",
    .formula = "v = momentum v + (1 - momentum) g; p -= lr sign(v)",
    .moments = moments,
    .n_moments = 1,
    .opts_size = sizeof(signum_opts),
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
    tg_optim *optim = tg_optim_new(m, &signum, 0.01, &(signum_opts){.weight_decay = 1e-3});
    tg_optim_group(optim, "*.bias",
                   .set = {{"weight_decay", 0}}); /* groups, schedules and files: as for any other rule */
    tg_schedule *schedule = tg_schedule_new(optim, tg_lr_cosine(1000));
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
        tg_schedule_step(schedule);
        tg_tape_rewind(mark);
    }

    /* What a checkpoint would hold: the steps and moments of each parameter. */
    for (int i = 0; i < tg_model_count(m); i++) {
        tg_optim_state s;
        tg_optim_get_state(optim, i, &s);
        printf("%-14s %lld steps, largest v %.2g\n", tg_name(tg_model_at(m, i)), (long long)s.steps,
               tg_item(tg_norm(s.moment[0], .p = INFINITY)));
    }
    tg_schedule_free(schedule), tg_optim_free(optim), tg_model_free(m);
    return error < 5e-3 && tg_error_status() == TG_OK ? 0 : 1;
}
