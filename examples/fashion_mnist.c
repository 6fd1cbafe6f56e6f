/* Trains a network of three layers, 784-256-128-10, on Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017).
 *
 * From the top: options, data, the network, training, the gradient check (--check), main.
 * Exit status: 0 fine, 1 an error or a failed check, 2 options that make no sense.
 */
#define _POSIX_C_SOURCE 200809L
#include <tapegrad.h>

#include "drawn_images.h"
#include "progress.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_FOLDER "/usr/share/datasets/fashion-mnist" /* of Debian's package dataset-fashion-mnist */

/* ---- options ---- */

typedef struct options {
    int64_t epochs, batch, train, test, seed, threads;
    double lr;
    const char *data;
    bool check, help;
} options;

typedef enum option_type { WHOLE, REAL, TEXT, FLAG } option_type;

static const struct option {
    const char *name, *value, *help;
    option_type type;
    size_t offset;
    double min, max; /* of a number */
} table[] = {
    {"--epochs", "N", "passes over the training images (10)", WHOLE, offsetof(options, epochs), 0, 1e6},
    {"--batch", "N", "images a step (64)", WHOLE, offsetof(options, batch), 1, 1e6},
    {"--lr", "X", "learning rate; falls to zero along a cosine (0.001)", REAL, offsetof(options, lr), 0, 1e6},
    {"--seed", "N", "of initial weights and shuffling (1)", WHOLE, offsetof(options, seed), 0, 1e18},
    {"--data", "FOLDER", "the data set; or \"drawn\"", TEXT, offsetof(options, data), 0, 0},
    {"--train", "N", "use only the first N training images", WHOLE, offsetof(options, train), 1, 1e9},
    {"--test", "N", "use only the first N test images", WHOLE, offsetof(options, test), 1, 1e9},
    {"--threads", "N", "threads (all cores)", WHOLE, offsetof(options, threads), 1, 1024},
    {"--check", "", "first check the model's gradients", FLAG, offsetof(options, check), 0, 0},
    {"--help", "", "this text", FLAG, offsetof(options, help), 0, 0},
};
enum { N_OPTIONS = sizeof table / sizeof *table };

static void usage(FILE *file) {
    fprintf(file, "usage: fashion_mnist [options]\n");
    for (int i = 0; i < N_OPTIONS; i++)
        fprintf(file, "  %-9s %-7s %s\n", table[i].name, table[i].value, table[i].help);
    fprintf(file,
            "The data set is looked for in %s; \"drawn\" stands for\n"
            "images that the program draws itself.\n",
            DEFAULT_FOLDER);
}

/* Stores the value of one option; false when it is malformed or out of range. */
static bool set_option(const struct option *o, options *to, const char *value) {
    void *field = (char *)to + o->offset;
    char *end = NULL;
    errno = 0;
    switch (o->type) {
    case FLAG:
        *(bool *)field = true;
        return true;
    case TEXT:
        *(const char **)field = value;
        return *value != '\0';
    case REAL:
        *(double *)field = strtod(value, &end);
        break;
    case WHOLE:
        *(int64_t *)field = strtoll(value, &end, 10);
        break;
    }
    double number = o->type == REAL ? *(double *)field : (double)*(int64_t *)field;
    return end != value && *end == '\0' && errno == 0 && number >= o->min && number <= o->max;
}

static bool parse(int argc, char **argv, options *to) {
    for (int i = 1; i < argc; i++) {
        const struct option *o = table;
        while (o < table + N_OPTIONS && strcmp(argv[i], o->name) != 0) o++;
        if (o == table + N_OPTIONS) {
            fprintf(stderr, "fashion_mnist: no option %s\n", argv[i]);
            return false;
        }
        const char *value = o->type == FLAG ? "" : argv[++i]; /* argv ends with NULL */
        if (!value || !set_option(o, to, value)) {
            if (value)
                fprintf(stderr, "fashion_mnist: %s does not take %s\n", o->name, value);
            else
                fprintf(stderr, "fashion_mnist: %s needs a value\n", o->name);
            return false;
        }
    }
    return true;
}

/* ---- data ---- */

typedef struct dataset {
    tg_tensor *images; /* u8 [n, 784] */
    tg_tensor *labels; /* i64 [n] */
} dataset;

