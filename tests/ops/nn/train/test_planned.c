/* Trainings through a plan (autograd/plan/plan.h): what models, losses and optimisers make of a run is equal to the bit to
 * what the eager loop makes of it. */
#include "tests/ops/nn/helpers.h"

#include <stdio.h>
#include <unistd.h>

enum { RUNS = 12 };

/* ---- a training, eager or planned ---- */

typedef struct trainer trainer;
typedef struct program {
    const char *name;
    tg_tensor *(*loss)(tg_model *m, tg_tensor *x, tg_tensor *y);
    tg_optim *(*optim)(tg_model *m); /* NULL: sgd with momentum */
    tg_tensor *(*x)(int i), *(*y)(int i);
    void (*within)(trainer *t);        /* between tg_backward and tg_optim_step */
    void (*before)(trainer *t, int i); /* outside of the step, before run i */
    int recorded, undone;              /* of the plan; 0: 1 recording, none undone */
    bool step_outside; /* the step of the plan ends with tg_backward; every second run is one of the optimiser */
} program;

struct trainer {
    const program *p;
    tg_model *model;
    tg_optim *optim, *second;
    tg_schedule *schedule;
    double loss[RUNS];
    tg_rng drawn; /* where the default stream is at the end */
    tg_plan_stats stats;
};

static tg_tensor *step(tg_tensor *const *in, void *user) {
    trainer *t = user;
    tg_tensor *loss = t->p->loss(t->model, in[0], in[1]);
    tg_backward(loss);
    if (t->p->within) t->p->within(t);
    if (t->p->step_outside) return loss;
    tg_optim_step(t->optim);
    if (t->second) tg_optim_step(t->second);
    return loss;
}

static tg_optim *momentum(tg_model *m) { return tg_sgd(m, 0.05, .momentum = 0.9, .weight_decay = 0.01); }

static trainer trainer_make(const program *p) {
    trainer t = {.p = p, .model = tg_model_new(3)};
    t.optim = p->optim ? p->optim(t.model) : momentum(t.model);
    tg_seed(11);
    expect_ok();
    return t;
}

static void trainer_end(trainer *t) {
    tg_schedule_free(t->schedule), tg_optim_free(t->second), tg_optim_free(t->optim), tg_model_free(t->model);
    expect_ok();
}

static void run(trainer *t, tg_plan *plan, int i) {
    tg_mark mark = tg_tape_mark();
    tg_tensor *in[] = {t->p->x(i), t->p->y(i)};
    if (t->p->before) t->p->before(t, i);
    tg_tensor *loss = plan ? tg_plan_run_with(plan, 2, in) : step(in, t);
    ck_assert_msg(tg_error_status() == TG_OK, "%s, %s run %d: %s", t->p->name, plan ? "planned" : "eager", i,
                  tg_error_message());
    t->loss[i] = tg_item(loss);
    if (t->p->step_outside && i % 2) tg_optim_step(t->optim);
    tg_tape_rewind(mark);
}

static trainer train(const program *p, bool planned) {
    trainer t = trainer_make(p);
    tg_plan *plan = planned ? tg_plan_new(step, &t) : NULL;
    for (int i = 0; i < RUNS; i++) run(&t, plan, i);
    t.drawn = *tg_default_rng();
    t.stats = plan ? tg_plan_stats_of(plan) : t.stats;
    tg_plan_free(plan);
    return t;
}

/* ---- equal to the bit ---- */

static void expect_same(const char *who, const char *what, const tg_tensor *a, const tg_tensor *b) {
    ck_assert_msg(!a == !b, "%s: only one has %s", who, what);
    if (!a) return;
    size_t n, m;
    void *x = bytes_of(a, &n), *y = bytes_of(b, &m);
    ck_assert_msg(n == m && memcmp(x, y, n) == 0, "%s: %s differs", who, what);
    free(x), free(y);
}

static void expect_same_moments(const char *who, const tg_optim *a, const tg_optim *b, int i) {
    tg_optim_state s, r;
    tg_optim_get_state(a, i, &s), tg_optim_get_state(b, i, &r);
    ck_assert_msg(s.steps == r.steps, "%s: %lld steps of parameter %d, not %lld", who, (long long)s.steps, i,
                  (long long)r.steps);
    for (int k = 0; k < TG_MAX_MOMENTS; k++) expect_same(who, "a moment", s.moment[k], r.moment[k]);
}

static void expect_same_model(const char *who, const tg_model *a, const tg_model *b) {
    ck_assert_int_eq(tg_model_count(a), tg_model_count(b));
    ck_assert_int_eq(tg_model_buffer_count(a), tg_model_buffer_count(b));
    for (int i = 0; i < tg_model_count(a); i++) {
        const tg_tensor *p = tg_model_at(a, i), *q = tg_model_at(b, i);
        expect_same(who, tg_name(p), p, q);
        ck_assert_msg(tg_has_grad(p) == tg_has_grad(q), "%s: only one has a gradient of %s", who, tg_name(p));
        if (tg_has_grad(p)) expect_same(who, "a gradient", tg_grad_of(p), tg_grad_of(q));
    }
    for (int i = 0; i < tg_model_buffer_count(a); i++)
        expect_same(who, tg_name(tg_model_buffer_at(a, i)), tg_model_buffer_at(a, i), tg_model_buffer_at(b, i));
}

