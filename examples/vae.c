/* A variational autoencoder (Kingma and Welling, 2014) of Fashion-MNIST: it learns to draw clothes.
 *
 * An image x has a code z, of which the encoder says the distribution q(z|x) = N(mean, exp(log_variance)), and the decoder
 * p(x|z), how much ink each pixel has. What is maximised is a lower bound of log p(x), the ELBO, in nats an image:
 *     E_q log p(x|z) - KL(q(z|x) || N(0, 1))
 * where, as is usual, the grey of a pixel counts as the probability that it is white. Decoding a normal z draws a new image.
 *
 * usage: vae [EPOCHS [IMAGES]]      writes vae.png, vae.safetensors
 */
#define _POSIX_C_SOURCE 200809L
#include <tapegrad.h>

#include "drawn_images.h"

#include <stdlib.h>
#include <unistd.h>

#define FOLDER "/usr/share/datasets/fashion-mnist" /* of Debian's package dataset-fashion-mnist */
enum { CODE = 16, COLUMNS = 16 };

/* ---- the model ---- */

typedef struct code {
    tg_tensor *mean, *log_variance; /* [n, CODE] */
} code;

static code encode(tg_model *m, tg_tensor *x) {
    tg_tensor *h = tg_relu(tg_nn_linear(m, "encoder1", x, 512));
    h = tg_relu(tg_nn_linear(m, "encoder2", h, 256));
    code c = {.mean = tg_nn_linear(m, "mean", h, CODE)};
    c.log_variance = tg_nn_linear(m, "log_variance", h, CODE);
    return c;
}

/* The logits of the pixels, [n, 784]. */
static tg_tensor *decode(tg_model *m, tg_tensor *z) {
    tg_tensor *h = tg_relu(tg_nn_linear(m, "decoder1", z, 256));
    h = tg_relu(tg_nn_linear(m, "decoder2", h, 512));
    return tg_nn_linear(m, "pixels", h, 784);
}

/* The bound of each image, [n]. A normal z is mean + deviation * noise, so that gradients reach mean and deviation. */
static tg_tensor *elbo(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    tg_tensor *x = batch[0];
    code c = encode(m, x);
    tg_tensor *z = tg_add(c.mean, tg_mul(tg_exp(tg_affine(c.log_variance, 0.5, 0)), tg_randn_like(c.mean)));
    tg_tensor *miss = tg_binary_cross_entropy_with_logits(decode(m, z), x, .reduction = TG_REDUCTION_NONE);
    tg_tensor *kl = tg_sub(tg_add(tg_square(c.mean), tg_exp(c.log_variance)), tg_affine(c.log_variance, 1, 1));
    return tg_neg(tg_add(tg_sum(miss, .axes = TG_SHAPE(1)), tg_affine(tg_sum(kl, .axes = TG_SHAPE(1)), 0.5, 0)));
}

static tg_tensor *loss(tg_model *m, tg_tensor **batch, void *user) {
    return tg_neg(tg_mean(elbo(m, batch, user)));
}

/* ---- the data ---- */

/* Images as [n, 784] with 0 for black and 1 for white. */
static tg_tensor *load(const char *part, int64_t limit) {
    tg_tensor *images, *labels;
    if (access(FOLDER, F_OK) == 0) {
        char path[256];
        snprintf(path, sizeof path, FOLDER "/%s-images-idx3-ubyte.gz", part);
        images = tg_load_idx(path);
    } else {
        printf("There is no folder " FOLDER
               " (Debian: apt install dataset-fashion-mnist): using drawn shapes.\n");
        drawn_images(limit < 20000 ? limit : 20000, *part == 't' ? 1 : 2, &images, &labels);
    }
    if (tg_size(images, 0) > limit) images = tg_slice(images, 0, 0, limit, 1);
    return tg_affine(tg_to(tg_flatten(images, 1, -1), TG_F32), 1.0 / 255, 0);
}

/* ---- the picture ---- */

/* Rows of images: of the test data; what the decoder makes of their codes; of the way from the code of one to that of another;
 * and, three of them, of codes drawn at random. */
static tg_status draw(tg_model *m, tg_tensor *test, const char *path) {
    tg_tensor *real = tg_slice(test, 0, 0, COLUMNS, 1);
    tg_tensor *z = encode(m, real).mean, *from = tg_slice(z, 0, 0, 1, 1), *to = tg_slice(z, 0, 1, 2, 1);
    tg_tensor *t = tg_reshape(tg_linspace(TG_F32, 0, 1, COLUMNS), COLUMNS, 1);
    tg_tensor *way = tg_add(from, tg_mul(t, tg_sub(to, from)));
    tg_tensor *random = tg_randn(TG_F32, 3 * COLUMNS, CODE);
    tg_tensor *all = tg_concat(0, real, tg_sigmoid(decode(m, tg_concat(0, z, way, random))));
    return tg_plot_images(path, tg_reshape(all, -1, 28, 28), .columns = COLUMNS, .scale = 2);
}

int main(int argc, char **argv) {
    int64_t epochs = argc > 1 ? atoll(argv[1]) : 15, limit = argc > 2 ? atoll(argv[2]) : INT64_MAX;
    tg_seed(1);
    tg_tensor *images = load("train", limit), *test = load("t10k", limit);
    tg_model *m = tg_model_new(1);
    tg_optim *adam = tg_adam(m, 1e-3);
    tg_loader *train = tg_loader_new(1, &images, .batch = 128, .shuffle = true, .seed = 1);
    tg_loader *check = tg_loader_new(1, &test, .batch = 500);
    tg_schedule *s =
        tg_schedule_new(adam, tg_lr_one_cycle(4e-3, epochs * tg_loader_batches(train), .fixed_momentum = true));

    tg_training run = {.model = m, .optim = adam, .schedule = s, .loader = train};
    tg_fit_report report = {0};
    tg_fit(&run, loss, .epochs = epochs, .validation = check,
           .metrics = (tg_metric[]){{.name = "elbo", .f = elbo}, {0}}, .log = stderr, .report = &report);
    tg_model_set_training(m, false);
    tg_set_grad_enabled(false);
    draw(m, test, "vae.png");
    tg_model_save(m, "vae.safetensors");
    if (tg_error_status() != TG_OK)
        fprintf(stderr, "vae: %s\n", tg_error_message());
    else
        printf("ELBO of the test images %.2f +- %.2f nats\n", tg_meter_mean(&report.metric[0]),
               tg_meter_error(&report.metric[0]));
    tg_loader_free(train), tg_loader_free(check), tg_schedule_free(s), tg_optim_free(adam), tg_model_free(m);
    return tg_error_status() != TG_OK;
}
