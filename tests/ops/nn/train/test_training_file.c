/* Trainings to files and back, within one process (tests/resume.c: in another). */
#include "ops/nn/model/state_file.h"
#include "tests/ops/nn/helpers.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64], path[96];

static void setup(void) {
    snprintf(folder, sizeof folder, "training-%ld", (long)getpid());
    snprintf(path, sizeof path, "%s/run.safetensors", folder);
    mkdir(folder, 0777);
}

static int files(bool remove_them) {
    DIR *d = opendir(folder);
    char file[400];
    int n = 0;
    for (const struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.' && (!e->d_name[1] || e->d_name[1] == '.')) continue;
        n++;
        snprintf(file, sizeof file, "%s/%s", folder, e->d_name);
        if (remove_them) remove(file);
    }
    closedir(d);
    return n;
}

static void teardown(void) {
    files(true);
    rmdir(folder);
}

/* ---- optimisers ---- */

static tg_optim *plain(tg_model *m) { return tg_sgd(m, 0.1); }
static tg_optim *momentum(tg_model *m) {
    return tg_sgd(m, 0.05, .momentum = 0.9, .nesterov = true, .weight_decay = 0.01);
}
static tg_optim *adam(tg_model *m) { return tg_adam(m, 0.01); }
static tg_optim *adamw(tg_model *m) {
    return tg_adam(m, 0.02, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .weight_decay = 0.1, .decoupled = true);
}
static tg_optim *(*const optimisers[])(tg_model *) = {plain, momentum, adam, adamw};

static tg_tensor *loss_of(tg_model *m) {
    tg_tensor *x = tg_randn(TG_F32, 8, 5); /* of the default stream */
    x = tg_nn_batch_norm(m, "bn", tg_nn_linear(m, "fc1", x, 6));
    x = tg_nn_dropout(m, tg_tanh(x), 0.3);
    return tg_mean(tg_square(tg_nn_linear(m, "out", x, 2)));
}

static void train(tg_model *m, tg_optim *o, tg_rng *rng, int steps) {
    for (int i = 0; i < steps; i++) {
        tg_mark before = tg_tape_mark();
        tg_optim_set_lr(o, tg_optim_lr(o) * (0.9 + 0.1 * tg_rng_uniform(rng)));
        ck_assert_int_eq(tg_backward(loss_of(m)), TG_OK);
        ck_assert_int_eq(tg_optim_step(o), TG_OK);
        tg_tape_rewind(before);
    }
}

static void expect_same(const tg_tensor *a, const tg_tensor *b) {
    size_t n, k;
    void *x = bytes_of(a, &n), *y = bytes_of(b, &k);
    ck_assert(n == k && memcmp(x, y, n) == 0);
    free(x), free(y);
}

static void expect_same_model(const tg_model *a, const tg_model *b) {
    ck_assert_int_eq(tg_model_count(a), tg_model_count(b));
    for (int i = 0; i < tg_model_count(a); i++)
        expect_same(tg_model_at(a, i), tg_model_find(b, tg_name(tg_model_at(a, i))));
    for (int i = 0; i < tg_model_buffer_count(a); i++)
        expect_same(tg_model_buffer_at(a, i), tg_model_find(b, tg_name(tg_model_buffer_at(a, i))));
    expect_ok();
}