static void expect_same_trainers(const trainer *a, const trainer *b) {
    const char *who = a->p->name;
    for (int i = 0; i < RUNS; i++)
        ck_assert_msg(memcmp(&a->loss[i], &b->loss[i], sizeof(double)) == 0,
                      "%s: loss %d is %.17g, not %.17g", who, i, a->loss[i], b->loss[i]);
    expect_same_model(who, a->model, b->model);
    for (int i = 0; i < tg_model_count(a->model); i++) {
        expect_same_moments(who, a->optim, b->optim, i);
        if (a->second) expect_same_moments(who, a->second, b->second, i);
    }
    ck_assert_msg(a->drawn.seed == b->drawn.seed && a->drawn.next == b->drawn.next, "%s: the default stream",
                  who);
}

static void check_program(const program *p) {
    trainer a = train(p, true), b = train(p, false);
    expect_same_trainers(&a, &b);
    int recorded = p->recorded ? p->recorded : 1;
    ck_assert_msg(a.stats.recorded == recorded, "%s: %lld recordings, not %d", p->name,
                  (long long)a.stats.recorded, recorded);
    ck_assert_msg(a.stats.undone == p->undone, "%s: %lld runs undone, not %d", p->name,
                  (long long)a.stats.undone, p->undone);
    ck_assert_msg(a.stats.replayed == RUNS - 2 * recorded - p->undone &&
                      a.stats.replayed + a.stats.eager == RUNS,
                  "%s: %lld runs replayed", p->name, (long long)a.stats.replayed);
    trainer_end(&a), trainer_end(&b);
}

/* ---- data: numbers and classes of run i ---- */

static tg_tensor *numbers(tg_shape shape, int i) {
    tg_rng rng = tg_rng_derive(5, (uint64_t)i, (uint64_t)shape.rank);
    tg_tensor *x = tg_zeros_with(TG_F32, shape);
    float *v = tg_data_mut(x);
    for (int64_t k = 0; k < tg_numel(x); k++) v[k] = (float)tg_rng_normal(&rng);
    return x;
}

static tg_tensor *classes(tg_shape shape, uint64_t below, int i) {
    tg_rng rng = tg_rng_derive(6, (uint64_t)i, below);
    tg_tensor *x = tg_zeros_with(TG_I64, shape);
    int64_t *v = tg_data_mut(x);
    for (int64_t k = 0; k < tg_numel(x); k++) v[k] = (int64_t)tg_rng_below(&rng, below);
    return x;
}

static tg_tensor *rows(int i) { return numbers(TG_SHAPE(8, 6), i); }
static tg_tensor *three(int i) { return classes(TG_SHAPE(8), 3, i); }
static tg_tensor *targets(int i) { return numbers(TG_SHAPE(8, 3), i + 100); }
static tg_tensor *shares(int i) { return tg_softmax(targets(i), 1); }
static tg_tensor *signs(int i) { return tg_affine(tg_to(classes(TG_SHAPE(8, 3), 2, i), TG_F32), 2, -1); }
static tg_tensor *images(int i) { return numbers(TG_SHAPE(4, 2, 8, 8), i); }
static tg_tensor *small_images(int i) { return numbers(TG_SHAPE(4, 2, 4, 4), i); }
static tg_tensor *four(int i) { return classes(TG_SHAPE(4), 3, i); }
static tg_tensor *sequences(int i) { return numbers(TG_SHAPE(3, 5, 8), i); }
static tg_tensor *wide(int i) { return numbers(TG_SHAPE(3, 5, 8), i + 50); }
static tg_tensor *tokens(int i) { return classes(TG_SHAPE(3, 5), 7, i); }
static tg_tensor *next_tokens(int i) { return classes(TG_SHAPE(3, 5), 7, i + 1); }

/* ---- an MLP, with each optimiser ---- */

static tg_tensor *mlp(tg_model *m, tg_tensor *x) {
    return tg_nn_linear(m, "out", tg_tanh(tg_nn_linear(m, "hidden", x, 10)), 3);
}
static tg_tensor *mlp_loss(tg_model *m, tg_tensor *x, tg_tensor *y) { return tg_cross_entropy(mlp(m, x), y); }

#define OPTIM(name, ...) \
    static tg_optim *name##_optim(tg_model *m) { return __VA_ARGS__; }
OPTIM(plain, tg_sgd(m, 0.1))
OPTIM(nesterov, tg_sgd(m, 0.1, .momentum = 0.9, .nesterov = true, .maximize = true))
OPTIM(adam, tg_adam(m, 0.01, .weight_decay = 0.1))
OPTIM(adamw, tg_adamw(m, 0.01))
OPTIM(amsgrad, tg_adam(m, 0.01, .amsgrad = true))
OPTIM(adamax, tg_adamax(m, 0.01))
OPTIM(rmsprop, tg_rmsprop(m, 0.01, .centered = true, .momentum = 0.9))
OPTIM(adagrad, tg_adagrad(m, 0.1, .lr_decay = 0.1, .initial_accumulator_value = 0.2))
OPTIM(adadelta, tg_adadelta(m, 1))
OPTIM(lion, tg_lion(m, 0.01, .weight_decay = 0.1))