static int64_t count(const dataset *d) { return tg_size(d->labels, 0); }

static void free_dataset(dataset *d) {
    tg_free(d->images);
    tg_free(d->labels);
}

/* Checks what a file or the drawing gave, takes the first `limit` images and keeps them. */
static tg_status set_dataset(dataset *d, tg_tensor *images, tg_tensor *labels, int64_t limit) {
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (tg_rank(images) != 3 || tg_rank(labels) != 1 || tg_size(images, 0) != tg_size(labels, 0) ||
        tg_numel(images) != 784 * tg_size(images, 0) || tg_numel(images) == 0) {
        char a[96], b[96];
        return tg_fail(TG_ERR_FORMAT, "the images must be [n, 28, 28] and the labels [n], and are %s and %s",
                       tg_describe(images, a, sizeof a), tg_describe(labels, b, sizeof b));
    }
    int64_t n = tg_size(labels, 0) < limit ? tg_size(labels, 0) : limit;
    d->images = tg_keep(tg_reshape(tg_slice(images, 0, 0, n, 1), n, 784));
    d->labels = tg_keep(tg_to(tg_slice(labels, 0, 0, n, 1), TG_I64));
    return tg_error_status();
}

static tg_status load(dataset *d, const char *folder, const char *part, int64_t limit) {
    char images[4096], labels[4096];
    snprintf(images, sizeof images, "%s/%s-images-idx3-ubyte.gz", folder, part);
    snprintf(labels, sizeof labels, "%s/%s-labels-idx1-ubyte.gz", folder, part);
    tg_tensor *loaded = tg_load_idx(images);
    return set_dataset(d, loaded, tg_load_idx(labels), limit);
}

static tg_status draw(dataset *d, int64_t n, uint64_t seed, int64_t limit) {
    tg_tensor *images, *labels;
    drawn_images(n < limit ? n : limit, seed, &images, &labels);
    return set_dataset(d, images, labels, limit);
}

static tg_status get_data(const options *o, dataset *train, dataset *test) {
    const char *folder = o->data ? o->data : DEFAULT_FOLDER;
    if (!o->data && access(folder, F_OK) != 0) {
        printf("There is no folder %s (Debian: apt install dataset-fashion-mnist).\n", folder);
        folder = "drawn";
    }
    if (strcmp(folder, "drawn") == 0) {
        printf("Using images of shapes that it draws itself; the accuracy is not one on Fashion-MNIST.\n");
        tg_status status = draw(train, 20000, 1, o->train);
        return status == TG_OK ? draw(test, 4000, 2, o->test) : status;
    }
    tg_status status = load(train, folder, "train", o->train);
    return status == TG_OK ? load(test, folder, "t10k", o->test) : status;
}

/* Grey values 0 to 255 become numbers of mean 0 and deviation 1 (over Fashion-MNIST). */
static tg_tensor *normalise(tg_tensor *images, tg_dtype dtype) {
    const double mean = 0.2860, deviation = 0.3530;
    return tg_affine(tg_to(images, dtype), 1 / (255 * deviation), -mean / deviation);
}

/* The loader's transform: batch[0] are images, batch[1] labels. */
static tg_status prepare(tg_tensor **batch, int n, tg_rng *rng, void *user) {
    (void)n, (void)rng, (void)user;
    batch[0] = normalise(batch[0], TG_F32);
    return tg_error_status();
}

/* ---- the network ---- */

static tg_tensor *net(tg_model *m, tg_tensor *x) {
    x = tg_relu(tg_nn_linear(m, "fc1", x, 256));
    x = tg_relu(tg_nn_linear(m, "fc2", x, 128));
    return tg_nn_linear(m, "out", x, 10);
}

/* ---- training ---- */

typedef struct trainer {
    const options *o;
    dataset train, test;
    tg_loader *training, *testing; /* over these */
    tg_model *model;
    tg_optim *adam;
    int64_t step, steps; /* how many are done, and how many there are in all */
} trainer;