/* Into an empty model, and into one that was trained otherwise. */
START_TEST(goes_on_as_if_it_had_not_stopped) {
    for (int used = 0; used < 2; used++) {
        tg_seed(5);
        tg_rng rng = {.seed = 9}, other = {0};
        tg_model *a = tg_model_new(1), *b = tg_model_new(2);
        tg_optim *o = optimisers[_i](a), *p = optimisers[_i](b);
        double epoch = 3, zero = 0;
        char note[16] = "caf\xc3\xa9", read[16] = "";
        train(a, o, &rng, 4);
        tg_training run = {.model = a,
                           .optim = o,
                           .rng = &rng,
                           .numbers = (tg_number[]){{"epoch", &epoch}, {0}},
                           .texts = (tg_text[]){{"note", note, sizeof note}, {0}}};
        ck_assert_msg(tg_training_save(&run, path) == TG_OK, "%s", tg_error_message());
        train(a, o, &rng, 4);
        if (used) train(b, p, &other, 3);
        tg_seed(77);
        tg_training again = {.model = b,
                             .optim = p,
                             .rng = &other,
                             .numbers = (tg_number[]){{"epoch", &zero}, {0}},
                             .texts = (tg_text[]){{"note", read, sizeof read}, {0}}};
        ck_assert_msg(tg_training_load(&again, path) == TG_OK, "%s", tg_error_message());
        ck_assert(zero == 3);
        ck_assert_str_eq(read, note);
        train(b, p, &other, 4);
        expect_same_model(a, b);
        ck_assert(tg_optim_lr(o) == tg_optim_lr(p) && rng.next == other.next && rng.seed == other.seed);
        tg_optim_free(o), tg_optim_free(p), tg_model_free(a), tg_model_free(b);
    }
}
END_TEST

/* The thread's default stream is always part of it, all 64 bits of its seed. */
START_TEST(the_default_stream_comes_with_the_file) {
    tg_model *m = tg_model_new(1);
    tg_seed(UINT64_C(0x123456789abcdef0));
    tg_rng_bits(NULL);
    tg_training_save(&(tg_training){.model = m}, path);
    uint64_t next = tg_rng_bits(NULL);
    tg_seed(1);
    ck_assert_int_eq(tg_training_load(&(tg_training){.model = m}, path), TG_OK);
    ck_assert_uint_eq(tg_rng_bits(NULL), next);
    tg_model_free(m);
}
END_TEST

/* Hyperparameters come with the file, 0 included. */
START_TEST(hyperparameters_are_those_of_the_file) {
    tg_model *a = tg_model_new(1), *b = tg_model_new(2);
    tg_optim *o = tg_adam(a, 0.5, .beta1 = TG_ZERO), *p = tg_adam(b, 0.1, .weight_decay = 3, .decoupled = true);
    tg_rng rng = {0};
    train(a, o, &rng, 1);
    tg_training_save(&(tg_training){.model = a, .optim = o}, path);
    ck_assert_int_eq(tg_training_load(&(tg_training){.model = b, .optim = p}, path), TG_OK);
    static const char *const names[] = {"lr", "beta1", "beta2", "eps", "weight_decay", "decoupled"};
    for (int i = 0; i < COUNT(names); i++) ck_assert(tg_optim_get(o, names[i]) == tg_optim_get(p, names[i]));
    tg_optim *q = tg_sgd(b, 0.1);
    tg_training_load(&(tg_training){.model = b, .optim = q}, path);
    expect_error(TG_ERR_ARGUMENT, "tg_training_load", path, "trained with adam, not sgd");
    tg_optim_free(o), tg_optim_free(p), tg_optim_free(q), tg_model_free(a), tg_model_free(b);
}
END_TEST

/* ---- files that do not fit ---- */

static const struct {
    const char *key; /* of a tensor that is replaced by one zero, i32; "": taken from another run */
    const char *says;
} changes[] = {
    {"optim/lr", "optim/lr is [] i32, not [] f64"},
    {"optim/beta1", "optim/beta1 is [] i32"},
    {"optim/steps", "optim/steps is [] i32, not [6] i64"},
    {"optim/exp_avg/fc1.weight", "optim/exp_avg/fc1.weight is [] i32, not [6, 5] f32"},
    {"optim/exp_avg_sq/out.bias", "optim/exp_avg_sq/out.bias is [] i32, not [2] f32"},
    {"schedule/step", "schedule/step is [] i32, not [1] i64"},
    {"schedule/reductions", "schedule/reductions is [] i32"},
    {"schedule/bad", "schedule/bad is [] i32"},
    {"schedule/cooldown", "schedule/cooldown is [] i32"},
    {"schedule/base", "schedule/base is [] i32, not [] f64"},
    {"schedule/best", "schedule/best is [] i32"},
    {"random/default", "random/default is [] i32, not [2] i64"},
    {"random/own", "random/own is [] i32"},
    {"number/epoch", "number/epoch is [] i32"},
    {"fc1.weight", "the parameter fc1.weight is neither f32 nor f64"},
    {"bn.running_mean", "bn.running_mean is [] i32 in the file and [6] f32 in the model"},
};