static tg_optim *muon_optim(tg_model *m) {
    tg_optim *o = tg_muon(m, 0.02);
    tg_optim_group(o, "*.bias", .skip = true);
    return o;
}

/* The biases, which Muon leaves to another. */
static void second_adam(trainer *t, int i) {
    if (i == 0) t->second = tg_adam(t->model, 0.01);
}

static tg_optim *groups_optim(tg_model *m) {
    tg_optim *o = tg_adamw(m, 0.01);
    tg_optim_group(o, "*.bias", .set = {{"weight_decay", 0}});
    tg_optim_group(o, "out.*", .lr_factor = 0.1);
    return o;
}

static void clip_norm(trainer *t) { tg_clip_grad_norm(t->model, 0.1); }
static void clip_value(trainer *t) { tg_clip_grad_value(t->model, 0.01); }

static void schedule(trainer *t, int i) {
    if (i == 0) t->schedule = tg_schedule_new(t->optim, tg_lr_linear(4), tg_lr_cosine(8));
    if (i > 0) tg_schedule_step(t->schedule);
}

/* A rate and a decay set by hand: the next step uses them, and the recording holds. */
static void set_rates(trainer *t, int i) {
    if (i == 6) tg_optim_set_lr(t->optim, 0.002), tg_optim_set(t->optim, "weight_decay", 0.2);
}

static void set_group(trainer *t, int i) {
    if (i == 6) tg_optim_group(t->optim, "*.bias", .lr = 0.5, .set = {{"beta1", 0.5}});
}
static void add_layer(trainer *t, int i) {
    if (i == 6) tg_model_param(t->model, "unused", TG_F32, TG_SHAPE(3), (tg_init){0});
}
static void set_moments(trainer *t, int i) {
    tg_optim_state s;
    if (i != 6) return;
    tg_optim_get_state(t->optim, 0, &s);
    s.steps = 100, s.moment[0] = tg_mul_scalar(s.moment[0], 2), s.moment[1] = tg_mul_scalar(s.moment[1], 3);
    tg_optim_set_state(t->optim, 0, &s);
}

static void freeze(trainer *t, int i) {
    if (i == 5) tg_model_freeze(t->model, "hidden.*");
}
static void freeze_and_thaw(trainer *t, int i) {
    freeze(t, i);
    if (i == 9) tg_model_freeze(t->model, "hidden.*", .thaw = true);
}

/* ---- losses ---- */

#define LOSS(name, ...) \
    static tg_tensor *name##_of(tg_model *m, tg_tensor *x, tg_tensor *y) { \
        tg_tensor *z = mlp(m, x); \
        return __VA_ARGS__; \
    }
LOSS(mse, tg_mse_loss(z, y))
LOSS(l1, tg_l1_loss(z, y))
LOSS(huber, tg_huber_loss(z, y, .delta = 0.5))
LOSS(smooth, tg_smooth_l1_loss(z, y, .beta = 0.5))
LOSS(divergence, tg_kl_div(tg_log_softmax(z, 1), y, .reduction = TG_REDUCTION_BATCH_MEAN))
LOSS(hinge, tg_hinge_loss(z, y))
LOSS(hinge_embedding, tg_hinge_embedding_loss(z, y))
LOSS(gaussian, tg_gaussian_nll_loss(z, y, tg_exp(z)))
LOSS(cosine, tg_mean(tg_affine(tg_cosine_similarity(z, y, 1), -1, 1)))
LOSS(binary, tg_binary_cross_entropy(tg_sigmoid(z), y))
LOSS(logits, tg_binary_cross_entropy_with_logits(z, y))
LOSS(smoothed, tg_cross_entropy(z, y, .label_smoothing = 0.1, .ignore_index = 2))
LOSS(weighted, tg_cross_entropy(z, y, .weight = tg_from(TG_F32, ((float[]){1, 2, 0.5F}), 3)))
LOSS(likelihood, tg_nll_loss(tg_log_softmax(z, 1), y))
LOSS(distribution, tg_cross_entropy(z, y))
LOSS(summed, tg_mse_loss(z, y, .reduction = TG_REDUCTION_SUM))

/* In run 7 one square is infinite, and the mean is found in another way. */
static tg_tensor *overflowing(int i) { return i == 7 ? tg_full(TG_F32, 3e19, 8, 3) : targets(i); }
static tg_optim *careful_optim(tg_model *m) { return tg_lion(m, 0.01); }

/* ---- layers ---- */

static tg_tensor *cnn(tg_model *m, tg_tensor *x, tg_tensor *y) {
    x = tg_nn_batch_norm(m, "norm", tg_nn_conv2d(m, "conv", x, 6, .kernel = {3, 3}, .padding = {1, 1}));
    x = tg_max_pool2d(tg_relu(x), .kernel = {2, 2});
    x = tg_nn_group_norm(m, "groups", tg_nn_conv2d(m, "conv2", x, 4, .kernel = {3, 3}, .stride = {2, 2}), 2);
    return tg_cross_entropy(tg_nn_linear(m, "out", tg_flatten(x, 1, -1), 3), y);
}
/* With fewer places in an image, and more numbers in all, batch_norm takes another way. */
static tg_tensor *narrow(tg_model *m, tg_tensor *x, tg_tensor *y) {
    x = tg_relu(tg_nn_batch_norm(m, "norm", tg_nn_conv2d(m, "conv", x, 80, .kernel = {3, 3})));
    return tg_cross_entropy(tg_nn_linear(m, "out", tg_flatten(x, 1, -1), 3), y);
}
static void evaluate(trainer *t, int i) {
    if (i == 5) tg_model_set_training(t->model, false);
    if (i == 9) tg_model_set_training(t->model, true); /* the first recording is still there */
}
static void evaluate_often(trainer *t, int i) { tg_model_set_training(t->model, i % 2); }

