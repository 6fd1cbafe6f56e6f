/* Training 2N steps equals N steps, save, load in a new process, N steps: the same bits, for each kind of optimiser, with
 * schedules, dropout, batch_norm, a shuffling loader and its transform.
 * usage: resume [KIND whole|first|second FILE]; without arguments it runs itself for every kind and compares. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <tapegrad.h>
#include <unistd.h>

enum {
    STEPS = 13,
    BATCH = 8,
    EXAMPLES = 52
}; /* 7 batches an epoch: it is left in the middle of the second */

static tg_optim *sgd(tg_model *m) { return tg_sgd(m, 0.1); }
static tg_optim *momentum(tg_model *m) { return tg_sgd(m, 0.05, .momentum = 0.9); }
static tg_optim *nesterov(tg_model *m) {
    return tg_sgd(m, 0.05, .momentum = 0.9, .nesterov = true, .weight_decay = 0.01);
}
static tg_optim *adam(tg_model *m) { return tg_adam(m, 0.01); }
static tg_optim *adamw(tg_model *m) { return tg_adam(m, 0.01, .weight_decay = 0.1, .decoupled = true); }

static tg_optim *dampened(tg_model *m) { return tg_sgd(m, 0.05, .momentum = 0.9, .dampening = 0.5); }
static tg_optim *amsgrad(tg_model *m) { return tg_adam(m, 0.01, .amsgrad = true); }
static tg_optim *adamw_itself(tg_model *m) { return tg_adamw(m, 0.01); }
static tg_optim *adamax(tg_model *m) { return tg_adamax(m, 0.01); }
static tg_optim *rmsprop(tg_model *m) { return tg_rmsprop(m, 0.003, .centered = true, .momentum = 0.5); }
static tg_optim *adagrad(tg_model *m) {
    return tg_adagrad(m, 0.05, .lr_decay = 0.01, .initial_accumulator_value = 0.1);
}
static tg_optim *adadelta(tg_model *m) { return tg_adadelta(m, 1); }
static tg_optim *lion(tg_model *m) { return tg_lion(m, 0.003); }
static tg_optim *muon(tg_model *m) {
    tg_optim *o = tg_muon(m, 0.01);
    tg_optim_group(o, "*.bias", .skip = true), tg_optim_group(o, "bn.*", .skip = true);
    return o;
}
static tg_optim *lbfgs(tg_model *m) { return tg_lbfgs(m, 0.1, .max_iter = 3, .history_size = 5); }
static tg_optim *wolfe(tg_model *m) {
    return tg_lbfgs(m, 1, .max_iter = 2, .history_size = 40, .strong_wolfe = true);
}
static tg_optim *grouped(tg_model *m) {
    tg_optim *o = tg_adam(m, 0.01, .weight_decay = 0.1);
    tg_optim_group(o, "*.bias", .lr = 0.02, .set = {{"weight_decay", 0}, {"amsgrad", 1}});
    tg_optim_group(o, "out.*", .lr_factor = 0.5, .set = {{"beta2", 0.9}});
    return o;
}

/* A rule of one's own: p -= lr sign(v), v = 0.9 v + g. */
static void own_step(const tg_optim_call *c) {
    for (int64_t i = 0; i < c->param->numel; i++) {
        double v = 0.9 * tg_array_get(c->moment[0], i) + tg_array_get(c->grad, i);
        tg_array_set(c->moment[0], i, v);
        tg_array_set(c->param, i, tg_array_get(c->param, i) - c->lr * ((v > 0) - (v < 0)));
    }
}
static const tg_optim_moment own_moments[] = {{.name = "direction"}};
static const tg_optim_rule own_rule = {.name = "own", .moments = own_moments, .n_moments = 1, .step = own_step};
static tg_optim *own(tg_model *m) { return tg_optim_new(m, &own_rule, 0.003, NULL); }

static tg_optim *(*const kinds[])(tg_model *) = {sgd,      momentum, nesterov,     adam,   adamw,   own,
                                                 dampened, amsgrad,  adamw_itself, adamax, rmsprop, adagrad,
                                                 adadelta, lion,     muon,         lbfgs,  wolfe,   grouped};
enum { KINDS = sizeof kinds / sizeof *kinds };

static tg_schedule *plan_of(int kind, tg_optim *o) {
    switch (kind % 3) {
    case 0:
        return tg_schedule_new(o, tg_lr_linear(5), tg_lr_cosine(30), tg_lr_step(4, .chained = true));
    case 1:
        return tg_schedule_new(o, tg_lr_one_cycle(0.05, 2 * STEPS, .fixed_momentum = kinds[kind] == wolfe));
    default:
        return tg_schedule_new(o, tg_lr_linear(3), tg_lr_plateau(1, .factor = 0.7, .cooldown = 2));
    }
}

/* Noise on the examples. */
static tg_status augment(tg_tensor **batch, int n, tg_rng *rng, void *user) {
    (void)n, (void)rng, (void)user;
    return tg_add_(batch[0], tg_randn_like(batch[0]), 0.1);
}

