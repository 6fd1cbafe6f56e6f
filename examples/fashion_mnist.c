/* Trains a network of three layers, 784-256-128-10, on Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017).
 * Exit status: 0 fine, 1 an error or a failed check, 2 options that make no sense. */
#define _POSIX_C_SOURCE 200809L
#include <tapegrad.h>

#include "drawn_images.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- options ---- */

static const char standard[] = "/usr/share/datasets/fashion-mnist";
enum {
    EPOCHS,
    BATCH,
    LR,
    SEED,
    TRAIN,
    TEST,
    THREADS,
    DATA,
    FOLDER,
    RESUME,
    CHECK,
    DIST,
    HASH,
    HELP,
    OPTIONS
};
static struct {
    const char *name, *value, *help;
} option[OPTIONS] = {
    [EPOCHS] = {"--epochs", "10", "passes over the training images"},
    [BATCH] = {"--batch", "64", "images a step"},
    [LR] = {"--lr", "0.001", "learning rate; falls to zero along a cosine"},
    [SEED] = {"--seed", "1", "of initial weights and shuffling"},
    [TRAIN] = {"--train", "60000", "use only so many of the training images"},
    [TEST] = {"--test", "10000", "use only so many of the test images"},
    [THREADS] = {"--threads", "0", "threads; 0: all cores"},
    [DATA] = {"--data", standard, "the data set; or \"drawn\" for images that it draws itself"},
    [FOLDER] = {"--folder", NULL, "where checkpoints, a log and curves go"},
    [RESUME] = {"--resume", NULL, "flag: goes on from the latest checkpoint there"},
    [CHECK] = {"--check", NULL, "flag: first checks the model's gradients"},
    [DIST] = {"--dist", NULL, "flag: shares the training with the other processes of mpirun"},
    [HASH] = {"--hash", NULL, "flag: at the end prints a number that tells the weights to the last bit"},
    [HELP] = {"--help", NULL, "flag: this text"},
};

static double number(int i) { return strtod(option[i].value, NULL); }

static void usage(FILE *file) {
    fprintf(file, "usage: fashion_mnist [options]\n");
    for (int i = 0; i < OPTIONS; i++)
        fprintf(file, "  %-9s %s (%s)\n", option[i].name, option[i].help,
                option[i].value ? option[i].value : "none");
}

static bool parse(char **argv) {
    for (argv++; *argv; argv++) {
        int i = 0;
        while (i < OPTIONS && strcmp(*argv, option[i].name) != 0) i++;
        if (i == OPTIONS || (i < RESUME && !argv[1])) return false;
        char *end = NULL;
        const char *value = option[i].value = i < RESUME ? *++argv : "yes";
        if (i < DATA && (!(strtod(value, &end) >= 0) || end == value || *end)) return false;
    }
    return true;
}

/* ---- data ---- */

/* A loader over the first `limit` images, [n, 784] of u8, and their labels. */
static tg_loader *make_loader(const char *part, int64_t limit, tg_loader_new_opts opts) {
    char file[2][4096];
    tg_tensor *x, *y;
    snprintf(file[0], sizeof file[0], "%s/%s-images-idx3-ubyte.gz", option[DATA].value, part);
    snprintf(file[1], sizeof file[1], "%s/%s-labels-idx1-ubyte.gz", option[DATA].value, part);
    if (strcmp(option[DATA].value, "drawn") == 0)
        drawn_images(limit < 20000 ? limit : 20000, (uint64_t)part[0], &x, &y);
    else
        x = tg_load_idx(file[0]), y = tg_load_idx(file[1]);
    x = tg_reshape(tg_slice(x, 0, 0, limit, 1), -1, 784);
    return tg_loader_new_with(2, (tg_tensor *[]){x, tg_to(tg_slice(y, 0, 0, limit, 1), TG_I64)}, opts);
}

/* The loader's transform: grey values 0 to 255 become numbers of mean 0 and deviation 1 over Fashion-MNIST, in
 * float64 where `user` is not NULL. */
static tg_status normalise(tg_tensor **batch, int n, tg_rng *rng, void *user) {
    (void)n, (void)rng;
    const double mean = 0.2860, deviation = 0.3530;
    batch[0] = tg_affine(tg_to(batch[0], user ? TG_F64 : TG_F32), 1 / (255 * deviation), -mean / deviation);
    return tg_error_status();
}

/* ---- the network ---- */

