/* One picture of each kind, each in one call: pictures FOLDER writes lines.svg, scatter.svg, histogram.svg, heatmap.svg,
 * confusion.svg, images.svg and images.png there. docs/pictures.md shows them. */
#include <tapegrad.h>

#include "drawn_images.h"

enum { STEPS = 60 };
static const char *folder;

/* "<folder>/<name>", good until the next call. */
static const char *in_folder(const char *name) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* The losses of a training that did not happen: exponentials with noise. */
static void lines(void) {
    tg_tensor *epoch = tg_arange(TG_F64, 1, STEPS + 1, 1), *decay = tg_exp(tg_affine(epoch, -1.0 / 12, 0));
    tg_tensor *noise = tg_mul(decay, tg_affine(tg_randn(TG_F64, STEPS), 0.04, 0));
    tg_tensor *train = tg_affine(tg_add(decay, noise), 2.3, 0.02), *test = tg_affine(decay, 2.1, 0.24);
    tg_plot_lines(in_folder("lines.svg"), 2,
                  (tg_series[]){{"training", .y = train, .x = epoch},
                                {"validation", .y = test, .x = epoch, .error = tg_full(TG_F64, 0.03, STEPS)}},
                  .title = "Loss", .x = "epoch", .y = "cross-entropy", .log_y = true);
}

static void scatter(void) {
    tg_tensor *a = tg_randn(TG_F32, 300), *b = tg_affine(tg_randn(TG_F32, 300), 0.6, 2.5);
    tg_plot_scatter(in_folder("scatter.svg"), 2,
                    (tg_series[]){{"first", .x = a,
                                   .y = tg_add(tg_affine(a, 0.7, 0), tg_affine(tg_randn(TG_F32, 300), 0.5, 0))},
                                  {"second", .x = b, .y = tg_affine(tg_randn(TG_F32, 300), 0.8, -1)}},
                    .title = "Two classes", .x = "length", .y = "width");
}

static void histogram(void) {
    tg_model *m = tg_model_new(1);
    tg_nn_linear(m, "fc1", tg_zeros(TG_F32, 1, 784), 256);
    tg_plot_histogram(in_folder("histogram.svg"), tg_model_find(m, "fc1.weight"),
                      .title = "Initial weights of a layer", .x = "weight");
    tg_model_free(m);
}

/* sin(pi x) exp(-t), which solves the heat equation, over x in [-1, 1] and t in [0, 2]. */
static void heatmap(void) {
    tg_tensor *x = tg_reshape(tg_arange(TG_F32, 0, 60, 1), 1, 60),
              *t = tg_reshape(tg_arange(TG_F32, 0, 40, 1), 40, 1);
    const float pi = 3.14159265f;
    tg_tensor *u = tg_mul(tg_sin(tg_affine(x, pi / 30, -pi)), tg_exp(tg_affine(t, -0.05, 0)));
    tg_plot_heatmap(in_folder("heatmap.svg"), u, .title = "Heat in a rod", .x = "x", .y = "t",
                    .bar = "u(x, t)", .diverging = true, .x_min = -1, .x_max = 1, .y_max = 2);
}

static void images(void) {
    static const char *const names[] = {"disc",  "ring",     "square",  "frame", "triangle",
                                        "cross", "diagonal", "upright", "level", "chequers"};
    tg_tensor *x, *y;
    drawn_images(10, 3, &x, &y);
    const char *captions[10];
    for (int i = 0; i < 10; i++) captions[i] = names[(int)tg_get(y, i)];
    tg_plot_images(in_folder("images.svg"), x, .title = "Ten images", .captions = captions, .columns = 5);
    tg_plot_images(in_folder("images.png"), x, .columns = 5);

    drawn_images(500, 4, &x, &y);
    tg_tensor *target = tg_to(y, TG_I64), *right = tg_affine(tg_to(tg_one_hot(target, 10), TG_F32), 3, 0);
    tg_plot_confusion(in_folder("confusion.svg"), target,
                      tg_argmax(tg_add(right, tg_randn(TG_F32, 500, 10)), 1), .names = names);
}

int main(int argc, char **argv) {
    folder = argc > 1 ? argv[1] : ".";
    tg_seed(1);
    lines();
    scatter();
    histogram();
    heatmap();
    images();
    if (tg_error_status() != TG_OK) return fprintf(stderr, "pictures: %s\n", tg_error_message()), 1;
    return 0;
}