/* Nothing is changed by a file that is refused. */
START_TEST(everything_or_nothing) {
    tg_model *a = tg_model_new(1), *b = tg_model_new(1);
    tg_optim *o = adam(a), *p = adam(b);
    tg_schedule *plan = tg_schedule_new(o, tg_lr_cosine(9)), *kept = tg_schedule_new(p, tg_lr_cosine(9));
    tg_rng rng = {.seed = 1}, other = {.seed = 1};
    double epoch = 2, one = 1;
    char note[8] = "new", old[8] = "old";
    tg_training run = {.model = a,
                       .optim = o,
                       .schedule = plan,
                       .rng = &rng,
                       .numbers = (tg_number[]){{"epoch", &epoch}, {0}},
                       .texts = (tg_text[]){{"note", note, sizeof note}, {0}}};
    tg_training again = {.model = b,
                         .optim = p,
                         .schedule = kept,
                         .rng = &other,
                         .numbers = (tg_number[]){{"epoch", &one}, {0}},
                         .texts = (tg_text[]){{"note", old, sizeof old}, {0}}};
    tg_seed(1), train(a, o, &rng, 2);
    for (int i = 0; i < 4; i++) tg_schedule_step(plan);
    tg_training_save(&run, path);
    tg_safetensors *set = tg_safetensors_open(path);
    tg_safetensors_put(set, changes[_i].key, tg_zeros(TG_I32));
    ck_assert_int_eq(tg_state_seal(set), TG_OK);
    ck_assert_int_eq(tg_safetensors_save(set, path), TG_OK);
    tg_safetensors_free(set);
    tg_rng before = {.seed = 1};
    tg_model *same = tg_model_new(1);
    tg_optim *q = adam(same);
    tg_seed(8), train(same, q, &before, 1);
    tg_seed(8), train(b, p, &other, 1);
    tg_rng stream = *tg_default_rng();
    tg_status s = tg_training_load(&again, path);
    ck_assert(s == TG_ERR_FORMAT || s == TG_ERR_SHAPE);
    expect_error(s, "tg_training_load", path, changes[_i].says);
    ck_assert(one == 1 && strcmp(old, "old") == 0 && other.next == before.next);
    ck_assert(tg_default_rng()->next == stream.next && tg_default_rng()->seed == stream.seed);
    tg_schedule_state state;
    tg_schedule_get_state(kept, &state);
    ck_assert(state.step == 0);
    expect_same_model(same, b);
    tg_seed(9), train(same, q, &before, 1);
    tg_seed(9), train(b, p, &other, 1);
    expect_same_model(same, b);
    tg_schedule_free(plan), tg_schedule_free(kept);
    tg_optim_free(o), tg_optim_free(p), tg_optim_free(q);
    tg_model_free(a), tg_model_free(b), tg_model_free(same);
}
END_TEST

/* Models of one shape, in which a parameter and a buffer have changed places. */
START_TEST(a_buffer_of_the_file_has_no_steps) {
    tg_model *m[2] = {tg_model_new(1), tg_model_new(1)};
    tg_training run[2] = {{0}};
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < COUNT(names); i++)
            if (i == (k ? COUNT(names) - 1 : 0))
                tg_model_param(m[k], names[i], TG_F32, TG_SHAPE(2), (tg_init){0});
            else
                tg_model_buffer(m[k], names[i], TG_F32, TG_SHAPE(2), (tg_init){0});
        run[k] = (tg_training){.model = m[k], .optim = momentum(m[k])};
    }
    tg_training_save(&run[0], path);
    tg_training_load(&run[1], path);
    expect_error(TG_ERR_FORMAT, "tg_training_load", path, "e is not a parameter in the file");
    for (int k = 0; k < 2; k++) tg_optim_free(run[k].optim), tg_model_free(m[k]);
}
END_TEST