static tg_tensor *dropped(tg_model *m, tg_tensor *x, tg_tensor *y) {
    return mlp_loss(tg_nn_scope(m, "inside"), tg_nn_dropout(m, x, 0.3), y);
}
static tg_tensor *lstm(tg_model *m, tg_tensor *x, tg_tensor *y) {
    return tg_mse_loss(tg_nn_lstm(m, "lstm", x, 8, .layers = 2, .dropout = 0.2), y);
}
static tg_tensor *gru(tg_model *m, tg_tensor *x, tg_tensor *y) {
    return tg_mse_loss(tg_nn_gru(m, "gru", x, 4, .bidirectional = true), y);
}
static tg_tensor *rnn(tg_model *m, tg_tensor *x, tg_tensor *y) {
    const int64_t length[] = {5, 2, 4};
    return tg_mse_loss(tg_nn_rnn(m, "rnn", x, 8, .lengths = tg_from(TG_I64, length, 3)), y);
}
static tg_tensor *attention(tg_model *m, tg_tensor *x, tg_tensor *y) {
    return tg_mse_loss(tg_nn_multihead_attention(m, "attention", x, 2, .causal = true, .dropout = 0.1), y);
}
static tg_tensor *padded_attention(tg_model *m, tg_tensor *x, tg_tensor *y) {
    const int64_t length[] = {5, 2, 4};
    return tg_mse_loss(tg_nn_multihead_attention(m, "attention", x, 2, .lengths = tg_from(TG_I64, length, 3),
                                                 .rotary = true),
                       y);
}
static tg_tensor *gpt(tg_model *m, tg_tensor *x, tg_tensor *y) {
    tg_tensor *h = tg_nn_embedding(m, "token", x, 7, 8);
    h = tg_add(h, tg_nn_embedding(m, "place", tg_arange(TG_I64, 0, 5, 1), 5, 8));
    h = tg_nn_transformer_block(m, "block", h, 2, .causal = true, .dropout = 0.1);
    h = tg_nn_linear(m, "out", tg_nn_layer_norm(m, "norm", h), 7, .no_bias = true);
    return tg_cross_entropy(tg_transpose(h, 1, 2), y);
}
static tg_tensor *llama(tg_model *m, tg_tensor *x, tg_tensor *y) {
    tg_tensor *h = tg_nn_embedding(m, "token", x, 7, 8);
    h = tg_nn_transformer_block(m, "block", h, 2, .causal = true, .rms_norm = true, .gated = true,
                                .rotary = true, .activation = tg_silu, .no_bias = true);
    return tg_cross_entropy(tg_transpose(tg_nn_linear(m, "out", tg_nn_rms_norm(m, "norm", h), 7), 1, 2), y);
}
static tg_tensor *prelu(tg_model *m, tg_tensor *x, tg_tensor *y) {
    return mlp_loss(m, tg_nn_prelu(m, "prelu", x, .by_channel = true), y);
}

/* Lengths that differ from run to run: an input, as the numbers are. */
static tg_tensor *lengths(int i) { return tg_add(classes(TG_SHAPE(3), 5, i), tg_scalar(TG_I64, 1)); }
static tg_tensor *masked_rnn(tg_model *m, tg_tensor *x, tg_tensor *y) {
    tg_tensor *h = tg_nn_gru(m, "gru", x, 4, .bidirectional = true, .lengths = y);
    return tg_mean(tg_square(tg_nn_lstm(m, "lstm", h, 4, .lengths = y)));
}
static tg_tensor *masked_attention(tg_model *m, tg_tensor *x, tg_tensor *y) {
    return tg_mean(tg_square(tg_nn_transformer_block(m, "block", x, 2, .lengths = y)));
}

/* One weight embeds and says what comes next. */
static tg_tensor *tied(tg_model *m, tg_tensor *x, tg_tensor *y) {
    tg_tensor *h = tg_tanh(tg_nn_linear(m, "hidden", tg_nn_embedding(m, "token", x, 7, 8), 8));
    return tg_cross_entropy(tg_transpose(tg_linear(h, tg_model_find(m, "token.weight")), 1, 2), y);
}

/* The step has a part that works on half of the batch, and gradients of it first. */
static tg_tensor *in_two_parts(tg_model *m, tg_tensor *x, tg_tensor *y) {
    tg_tensor *first = mlp_loss(m, tg_narrow(x, 0, 0, 4), tg_narrow(y, 0, 0, 4));
    tg_backward(tg_mul_scalar(first, 0.5));
    return tg_mul_scalar(mlp_loss(m, tg_narrow(x, 0, 4, 4), tg_narrow(y, 0, 4, 4)), 0.5);
}

