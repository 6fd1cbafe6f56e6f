/* A convolutional network of 104,426 parameters on Fashion-MNIST, trained by tg_fit: batch normalisation, dropout, mirrored
 * images, and a learning rate that rises and falls once (Smith and Topin, 2018).
 *
 * usage: fashion_cnn [options]
 *   -e N       epochs (10)
 *   -s N       seed of initial weights, shuffling, mirroring and dropout (1)
 *   -n N       only the first N training images, and as many test images
 *   -o FOLDER  where checkpoints, the log and its curves go; a run that was stopped goes on from there
 */
#define _POSIX_C_SOURCE 200809L
#include <tapegrad.h>

#include "drawn_images.h"

#include <stdlib.h>
#include <unistd.h>

#define FOLDER "/usr/share/datasets/fashion-mnist" /* of Debian's package dataset-fashion-mnist */

typedef struct options {
    int64_t epochs, images;
    uint64_t seed;
    const char *folder;
} options;

/* ---- the network ---- */

/* x [n, c, h, w] becomes [n, filters, h / 2, w / 2]. Pooling first leaves a quarter of the work to the two after it. */
static tg_tensor *block(tg_model *m, tg_tensor *x, int64_t filters) {
    x = tg_nn_conv2d(m, "conv", x, filters, .kernel = {3, 3}, .padding = {1, 1}, .no_bias = true);
    x = tg_max_pool2d(x, .kernel = {2, 2});
    return tg_relu(tg_nn_batch_norm(m, "norm", x));
}

static tg_tensor *net(tg_model *m, tg_tensor *x) {
    for (int i = 0; i < 3; i++) x = block(tg_nn_scope(m, "block%d", i), x, 32 << i);
    x = tg_nn_dropout(m, tg_flatten(x, 1, -1), 0.3);
    return tg_nn_linear(m, "out", x, 10);
}

static tg_tensor *loss(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    return tg_cross_entropy(net(m, batch[0]), batch[1]);
}

static tg_tensor *accuracy(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    return tg_eq(tg_argmax(net(m, batch[0]), 1), batch[1]);
}

/* ---- the data ---- */

/* A loader's transform: grey values [n, 28, 28] of u8 become numbers [n, 1, 28, 28] of mean 0 and deviation 1. */
static tg_status prepare(tg_tensor **batch, int n, tg_rng *rng, void *user) {
    (void)n, (void)rng, (void)user;
    batch[0] = tg_affine(tg_to(tg_unsqueeze(batch[0], 1), TG_F32), 1 / (255 * 0.3530), -0.2860 / 0.3530);
    return tg_error_status();
}

/* For training, half of them are mirrored first. In a transform tg_rand draws from the stream of the batch. */
static tg_status augment(tg_tensor **batch, int n, tg_rng *rng, void *user) {
    tg_tensor *coin = tg_lt(tg_rand(TG_F32, tg_size(batch[0], 0), 1, 1), tg_scalar(TG_F32, 0.5));
    batch[0] = tg_where(coin, tg_flip(batch[0], 2), batch[0]);
    return prepare(batch, n, rng, user);
}

static tg_loader *load(const options *o, bool training) {
    char file[2][256];
    tg_tensor *images, *labels;
    if (access(FOLDER, F_OK) == 0) {
        snprintf(file[0], sizeof file[0], FOLDER "/%s-images-idx3-ubyte.gz", training ? "train" : "t10k");
        snprintf(file[1], sizeof file[1], FOLDER "/%s-labels-idx1-ubyte.gz", training ? "train" : "t10k");
        images = tg_load_idx(file[0]);
        labels = tg_load_idx(file[1]);
    } else {
        printf("There is no " FOLDER " (apt install dataset-fashion-mnist): drawn shapes instead.\n");
        drawn_images(training ? 20000 : 4000, training ? 1 : 2, &images, &labels);
    }
    images = tg_slice(images, 0, 0, o->images, 1); /* up to so many */
    labels = tg_to(tg_slice(labels, 0, 0, o->images, 1), TG_I64);
    return tg_loader_new(2, (tg_tensor *[]){images, labels}, .batch = training ? 128 : 500,
                         .shuffle = training, .seed = o->seed, .transform = training ? augment : prepare);
}

/* ---- all of it ---- */

static tg_status train(const options *o) {
    tg_seed(o->seed); /* for dropout */
    tg_mark start = tg_tape_mark();
    tg_model *m = tg_model_new(o->seed);
    tg_optim *adam = tg_adamw(m, 1e-3);
    tg_loader *training = load(o, true), *test = load(o, false);
    int64_t steps = o->epochs * tg_loader_batches(training);
    tg_schedule *cycle = tg_schedule_new(adam, tg_lr_one_cycle(0.01, steps, .fixed_momentum = true));
    tg_training run = {.model = m, .optim = adam, .schedule = cycle, .loader = training};

    tg_fit_report report = {0};
    tg_status status = tg_fit(&run, loss, .epochs = o->epochs, .validation = test,
                              .metrics = (tg_metric[]){{.name = "accuracy", .f = accuracy}, {0}}, .log = stderr,
                              .folder = o->folder, .resume = o->folder != NULL, .report = &report);
    if (status == TG_OK) {
        tg_model_print(stdout, m);
        printf("test accuracy %.4f +- %.4f after %lld epochs, %.1f seconds each\n",
               tg_meter_mean(&report.metric[0]), tg_meter_error(&report.metric[0]), (long long)report.epoch,
               report.seconds / (double)report.epoch);
    }
    tg_loader_free(training), tg_loader_free(test);
    tg_schedule_free(cycle), tg_optim_free(adam), tg_model_free(m);
    tg_tape_rewind(start);
    return status;
}

int main(int argc, char **argv) {
    options o = {.epochs = 10, .images = TG_END, .seed = 1};
    for (int c; (c = getopt(argc, argv, "e:s:n:o:")) != -1;) {
        if (c == 'e') o.epochs = atoll(optarg);
        if (c == 's') o.seed = (uint64_t)atoll(optarg);
        if (c == 'n') o.images = atoll(optarg);
        if (c == 'o') o.folder = optarg;
        if (c == '?') return 2;
    }
    if (train(&o) == TG_OK) return 0;
    fprintf(stderr, "fashion_cnn: %s\n", tg_error_message());
    return 1;
}