/* Of two parameters one has made two steps and the other none, and the model that is loaded has them the other way round. */
START_TEST(steps_are_found_by_name) {
    static const char *const names[2][2] = {{"a", "b"}, {"b", "a"}};
    tg_model *m[2] = {tg_model_new(1), tg_model_new(2)};
    tg_optim *o[2] = {adam(m[0]), adam(m[1])};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < 2; i++) tg_model_param(m[k], names[k][i], TG_F32, TG_SHAPE(2), tg_init_ones());
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(tg_backward(tg_sum(tg_model_at(m[0], 0))), TG_OK);
        ck_assert_int_eq(tg_optim_step(o[0]), TG_OK);
    }
    tg_training_save(&(tg_training){.model = m[0], .optim = o[0]}, path);
    tg_training_load(&(tg_training){.model = m[1], .optim = o[1]}, path);
    for (int i = 0; i < 2; i++) {
        tg_optim_state was, is;
        tg_optim_get_state(o[0], i, &was), tg_optim_get_state(o[1], 1 - i, &is);
        expect_ok();
        ck_assert(was.steps == 2 - 2 * i && is.steps == was.steps && !is.moment[0] == (i == 1));
        if (i == 0) expect_same(was.moment[1], is.moment[1]);
    }
    for (int k = 0; k < 2; k++) tg_optim_free(o[k]), tg_model_free(m[k]);
}
END_TEST

/* Momentum that begins, or pauses, between two steps. */
START_TEST(moments_come_and_go) {
    for (int pause = 0; pause < 2; pause++) {
        tg_rng rng = {0}, other = {0};
        tg_model *a = tg_model_new(1), *b = tg_model_new(2);
        tg_optim *o = tg_sgd(a, 0.1, .momentum = pause ? 0.9 : 0), *p = tg_sgd(b, 0.1);
        tg_seed(1), train(a, o, &rng, 3);
        tg_optim_set(o, "momentum", pause ? 0 : 0.9);
        if (pause) train(a, o, &rng, 1);
        tg_training run = {.model = a, .optim = o, .rng = &rng};
        ck_assert_msg(tg_training_save(&run, path) == TG_OK, "%s", tg_error_message());
        tg_optim_set(o, "momentum", 0.9), train(a, o, &rng, 3);
        run = (tg_training){.model = b, .optim = p, .rng = &other};
        ck_assert_msg(tg_training_load(&run, path) == TG_OK, "%s", tg_error_message());
        tg_optim_set(p, "momentum", 0.9), train(b, p, &other, 3);
        expect_same_model(a, b);
        tg_optim_free(o), tg_optim_free(p), tg_model_free(a), tg_model_free(b);
    }
}
END_TEST

START_TEST(steps_are_counted_to_2_53) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = plain(m);
    tg_training run = {.model = m, .optim = o};
    tg_model_param(m, "w", TG_F32, TG_SHAPE(2), (tg_init){0});
    tg_training_save(&run, path);
    static const int64_t steps[] = {-1, (INT64_C(1) << 53) + 1, INT64_MAX};
    for (int i = 0; i < COUNT(steps); i++) {
        tg_safetensors *set = tg_safetensors_open(path);
        tg_safetensors_put(set, "optim/steps", tg_from(TG_I64, &steps[i], 1));
        tg_state_seal(set), tg_safetensors_save(set, path), tg_safetensors_free(set);
        tg_training_load(&run, path);
        expect_error(TG_ERR_FORMAT, "tg_training_load", path, "the number of steps of w is");
        tg_optim_set_state(o, 0, &(tg_optim_state){.steps = steps[i]});
        expect_error(TG_ERR_ARGUMENT, "tg_optim_set_state: the number of steps is");
    }
    tg_optim_set_state(o, 0, &(tg_optim_state){.steps = INT64_C(1) << 53});
    expect_ok();
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