static tg_tensor *clears_first(tg_model *m, tg_tensor *x, tg_tensor *y) {
    tg_model_zero_grad(m);
    return mlp_loss(m, x, y);
}

/* Token 0 is padding: its row keeps its place, and sums do not see it. */
static tg_tensor *padding(tg_model *m, tg_tensor *x, tg_tensor *y) {
    tg_tensor *seen = tg_unsqueeze(tg_ne(x, tg_scalar(TG_I64, 0)), 2);
    tg_tensor *h = tg_where(seen, tg_nn_embedding(m, "token", x, 7, 8), tg_scalar(TG_F32, 0));
    return tg_cross_entropy(tg_nn_linear(m, "out", tg_sum(h, .axes = TG_SHAPE(1)), 7), tg_select(y, 1, 0));
}

static tg_tensor *inner(tg_tensor *const *in, void *model) {
    return tg_dropout(tg_tanh(tg_nn_linear(model, "inner", in[0], 6)), 0.2, true);
}
static tg_tensor *checkpointed(tg_model *m, tg_tensor *x, tg_tensor *y) {
    return mlp_loss(m, tg_checkpoint(inner, m, 1, &x), y);
}

/* The norm of the gradient counts: a walk that is recorded. */
static tg_tensor *penalised(tg_model *m, tg_tensor *x, tg_tensor *y) {
    tg_tensor *loss = mlp_loss(m, x, y), *w = tg_model_find(m, "hidden.weight"), *g;
    tg_grad(1, &loss, 1, &w, &g, .create_graph = true);
    return tg_add(loss, tg_mul_scalar(tg_sum(tg_square(g)), 0.1));
}

static tg_tensor *ragged(int i) { return numbers(TG_SHAPE(i % 3 == 2 ? 5 : 8, 6), i); }
static tg_tensor *ragged_three(int i) { return classes(TG_SHAPE(i % 3 == 2 ? 5 : 8), 3, i); }

static void save_and_load(trainer *t, int i) {
    static const char path[] = "/tmp/tapegrad-planned.safetensors";
    if (i == 4) tg_model_save(t->model, path);
    if (i == 8) tg_model_load(t->model, path), unlink(path);
}

#define ON(X, Y) .x = (X), .y = (Y)
static const program programs[] = {
    {"sgd", mlp_loss, plain_optim, ON(rows, three)},
    {"momentum", mlp_loss, momentum, ON(rows, three)},
    {"nesterov", mlp_loss, nesterov_optim, ON(rows, three)},
    {"adam", mlp_loss, adam_optim, ON(rows, three)},
    {"adamw", mlp_loss, adamw_optim, ON(rows, three)},
    {"amsgrad", mlp_loss, amsgrad_optim, ON(rows, three)},
    {"adamax", mlp_loss, adamax_optim, ON(rows, three)},
    {"rmsprop", mlp_loss, rmsprop_optim, ON(rows, three)},
    {"adagrad", mlp_loss, adagrad_optim, ON(rows, three)},
    {"adadelta", mlp_loss, adadelta_optim, ON(rows, three)},
    {"lion", mlp_loss, lion_optim, ON(rows, three)},
    {"muon", mlp_loss, muon_optim, ON(rows, three), .before = second_adam},
    {"groups", mlp_loss, groups_optim, ON(rows, three)},
    {"groups of which the base changes", mlp_loss, groups_optim, ON(rows, three), .before = set_rates},
    {"clipped norm", mlp_loss, adam_optim, ON(rows, three), .within = clip_norm},
    {"clipped values", mlp_loss, adam_optim, ON(rows, three), .within = clip_value},
    {"schedule", mlp_loss, adamw_optim, ON(rows, three), .before = schedule},
    {"schedule of groups", mlp_loss, groups_optim, ON(rows, three), .before = schedule},
    {"another group", mlp_loss, adam_optim, ON(rows, three), .before = set_group},
    {"another layer", mlp_loss, adam_optim, ON(rows, three), .before = add_layer},
    {"other moments", mlp_loss, adam_optim, ON(rows, three), .before = set_moments},
    {"frozen", mlp_loss, adamw_optim, ON(rows, three), .before = freeze, .recorded = 2},
    {"frozen and thawed", mlp_loss, adamw_optim, ON(rows, three), .before = freeze_and_thaw, .recorded = 2},
    {"loaded", mlp_loss, adamw_optim, ON(rows, three), .before = save_and_load},
    {"mse", mse_of, NULL, ON(rows, targets)},
    {"mse, infinite", mse_of, careful_optim, ON(rows, overflowing), .undone = 1},
    {"sum of squares", summed_of, NULL, ON(rows, targets)},
    {"l1", l1_of, NULL, ON(rows, targets)},
    {"huber", huber_of, NULL, ON(rows, targets)},
    {"smooth l1", smooth_of, NULL, ON(rows, targets)},
    {"kl", divergence_of, NULL, ON(rows, shares)},
    {"hinge", hinge_of, NULL, ON(rows, signs)},
    {"hinge embedding", hinge_embedding_of, NULL, ON(rows, signs)},
    {"gaussian", gaussian_of, adam_optim, ON(rows, targets)},
    {"cosine", cosine_of, NULL, ON(rows, targets)},
    {"binary", binary_of, NULL, ON(rows, shares)},
    {"binary logits", logits_of, NULL, ON(rows, shares)},
    {"smoothed", smoothed_of, NULL, ON(rows, three)},
    {"weighted", weighted_of, NULL, ON(rows, three)},
    {"nll", likelihood_of, NULL, ON(rows, three)},
    {"probabilities", distribution_of, NULL, ON(rows, shares)},
    {"cnn", cnn, adam_optim, ON(images, four)},
    {"small images", narrow, adam_optim, ON(small_images, four)},
    {"cnn, evaluated", cnn, adam_optim, ON(images, four), .before = evaluate, .recorded = 2},
    {"dropout", dropped, adam_optim, ON(rows, three)},
    {"dropout, evaluated", dropped, adam_optim, ON(rows, three), .before = evaluate, .recorded = 2},
    {"dropout, evaluated often", dropped, adam_optim, ON(rows, three), .before = evaluate_often, .recorded = 2},
    {"lstm", lstm, adam_optim, ON(sequences, wide)},
    {"gru", gru, adam_optim, ON(sequences, wide)},
    {"rnn", rnn, adam_optim, ON(sequences, wide)},
    {"attention", attention, adam_optim, ON(sequences, wide)},
    {"padded attention", padded_attention, adam_optim, ON(sequences, wide)},
    {"lengths of recurrent layers", masked_rnn, adam_optim, ON(sequences, lengths)},
    {"lengths of attention", masked_attention, adam_optim, ON(sequences, lengths)},
    {"tied", tied, adamw_optim, ON(tokens, next_tokens)},
    {"two parts", in_two_parts, adam_optim, ON(rows, three)},
    {"cleared", clears_first, adam_optim, ON(rows, three), .step_outside = true},
    {"gpt", gpt, adamw_optim, ON(tokens, next_tokens)},
    {"llama", llama, adamw_optim, ON(tokens, next_tokens)},
    {"prelu", prelu, adam_optim, ON(rows, three)},
    {"padding", padding, adam_optim, ON(tokens, next_tokens)},
    {"checkpoint", checkpointed, adam_optim, ON(rows, three)},
    {"penalty", penalised, adam_optim, ON(rows, three)},
    {"accumulated", mlp_loss, adam_optim, ON(rows, three), .step_outside = true},
    {"accumulated with a schedule", cnn, adamw_optim, ON(images, four), .before = schedule,
     .step_outside = true},
    {"ragged", mlp_loss, adam_optim, ON(ragged, ragged_three), .recorded = 2},
};