static tg_status train_step(trainer *t, tg_tensor *x, tg_tensor *y, double *loss_value) {
    const double pi = 3.14159265358979323846;
    tg_tensor *loss = tg_cross_entropy(net(t->model, x), y);
    *loss_value = tg_item(loss);
    double done = (double)t->step++ / (double)t->steps;
    tg_optim_set_lr(t->adam, t->o->lr * 0.5 * (1 + cos(pi * done)));
    if (tg_backward(loss) == TG_OK) tg_optim_step(t->adam);
    return tg_error_status();
}

/* One pass over the training images. *loss is the mean over them. */
static tg_status train_epoch(trainer *t, progress *bar, double *loss) {
    tg_tensor *batch[2];
    int64_t n = 0;
    double sum = 0, value;
    tg_mark step = tg_tape_mark();
    while (tg_loader_next(t->training, batch)) {
        int64_t now = tg_size(batch[1], 0);
        if (train_step(t, batch[0], batch[1], &value) != TG_OK) break;
        tg_tape_rewind(step);
        n += now;
        sum += value * (double)now;
        progress_show(bar, n, sum / (double)n);
    }
    *loss = sum / (double)n;
    return tg_error_status();
}

/* The fraction of test images that get their own class. Nothing is recorded. */
static double test_accuracy(const trainer *t) {
    tg_tensor *batch[2];
    double right = 0;
    bool was = tg_set_grad_enabled(false);
    tg_mark mark = tg_tape_mark();
    while (tg_loader_next(t->testing, batch)) {
        right += tg_accuracy(net(t->model, batch[0]), batch[1]) * (double)tg_size(batch[1], 0);
        tg_tape_rewind(mark);
    }
    tg_set_grad_enabled(was);
    return right / (double)count(&t->test);
}

static tg_status train(trainer *t) {
    int64_t n = count(&t->train), epochs = t->o->epochs;
    double seconds = 0, loss = 0;
    t->steps = epochs * tg_loader_batches(t->training);
    for (int64_t e = 1; e <= epochs; e++) {
        char label[48];
        snprintf(label, sizeof label, "epoch %2lld/%lld", (long long)e, (long long)epochs);
        progress bar = progress_begin(label, n);
        if (train_epoch(t, &bar, &loss) != TG_OK) return tg_error_status();
        double took = progress_seconds(&bar);
        seconds += took;
        progress_end(&bar);
        double accuracy = test_accuracy(t);
        if (tg_error_status() != TG_OK) return tg_error_status();
        printf("%s  loss %.4f  test accuracy %.4f  %6.2f s  %7.0f img/s\n", label, loss, accuracy, took,
               (double)n / took);
        fflush(stdout);
    }
    printf("test accuracy %.4f after %lld epochs", test_accuracy(t), (long long)epochs);
    if (epochs > 0)
        printf(", %.2f seconds per epoch, threads: %d", seconds / (double)epochs, tg_num_threads());
    printf("\n");
    return tg_error_status();
}

/* ---- the gradient check ---- */

/* The model in float64, with the initial weights of the training (before they are rounded to float32), and some
 * images. */
typedef struct check {
    tg_model *model;
    tg_tensor *x, *y;
    int64_t compared;
    double worst; /* the largest difference, as a multiple of what is allowed */
} check;

static double check_loss(const check *c) {
    tg_mark mark = tg_tape_mark();
    double loss = tg_item(tg_cross_entropy(net(c->model, c->x), c->y));
    tg_tape_rewind(mark);
    return loss;
}

/* dL/dw by a central difference. */
static double difference(const check *c, double *w, double eps) {
    double was = *w, above, below;
    *w = was + eps;
    above = check_loss(c);
    *w = was - eps;
    below = check_loss(c);
    *w = was;
    return (above - below) / (2 * eps);
}

/* Element i of a parameter. A relu may have its kink within the step; then a smaller step is tried. A wrong
 * gradient is wrong at both. */
static void check_element(check *c, tg_tensor *parameter, const double *gradient, int64_t i) {
    double *w = (double *)tg_data_mut(parameter) + i, ratio = 0;
    for (double eps = 1e-6; eps > 1e-8; eps /= 10) {
        double numeric = difference(c, w, eps);
        ratio = fabs(gradient[i] - numeric) / (1e-7 + 1e-4 * fabs(numeric));
        if (ratio <= 1) break;
    }
    c->compared++;
    if (!(ratio <= c->worst)) {
        c->worst = isnan(ratio) ? INFINITY : ratio;
        if (!(ratio <= 1))
            printf("  %s, element %lld: the tape says %.9g, finite differences %.9g\n", tg_name(parameter),
                   (long long)i, gradient[i], difference(c, w, 1e-6));
    }
}