START_TEST(parts_that_the_file_lacks) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = plain(m);
    tg_rng rng = {0};
    double x = 0;
    char text[4] = "";
    train(m, o, &rng, 1);
    tg_training_save(&(tg_training){.model = m}, path);
    tg_training_load(&(tg_training){.model = m, .optim = o}, path);
    expect_error(TG_ERR_ARGUMENT, path, "has no optimiser");
    tg_schedule *s = tg_schedule_new(o, tg_lr_cosine(9));
    tg_training_save(&(tg_training){.model = m, .optim = o}, path);
    tg_training_load(&(tg_training){.model = m, .optim = o, .schedule = s}, path);
    expect_error(TG_ERR_ARGUMENT, path, "has no schedule");
    tg_schedule_free(s);
    tg_training_save(&(tg_training){.model = m}, path);
    tg_training_load(&(tg_training){.model = m, .rng = &rng}, path);
    expect_error(TG_ERR_ARGUMENT, path, "has no random/own");
    tg_training_load(&(tg_training){.model = m, .numbers = (tg_number[]){{"x", &x}, {0}}}, path);
    expect_error(TG_ERR_ARGUMENT, path, "has no number/x");
    tg_training_load(&(tg_training){.model = m, .texts = (tg_text[]){{"t", text, sizeof text}, {0}}}, path);
    expect_error(TG_ERR_ARGUMENT, path, "has no text t");
    tg_model_save(m, path);
    tg_training_load(&(tg_training){.model = m}, path);
    expect_error(TG_ERR_FORMAT, path, "has no checksum: it is no file of a training");
    tg_safetensors *set = tg_safetensors_new();
    tg_safetensors_put(set, "w", tg_ones(TG_F32, 2));
    tg_state_seal(set);
    tg_safetensors_save(set, path);
    tg_safetensors_free(set);
    tg_model *empty = tg_model_new(1);
    tg_training_load(&(tg_training){.model = empty}, path);
    expect_error(TG_ERR_FORMAT, path, "no file of a training");
    ck_assert_int_eq(tg_model_count(empty), 0);
    tg_loader *l = tg_loader_new(1, (tg_tensor *[]){tg_zeros(TG_F32, 8)}, .batch = 2);
    tg_training_save(&(tg_training){.model = m}, path);
    tg_training_load(&(tg_training){.model = m, .loader = l}, path);
    expect_error(TG_ERR_ARGUMENT, path, "has no loader/position");
    tg_loader *other = tg_loader_new(1, (tg_tensor *[]){tg_zeros(TG_F32, 9)}, .batch = 3);
    tg_training_save(&(tg_training){.model = m, .loader = other}, path);
    double before = tg_get(tg_model_at(m, 0), 0);
    train(m, o, &rng, 1);
    double after = tg_get(tg_model_at(m, 0), 0);
    tg_training_load(&(tg_training){.model = m, .loader = l}, path);
    expect_error(TG_ERR_ARGUMENT, "tg_training_load", "9 examples");
    ck_assert(before != after && tg_get(tg_model_at(m, 0), 0) == after);
    tg_loader_free(l), tg_loader_free(other);
    tg_optim_free(o), tg_model_free(m), tg_model_free(empty);
}
END_TEST