START_TEST(a_planned_training_is_the_eager_one) { check_program(&programs[_i]); }
END_TEST

/* ---- plans beside each other, and their surroundings ---- */

static tg_tensor *score(tg_tensor *const *in, void *user) {
    trainer *t = user;
    return tg_softmax(mlp(t->model, in[0]), 1);
}

/* A plan that trains, and another that evaluates the same model after each second step. */
START_TEST(a_plan_of_inference_sees_what_another_trains) {
    static const program p = {.name = "two plans", .loss = dropped, .optim = adam_optim, ON(rows, three)};
    trainer a = trainer_make(&p), b = trainer_make(&p);
    tg_plan *plan = tg_plan_new(step, &a), *of_scores = tg_plan_new(score, &a);
    for (int i = 0; i < RUNS; i++) {
        tg_seed((uint64_t)i), run(&a, plan, i);
        tg_seed((uint64_t)i), run(&b, NULL, i);
        if (i % 2) continue;
        tg_mark mark = tg_tape_mark();
        bool was = tg_set_grad_enabled(false);
        tg_model_set_training(a.model, false), tg_model_set_training(b.model, false);
        tg_tensor *x = rows(i);
        expect_same("scores", "the result", tg_plan_run(of_scores, x), score(&x, &b));
        tg_model_set_training(a.model, true), tg_model_set_training(b.model, true);
        tg_set_grad_enabled(was);
        tg_tape_rewind(mark);
    }
    expect_same_trainers(&a, &b);
    ck_assert_int_eq(tg_plan_stats_of(plan).replayed, RUNS - 2);
    ck_assert_int_eq(tg_plan_stats_of(of_scores).replayed, RUNS / 2 - 2);
    tg_plan_free(plan), tg_plan_free(of_scores), trainer_end(&a), trainer_end(&b);
}
END_TEST

/* Batches as a loader gives them, of which the last of each epoch is smaller, prepared by a thread of its own. */
START_TEST(batches_of_a_loader) {
    static const program p = {.name = "loader", .loss = mlp_loss, .optim = adam_optim};
    trainer t[2] = {trainer_make(&p), trainer_make(&p)};
    tg_plan *plan = tg_plan_new(step, &t[0]);
    for (int k = 0; k < 2; k++) {
        tg_mark mark = tg_tape_mark();
        tg_tensor *data[] = {numbers(TG_SHAPE(30, 6), 1), classes(TG_SHAPE(30), 3, 1)}, *batch[2];
        tg_loader *l = tg_loader_new(2, data, .batch = 8, .shuffle = true, .seed = 3, .prefetch = 2 * !k);
        for (int epoch = 0, i = 0; epoch < 3; epoch++)
            while (tg_loader_next(l, batch)) {
                tg_mark each = tg_tape_mark();
                t[k].loss[i++ % RUNS] = tg_item(k ? step(batch, &t[k]) : tg_plan_run_with(plan, 2, batch));
                tg_tape_rewind(each);
            }
        tg_loader_free(l);
        tg_tape_rewind(mark);
        expect_ok();
    }
    expect_same_trainers(&t[0], &t[1]);
    ck_assert_int_eq(tg_plan_stats_of(plan).recorded, 2);
    tg_plan_free(plan), trainer_end(&t[0]), trainer_end(&t[1]);
}
END_TEST