/* Up to 64 elements of every parameter, picked at random. */
static void check_parameters(check *c, uint64_t seed) {
    tg_rng rng = {.seed = seed};
    bool was = tg_set_grad_enabled(false);
    for (int k = 0; k < tg_model_count(c->model) && tg_error_status() == TG_OK; k++) {
        tg_tensor *parameter = tg_model_at(c->model, k);
        const double *gradient = tg_data(tg_grad_of(parameter));
        int64_t n = tg_numel(parameter), picks = n < 64 ? n : 64;
        for (int64_t i = 0; gradient && i < picks; i++)
            check_element(c, parameter, gradient, n == picks ? i : (int64_t)tg_rng_below(&rng, (uint64_t)n));
    }
    tg_set_grad_enabled(was);
}

/* The network, loss and data of the training, in float64. Comparing each of its 235,146 derivatives, as
 * tg_gradcheck does for small functions, would take minutes; this samples every parameter. */
static bool check_gradients(const trainer *t) {
    int64_t n = count(&t->train) < 8 ? count(&t->train) : 8;
    check c = {.model = tg_model_new((uint64_t)t->o->seed)};
    tg_mark mark = tg_tape_mark();
    c.x = normalise(tg_slice(t->train.images, 0, 0, n, 1), TG_F64);
    c.y = tg_slice(t->train.labels, 0, 0, n, 1);
    if (tg_backward(tg_cross_entropy(net(c.model, c.x), c.y)) == TG_OK) check_parameters(&c, 1);
    tg_tape_rewind(mark);
    bool ok = tg_error_status() == TG_OK && c.compared > 0 && c.worst <= 1;
    if (tg_error_status() == TG_OK)
        printf("gradient check %s: %lld derivatives, sampled from %d parameters of %lld elements,\n"
               "against finite differences in float64; the worst is at %.2g of the tolerance\n",
               ok ? "passed" : "FAILED", (long long)c.compared, tg_model_count(c.model),
               (long long)tg_model_numel(c.model), c.worst);
    tg_model_free(c.model);
    return ok;
}

/* ---- all of it ---- */

static bool run(trainer *t) {
    if (get_data(t->o, &t->train, &t->test) != TG_OK) return false;
    int64_t n = count(&t->train);
    printf("%lld training images, %lld test images\n", (long long)n, (long long)count(&t->test));
    if (t->o->check && !check_gradients(t)) return false;

    uint64_t seed = (uint64_t)t->o->seed;
    t->model = tg_model_new(seed);
    t->adam = tg_adam(t->model, t->o->lr);
    t->training = tg_loader_new(2, (tg_tensor *[]){t->train.images, t->train.labels}, .batch = t->o->batch,
                                .shuffle = true, .seed = seed, .prefetch = 4, .transform = prepare);
    t->testing =
        tg_loader_new(2, (tg_tensor *[]){t->test.images, t->test.labels}, .batch = 1000, .transform = prepare);
    return train(t) == TG_OK;
}

int main(int argc, char **argv) {
    options o = {.epochs = 10, .batch = 64, .train = INT64_MAX, .test = INT64_MAX, .seed = 1, .lr = 1e-3};
    if (!parse(argc, argv, &o)) {
        usage(stderr);
        return 2;
    }
    if (o.help) {
        usage(stdout);
        return 0;
    }
    if (o.threads > 0) tg_set_num_threads((int)o.threads);

    trainer t = {.o = &o};
    tg_mark start = tg_tape_mark();
    bool ok = run(&t);
    if (tg_error_status() != TG_OK) fprintf(stderr, "fashion_mnist: %s\n", tg_error_message());
    tg_loader_free(t.training);
    tg_loader_free(t.testing);
    tg_optim_free(t.adam);
    tg_model_free(t.model);
    free_dataset(&t.train);
    free_dataset(&t.test);
    tg_tape_rewind(start);
    return ok ? 0 : 1;
}