START_TEST(misuse) {
    tg_model *m = tg_model_new(1);
    char text[4] = {'a', 'b', 'c', 'd'};
    tg_training_save(NULL, path);
    expect_error(TG_ERR_ARGUMENT, "tg_training_save", "training is NULL");
    tg_training_load(&(tg_training){0}, path);
    expect_error(TG_ERR_ARGUMENT, "tg_training_load", "model is NULL");
    tg_training_save(&(tg_training){.model = m}, NULL);
    expect_error(TG_ERR_ARGUMENT, "tg_training_save");
    tg_training_save(&(tg_training){.model = m, .numbers = (tg_number[]){{"x", NULL}, {0}}}, path);
    expect_error(TG_ERR_ARGUMENT, "number x has no place");
    tg_training_save(&(tg_training){.model = m, .texts = (tg_text[]){{"t", text, 4}, {0}}}, path);
    expect_error(TG_ERR_ARGUMENT, "text t does not end within its 4 bytes");
    text[3] = '\0';
    tg_training_save(&(tg_training){.model = m, .texts = (tg_text[]){{"t", text, 4}, {"t", text, 4}, {0}}},
                     path);
    expect_error(TG_ERR_ARGUMENT, "two texts are both named text/t");
    tg_training_save(&(tg_training){.model = m, .texts = (tg_text[]){{"t", text, 4}, {0}}}, path);
    expect_ok();
    tg_training_load(&(tg_training){.model = m, .texts = (tg_text[]){{"t", text, 3}, {0}}}, path);
    expect_error(TG_ERR_ARGUMENT, "text t needs 4 bytes, and has room for 3");
    double number = 3;
    tg_number numbers[] = {{"n", &number}, {0}};
    tg_training both = {.model = m, .numbers = numbers, .texts = (tg_text[]){{"t", text, 4}, {0}}};
    ck_assert_int_eq(tg_training_save(&both, path), TG_OK);
    number = 4;
    both.texts = (tg_text[]){{"t", text, 3}, {0}};
    tg_training_load(&both, path);
    expect_error(TG_ERR_ARGUMENT, "text t needs 4 bytes");
    ck_assert(number == 4);
    tg_model *another = tg_model_new(2);
    tg_optim *o = plain(another);
    tg_training_save(&(tg_training){.model = m, .optim = o}, path);
    expect_error(TG_ERR_ARGUMENT, "tg_training_save", "optimiser is that of another model");
    tg_training_load(&(tg_training){.model = m, .optim = o}, path);
    expect_error(TG_ERR_ARGUMENT, "tg_training_load", "optimiser is that of another model");
    tg_optim_free(o), tg_model_free(another);
    tg_model_param(m, "random/default", TG_F32, TG_SHAPE(1), (tg_init){0});
    tg_training_save(&(tg_training){.model = m}, path);
    expect_error(TG_ERR_ARGUMENT, "both named random/default");
    tg_model_free(m);
}
END_TEST

START_TEST(every_allocation_may_fail) {
    tg_model *a = tg_model_new(1);
    tg_optim *o = adam(a);
    tg_schedule *plan = tg_schedule_new(o, tg_lr_linear(3), tg_lr_cosine(9));
    tg_rng rng = {0};
    double x = 1;
    tg_schedule_step(plan);
    tg_seed(1), train(a, o, &rng, 2);
    tg_training run = {
        .model = a, .optim = o, .schedule = plan, .rng = &rng, .numbers = (tg_number[]){{"x", &x}, {0}}};
    bool failed = true;
    for (int64_t n = 1; failed; n++) {
        tg_memory_fail_at(n);
        tg_training_save(&run, path);
        tg_memory_fail_at(-1);
        failed = tg_error_status() != TG_OK;
        if (failed) expect_error(TG_ERR_MEMORY, "");
        ck_assert_int_eq(files(false), !failed);
    }
    failed = true;
    for (int64_t n = 1; failed; n++) {
        tg_rng one = {0}, two = {0};
        tg_model *b = tg_model_new(1), *same = tg_model_new(1);
        tg_optim *p = adam(b), *q = adam(same);
        tg_schedule_state state;
        tg_schedule *kept = tg_schedule_new(p, tg_lr_linear(3), tg_lr_cosine(9));
        tg_optim_set_lr(p, 0.01);
        tg_seed(2), train(b, p, &one, 1);
        tg_seed(2), train(same, q, &two, 1);
        x = 5;
        tg_memory_fail_at(n);
        tg_training_load(
            &(tg_training){.model = b, .optim = p, .schedule = kept, .rng = &one, .numbers = run.numbers},
            path);
        tg_memory_fail_at(-1);
        failed = tg_error_status() != TG_OK;
        tg_schedule_get_state(kept, &state);
        ck_assert(state.step == !failed);
        if (failed) {
            expect_error(TG_ERR_MEMORY, "");
            ck_assert(x == 5 && one.next == two.next);
            expect_same_model(same, b);
            tg_seed(3), train(b, p, &one, 1);
            tg_seed(3), train(same, q, &two, 1);
            expect_same_model(same, b);
        } else {
            ck_assert(x == 1);
            expect_same_model(a, b);
        }
        tg_schedule_free(kept), tg_optim_free(p), tg_optim_free(q), tg_model_free(b), tg_model_free(same);
    }
    tg_schedule_free(plan), tg_optim_free(o), tg_model_free(a);
}
END_TEST