/* The weights' running mean, moved by the step itself. */
static tg_tensor *averaged(tg_tensor *const *in, void *user) {
    trainer *const *t = user;
    tg_tensor *loss = step(in, t[0]);
    tg_model_average(t[1]->model, t[0]->model, 0.9);
    return loss;
}

START_TEST(averages_of_weights) {
    static const program p = {.name = "average", .loss = cnn, .optim = adam_optim};
    trainer t[4] = {trainer_make(&p), trainer_make(&p), trainer_make(&p), trainer_make(&p)};
    trainer *pair[2][2] = {{&t[0], &t[1]}, {&t[2], &t[3]}};
    tg_tensor *in[] = {images(0), four(0)};
    for (int k = 0; k < 4; k++) cnn(t[k].model, in[0], in[1]);
    tg_plan *plan = tg_plan_new(averaged, pair[0]);
    for (int i = 0; i < 6; i++) {
        tg_tensor *next[] = {images(i), four(i)};
        tg_plan_run_with(plan, 2, next), averaged(next, pair[1]);
    }
    expect_ok();
    expect_same_model("trained", t[0].model, t[2].model);
    expect_same_model("averaged", t[1].model, t[3].model);
    ck_assert_int_eq(tg_plan_stats_of(plan).replayed, 4);
    tg_plan_free(plan);
    for (int k = 0; k < 4; k++) trainer_end(&t[k]);
}
END_TEST

/* ---- what a replay refuses ---- */

static tg_tensor *spoiled_three(int i) {
    tg_tensor *y = three(i);
    if (i >= 1000) ((int64_t *)tg_data_mut(y))[2] = 3;
    return y;
}

START_TEST(an_error_of_a_replay_names_the_line_and_changes_nothing) {
    static const program p = {.name = "spoiled", .loss = mlp_loss, .optim = adam_optim, ON(rows, spoiled_three)};
    trainer a = trainer_make(&p), b = trainer_make(&p);
    tg_plan *plan = tg_plan_new(step, &a);
    for (int i = 0; i < RUNS; i++) {
        run(&a, plan, i), run(&b, NULL, i);
        if (i % 4 != 3) continue; /* the runs after the fourth are replays */
        tg_mark mark = tg_tape_mark();
        ck_assert(tg_is_poison(tg_plan_run(plan, rows(i), spoiled_three(1000 + i))));
        expect_error(TG_ERR_ARGUMENT, "cross_entropy", "row 2 has class 3", "test_planned.c:");
        tg_tape_rewind(mark);
    }
    expect_same_trainers(&a, &b);
    ck_assert_int_eq(tg_plan_stats_of(plan).replayed, RUNS - 2);
    tg_plan_free(plan), trainer_end(&a), trainer_end(&b);
}
END_TEST

static void clip_finite(trainer *t) { tg_clip_grad_norm(t->model, 1, .error_if_nonfinite = true); }
static tg_tensor *infinite_rows(int i) {
    tg_tensor *x = rows(i);
    if (i >= 1000) ((float *)tg_data_mut(x))[3] = INFINITY;
    return x;
}

/* An error in the middle of a step: gradients are there, and the optimiser has done nothing, as without a plan. */
START_TEST(an_error_in_the_middle_leaves_what_the_eager_step_leaves) {
    static const program p = {.name = "infinite",
                              .loss = mlp_loss,
                              .optim = adam_optim,
                              ON(infinite_rows, three),
                              .within = clip_finite};
    trainer a = trainer_make(&p), b = trainer_make(&p);
    tg_plan *plan = tg_plan_new(step, &a);
    for (int i = 0; i < RUNS; i++) {
        run(&a, plan, i), run(&b, NULL, i);
        if (i % 4 != 3) continue;
        tg_mark mark = tg_tape_mark();
        tg_tensor *in[] = {infinite_rows(1000 + i), three(i)};
        ck_assert(tg_is_poison(tg_plan_run_with(plan, 2, in)));
        expect_error(TG_ERR_ARGUMENT, "clip_grad_norm", "nan");
        step(in, &b);
        expect_error(TG_ERR_ARGUMENT, "clip_grad_norm", "nan");
        expect_same_trainers(&a, &b);
        tg_model_zero_grad(a.model), tg_model_zero_grad(b.model);
        tg_tape_rewind(mark);
    }
    ck_assert_int_eq(tg_plan_stats_of(plan).replayed, RUNS - 2);
    expect_same_trainers(&a, &b);
    tg_plan_free(plan), trainer_end(&a), trainer_end(&b);
}
END_TEST

static tg_tensor *clips(tg_tensor *const *in, void *model) {
    tg_clip_grad_norm(model, 1e-3);
    return mlp(model, in[0]);
}