static tg_tensor *net(tg_model *m, tg_tensor *x) {
    x = tg_relu(tg_nn_linear(m, "fc1", x, 256));
    x = tg_relu(tg_nn_linear(m, "fc2", x, 128));
    return tg_nn_linear(m, "out", x, 10);
}

static tg_tensor *loss(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    return tg_cross_entropy(net(m, batch[0]), batch[1]);
}

/* Of each image, whether it gets its own class. */
static tg_tensor *accuracy(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    return tg_eq(tg_argmax(net(m, batch[0]), 1), batch[1]);
}

/* ---- the gradient check ---- */

/* The network and loss in float64, on 8 images, with the initial weights of the training before they are rounded to float32:
 * 64 derivatives of each parameter. */
static bool run_check(uint64_t seed) {
    tg_tensor *batch[2];
    tg_gradcheck_report r;
    tg_model *m = tg_model_new(seed);
    tg_loader_new_opts o = {.batch = 8, .transform = normalise, .user = m};
    tg_loader *some = make_loader("train", 8, o);
    bool ok = tg_loader_next(some, batch) && tg_gradcheck_model(m, loss, batch, NULL, &r, .page = stdout);
    tg_loader_free(some);
    tg_model_free(m);
    return ok;
}

static void run(uint64_t seed) {
    int64_t epochs = (int64_t)number(EPOCHS);
    tg_model *m = tg_model_new(seed);
    tg_dist *d = option[DIST].value ? tg_dist_begin(m) : NULL;
    const bool speaks = tg_dist_rank(d) == 0;
    if (strcmp(option[DATA].value, "drawn") == 0 && speaks)
        printf("Using images of shapes that it draws itself, on which the accuracy is not that on Fashion-MNIST\n"
               "(Debian: apt install dataset-fashion-mnist).\n");
    tg_loader_new_opts o = {.shards = tg_dist_shards(d),
                            .rank = tg_dist_rank(d),
                            .ranks = tg_dist_size(d),
                            .batch = 1000,
                            .transform = normalise};
    tg_loader *test = make_loader("t10k", (int64_t)number(TEST), o);
    o.batch = (int64_t)number(BATCH), o.shuffle = true, o.seed = seed, o.prefetch = 4;
    tg_loader *train = make_loader("train", (int64_t)number(TRAIN), o);
    tg_optim *adam = tg_adam(m, number(LR));
    tg_schedule *cosine = tg_schedule_new(adam, tg_lr_cosine(epochs * tg_loader_batches(train)));
    tg_training training = {.model = m, .optim = adam, .schedule = cosine, .loader = train, .dist = d};
    tg_fit_report r;
    tg_fit(&training, loss, .epochs = epochs, .validation = test,
           .metrics = (tg_metric[]){{"accuracy", .f = accuracy}, {0}}, .folder = option[FOLDER].value,
           .resume = option[RESUME].value, .log = stdout, .report = &r);
    if (tg_error_status() == TG_OK && r.epoch > 0 && speaks)
        printf("test accuracy %.4f +- %.4f after %lld epochs, %.2f seconds per epoch, threads: %d\n",
               tg_meter_mean(&r.metric[0]), tg_meter_error(&r.metric[0]), (long long)r.epoch,
               r.seconds / (double)r.epoch, tg_num_threads());
    tg_dist_end(d);
    if (option[HASH].value && tg_error_status() == TG_OK && speaks)
        printf("parameters 0x%016" PRIx64 "\n", tg_model_hash(m));
    tg_schedule_free(cosine);
    tg_optim_free(adam);
    tg_model_free(m);
    tg_loader_free(train);
    tg_loader_free(test);
}

int main(int argc, char **argv) {
    if (argc < 1 || !parse(argv)) return usage(stderr), 2;
    if (option[HELP].value) return usage(stdout), 0;
    if (number(THREADS) >= 1) tg_set_num_threads((int)number(THREADS));
    if (option[DATA].value == standard && access(standard, F_OK) != 0) option[DATA].value = "drawn";
    uint64_t seed = (uint64_t)number(SEED);
    tg_mark start = tg_tape_mark();
    bool ok = !option[CHECK].value || run_check(seed);
    if (ok) run(seed);
    if (tg_error_status() != TG_OK) fprintf(stderr, "fashion_mnist: %s\n", tg_error_message());
    tg_tape_rewind(start);
    return ok && tg_error_status() == TG_OK ? 0 : 1;
}