/* Cut off anywhere, and with any bit changed, it is refused and changes nothing. */
START_TEST(damage_is_noticed) {
    tg_model *a = tg_model_new(1), *b = tg_model_new(2), *same = tg_model_new(2);
    tg_nn_linear(a, "fc", tg_zeros(TG_F32, 1, 2), 1);
    tg_nn_linear(b, "fc", tg_zeros(TG_F32, 1, 2), 1);
    tg_nn_linear(same, "fc", tg_zeros(TG_F32, 1, 2), 1);
    tg_training_save(&(tg_training){.model = a}, path);
    static char bytes[4096];
    FILE *f = fopen(path, "rb");
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    ck_assert(n > 100 && n < sizeof bytes);
    int blanks = 0;
    for (size_t i = 0; i < 9 * n; i += getenv("TG_FAST") ? 7 : 1) { /* the lengths, and then the bits */
        size_t at = i < n ? 0 : (i - n) / 8, length = i < n ? i : n;
        char bit = (char)(i < n ? 0 : 1 << (i - n) % 8);
        bytes[at] ^= bit;
        f = fopen(path, "wb");
        ck_assert(fwrite(bytes, 1, length, f) == length && fclose(f) == 0);
        tg_status s = tg_training_load(&(tg_training){.model = b}, path);
        if (s == TG_OK) /* a blank of the header that became another */
            ck_assert(strchr("\t\n\r ", bytes[at] ^ bit) && blanks++ < 64);
        else
            expect_error(s, "tg_training_load", path);
        bytes[at] ^= bit;
        if (s != TG_OK) expect_same_model(same, b);
    }
    tg_model_free(a), tg_model_free(b), tg_model_free(same);
}
END_TEST

/* The highest bit of a word is its sign, and two of them are turned. */
START_TEST(two_signs_are_damage) {
    tg_model *m = tg_model_new(1);
    tg_tensor *w = tg_model_param(m, "w", TG_F64, TG_SHAPE(4), tg_init_ones());
    tg_training_save(&(tg_training){.model = m}, path);
    static const double sign[] = {1, -1, 1, -1};
    tg_safetensors *set = tg_safetensors_open(path);
    tg_safetensors_put(set, "w", tg_mul(tg_detach(w), tg_from(TG_F64, sign, 4)));
    tg_safetensors_save(set, path), tg_safetensors_free(set);
    tg_training_load(&(tg_training){.model = m}, path);
    expect_error(TG_ERR_FORMAT, path, "is damaged");
    tg_model_free(m);
}
END_TEST

/* ---- the last and the best ---- */

/* The number w of the model in a file of the folder; NaN where there is none. */
static double saved(const char *name) {
    char file[200];
    snprintf(file, sizeof file, "%s/%s.safetensors", folder, name);
    if (access(file, F_OK) != 0) return NAN;
    tg_model *m = tg_model_new(0);
    ck_assert_msg(tg_model_load(m, file) == TG_OK, "%s", tg_error_message());
    double w = tg_item(tg_model_find(m, "w"));
    tg_model_free(m);
    return w;
}

START_TEST(keeps_the_last_and_the_best) {
    for (int lower = 0; lower < 2; lower++) {
        static const double score[] = {NAN, 1, 3, 2, NAN, 3};
        tg_model *m = tg_model_new(1);
        tg_tensor *w = tg_model_param(m, "w", TG_F64, TG_SHAPE(), (tg_init){0});
        for (int i = 0; i < COUNT(score); i++) {
            tg_set_grad_enabled(false), tg_fill_(w, i), tg_set_grad_enabled(true);
            ck_assert_msg(tg_training_keep(&(tg_training){.model = m}, folder, i,
                                           lower ? -score[i] : score[i], .last = 2, .lower = lower) == TG_OK,
                          "%s", tg_error_message());
            ck_assert(saved("latest") == i);
            if (i == 0) ck_assert(isnan(saved("best")));
        }
        ck_assert(saved("best") == 2); /* the first of two that are equal */
        ck_assert(saved("step-000000000004") == 4 && saved("step-000000000005") == 5);
        ck_assert_int_eq(files(true), 4);
        tg_model_free(m);
    }
}
END_TEST