/* A shared plan's step may not clip, whether there are gradients yet or not. */
START_TEST(clipping_in_a_shared_plan_is_refused) {
    tg_model *m = tg_model_new(1);
    tg_plan *plan = tg_plan_new(clips, m, .shared = true);
    mlp(m, rows(0));
    for (int i = 0; i < 4; i++) {
        tg_plan_run(plan, rows(0));
        expect_error(TG_ERR_TAPE, "clip_grad_norm", "shared plan");
        if (i == 1) tg_backward(tg_sum(mlp(m, rows(0))));
    }
    ck_assert(tg_get(tg_grad_of(tg_model_at(m, 1)), 0) != 0);
    tg_plan_free(plan), tg_model_free(m);
}
END_TEST

START_TEST(what_ended_between_two_runs_is_named) {
    static const program p = {.name = "ended", .loss = mlp_loss, .optim = adam_optim, ON(rows, three)};
    trainer t = trainer_make(&p);
    tg_plan *plan = tg_plan_new(step, &t);
    for (int i = 0; i < 4; i++) run(&t, plan, i);
    if (_i == 0) tg_optim_free(t.optim);
    if (_i == 1) tg_model_free(t.model);
    ck_assert(tg_is_poison(tg_plan_run(plan, rows(0), three(0))));
    expect_error(TG_ERR_ARGUMENT, _i == 0 ? "optim" : "model", "freed");
    if (_i == 0) tg_model_free(t.model);
    if (_i == 1) tg_optim_free(t.optim);
    tg_error_clear();
    tg_plan_free(plan);
    expect_ok();
}
END_TEST

/* ---- what a step refuses, by name ---- */

static tg_tensor *odd(tg_model *m, tg_tensor *x, tg_tensor *y, int which) {
    tg_tensor *z = mlp(m, x);
    switch (which) {
    case 0:
        tg_accuracy(z, y);
        break;
    case 1:
        tg_model_set_training(m, false);
        break;
    case 2:
        tg_model_freeze(m, "hidden.*");
        break;
    case 3:
        tg_model_save(m, "/tmp/tapegrad-planned-never");
        break;
    case 4:
        tg_model_free(tg_model_copy(m));
        break;
    case 5:
        tg_meter_add(&(tg_meter){0}, z);
        break;
    case 6:
        tg_is_finite(z);
        break;
    case 7:
        tg_loader_free(tg_loader_new(1, &x));
        break;
    default:
        break;
    }
    return tg_cross_entropy(z, y);
}

typedef struct misuse {
    tg_model *model;
    tg_optim *optim;
    tg_schedule *schedule;
    int which;
} misuse;

static tg_tensor *misused(tg_tensor *const *in, void *user) {
    misuse *u = user;
    tg_tensor *loss = odd(u->model, in[0], in[1], u->which);
    if (u->which == 8) tg_optim_set_lr(u->optim, 0.5);
    if (u->which == 9) tg_schedule_step(u->schedule);
    if (u->which == 10) tg_optim_group(u->optim, "*.bias", .lr = 1);
    return loss;
}

static const char *const refused[] = {"accuracy",         "tg_model_set_training", "tg_model_freeze",
                                      "tg_model_save",    "tg_model_copy",         "tg_meter_add",
                                      "tg_is_finite",     "tg_loader_new",         "tg_optim_set_lr",
                                      "tg_schedule_step", "tg_optim_group"};

START_TEST(what_a_replay_could_not_do_is_refused_by_name) {
    misuse u = {tg_model_new(1), .which = -1};
    u.optim = tg_sgd(u.model, 0.1), u.schedule = tg_schedule_new(u.optim, tg_lr_cosine(10));
    tg_plan *plan = tg_plan_new(misused, &u);
    tg_tensor *x = rows(0), *y = three(0);
    tg_plan_run(plan, x, y);
    expect_ok();
    u.which = _i;
    tg_plan_run(plan, x, y);
    expect_error(TG_ERR_TAPE, refused[_i], "plan");
    u.which = -1;
    for (int i = 0; i < 3; i++) tg_plan_run(plan, x, y);
    expect_ok();
    ck_assert_int_ge(tg_plan_stats_of(plan).replayed, 1);
    tg_plan_free(plan), tg_schedule_free(u.schedule), tg_optim_free(u.optim), tg_model_free(u.model);
}
END_TEST

TCase *tcase_planned(void) {
    TCase *t = tcase_create("planned");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, a_planned_training_is_the_eager_one, 0, COUNT(programs));
    tcase_add_test(t, an_error_of_a_replay_names_the_line_and_changes_nothing);
    tcase_add_test(t, a_plan_of_inference_sees_what_another_trains);
    tcase_add_test(t, batches_of_a_loader);
    tcase_add_test(t, averages_of_weights);
    tcase_add_test(t, an_error_in_the_middle_leaves_what_the_eager_step_leaves);
    tcase_add_test(t, clipping_in_a_shared_plan_is_refused);
    tcase_add_loop_test(t, what_ended_between_two_runs_is_named, 0, 2);
    tcase_add_loop_test(t, what_a_replay_could_not_do_is_refused_by_name, 0, COUNT(refused));
    return t;
}