static tg_tensor *loss_of(tg_model *m, tg_tensor *x, tg_tensor *y) {
    x = tg_tanh(tg_nn_batch_norm(m, "bn", tg_nn_linear(m, "fc1", x, 12)));
    return tg_cross_entropy(tg_nn_linear(m, "out", tg_nn_dropout(m, x, 0.3), 3), y);
}

/* One batch, as often as a rule asks for its loss. */
typedef struct example {
    tg_model *m;
    tg_tensor **batch;
} example;
static tg_tensor *loss_of_example(void *user) {
    const example *e = user;
    return loss_of(e->m, e->batch[0], e->batch[1]);
}

static void train(const tg_training *run, int steps, double *done) {
    tg_tensor *batch[2];
    for (int i = 0; i < steps && tg_error_status() == TG_OK; i++) {
        tg_mark mark = tg_tape_mark();
        while (!tg_loader_next(run->loader, batch) && tg_error_status() == TG_OK) continue;
        bool searches = tg_optim_rule_of(run->optim)->search;
        example e = {run->model, batch};
        double metric = 0;
        tg_tensor *loss = searches ? NULL : loss_of_example(&e);
        if (searches)
            tg_optim_step_closure(run->optim, loss_of_example, &e, &metric);
        else if (tg_backward(loss) == TG_OK && tg_optim_step(run->optim) == TG_OK)
            metric = tg_item(loss);
        if (tg_error_status() == TG_OK) tg_schedule_step_metric(run->schedule, metric);
        tg_tape_rewind(mark);
        *done += 1;
    }
}

static uint64_t hash_of(uint64_t h, const tg_tensor *t) {
    const unsigned char *p = tg_data(t);
    for (int64_t i = 0; p && i < tg_numel(t) * (int64_t)tg_dtype_size(tg_dtype_of(t)); i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

static int part(int kind, const char *what, const char *file) {
    tg_rng data = {.seed = 4};
    tg_tensor *x = tg_zeros(TG_F32, EXAMPLES, 5), *y = tg_zeros(TG_I64, EXAMPLES);
    for (int i = 0; i < 5 * EXAMPLES; i++) tg_array_set(tg_array_of(x), i, tg_rng_normal(&data));
    for (int i = 0; i < EXAMPLES; i++) tg_array_set(tg_array_of(y), i, (double)tg_rng_below(&data, 3));
    double done = 0;
    tg_seed(strcmp(what, "second") == 0 ? 99 : 7);
    tg_model *m = tg_model_new(strcmp(what, "second") == 0 ? 99 : 1);
    tg_training run = {.model = m, .optim = kinds[kind](m), .numbers = (tg_number[]){{"done", &done}, {0}}};
    run.schedule = plan_of(kind, run.optim);
    run.loader = tg_loader_new(2, ((tg_tensor *[]){x, y}), .batch = BATCH, .shuffle = true, .seed = 3,
                               .transform = augment, .prefetch = kind % 2);
    if (strcmp(what, "second") == 0) tg_training_load(&run, file);
    train(&run, strcmp(what, "whole") == 0 ? 2 * STEPS : STEPS, &done);
    if (strcmp(what, "first") == 0) tg_training_save(&run, file);
    uint64_t h = hash_of(hash_of(UINT64_C(0xcbf29ce484222325), tg_model_find(m, "fc1.weight")),
                         tg_model_find(m, "out.bias"));
    h = hash_of(hash_of(h, tg_model_find(m, "bn.running_var")), tg_scalar(TG_F64, done));
    if (tg_error_status() != TG_OK)
        fprintf(stderr, "%s\n", tg_error_message());
    else
        printf("%016" PRIx64 "\n", h);
    tg_loader_free(run.loader), tg_schedule_free(run.schedule), tg_optim_free(run.optim), tg_model_free(m);
    return tg_error_status() != TG_OK;
}

/* What a process of its own prints. */
static int process(const char *self, int kind, const char *what, const char *file, char line[40]) {
    char command[1200];
    snprintf(command, sizeof command, "'%s' %d %s '%s'", self, kind, what, file);
    FILE *f = popen(command, "r");
    line[0] = '\0';
    if (!f || !fgets(line, 40, f)) fprintf(stderr, "no result of: %s\n", command);
    return f ? pclose(f) : 1;
}

int main(int argc, char **argv) {
    if (argc == 4) return part(atoi(argv[1]), argv[2], argv[3]);
    char file[64], whole[40], first[40], second[40];
    int failed = 0;
    snprintf(file, sizeof file, "resume-%ld.safetensors", (long)getpid());
    for (int k = 0; k < KINDS; k++) {
        int status = process(argv[0], k, "whole", file, whole) | process(argv[0], k, "first", file, first) |
                     process(argv[0], k, "second", file, second);
        bool same = status == 0 && strcmp(whole, second) == 0 && strcmp(whole, first) != 0;
        if (!same) fprintf(stderr, "kind %d: whole %s, first %s, second %s\n", k, whole, first, second);
        failed += !same;
    }
    remove(file);
    printf("%d kinds, %d failed\n", KINDS, failed);
    return failed != 0;
}