/* Each removes what the other has kept, and reads what it likes. */
START_TEST(two_processes_keep_in_one_folder) {
    pid_t child[2];
    for (int k = 0; k < 2; k++) {
        if ((child[k] = fork())) continue;
        tg_model *m = tg_model_new((uint64_t)k);
        tg_model_param(m, "w", TG_F64, TG_SHAPE(), (tg_init){0});
        for (int i = 0; i < 60 && tg_error_status() == TG_OK; i++) {
            tg_training_keep(&(tg_training){.model = m}, folder, i, i);
            if (tg_error_status() == TG_OK) ck_assert(saved("latest") == 0 && saved("best") == 0);
        }
        if (tg_error_status() != TG_OK) fprintf(stderr, "%s\n", tg_error_message());
        _exit((int)tg_error_status());
    }
    for (int k = 0; k < 2; k++) {
        int status = 1;
        ck_assert(waitpid(child[k], &status, 0) == child[k] && status == 0);
    }
    ck_assert_int_eq(files(false), 3);
}
END_TEST

START_TEST(a_damaged_best_is_replaced) {
    tg_model *m = tg_model_new(1);
    tg_model_param(m, "w", TG_F64, TG_SHAPE(), tg_init_ones());
    char best[200];
    snprintf(best, sizeof best, "%s/best.safetensors", folder);
    FILE *f = fopen(best, "wb");
    fputs("not a file of a training", f);
    fclose(f);
    ck_assert_int_eq(tg_training_keep(&(tg_training){.model = m}, folder, 1, -5), TG_OK);
    ck_assert(saved("best") == 1);
    expect_ok();
    tg_model_free(m);
}
END_TEST

START_TEST(keeping_is_refused) {
    tg_model *m = tg_model_new(1);
    tg_training run = {.model = m};
    tg_training_keep(&run, "no/such/folder", 1, 1);
    expect_error(TG_ERR_IO, "tg_training_keep", "no/such/folder");
    tg_training_keep(&run, NULL, 1, 1);
    expect_error(TG_ERR_ARGUMENT, "folder is NULL");
    tg_training_keep(&run, "", 1, 1); /* not "/step-.." */
    expect_error(TG_ERR_ARGUMENT, "folder is an empty text");
    tg_training_keep(&run, folder, -1, 1);
    expect_error(TG_ERR_ARGUMENT, "-1");
    tg_training_keep(&run, folder, 1, 1, .last = -2);
    expect_error(TG_ERR_ARGUMENT, "-2");
    ck_assert_int_eq(files(false), 0);
    char best[200];
    snprintf(best, sizeof best, "%s/best.safetensors", folder);
    tg_model_save(m, best);
    tg_training_keep(&run, folder, 1, 1);
    expect_error(TG_ERR_ARGUMENT, best, "has no keep/score");
    ck_assert_int_eq(files(false), 1);
    tg_model_free(m);
}
END_TEST

TCase *tcase_training_file(void) {
    TCase *t = tcase_create("training_file");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, goes_on_as_if_it_had_not_stopped, 0, COUNT(optimisers));
    tcase_add_test(t, the_default_stream_comes_with_the_file);
    tcase_add_test(t, hyperparameters_are_those_of_the_file);
    tcase_add_loop_test(t, everything_or_nothing, 0, COUNT(changes));
    tcase_add_test(t, a_buffer_of_the_file_has_no_steps);
    tcase_add_test(t, steps_are_found_by_name);
    tcase_add_test(t, moments_come_and_go);
    tcase_add_test(t, steps_are_counted_to_2_53);
    tcase_add_test(t, parts_that_the_file_lacks);
    tcase_add_test(t, misuse);
    tcase_add_test(t, damage_is_noticed);
    tcase_add_test(t, two_signs_are_damage);
    tcase_add_test(t, every_allocation_may_fail);
    tcase_add_test(t, keeps_the_last_and_the_best);
    tcase_add_test(t, two_processes_keep_in_one_folder);
    tcase_add_test(t, a_damaged_best_is_replaced);
    tcase_add_test(t, keeping_is_refused);
    return t;
}
