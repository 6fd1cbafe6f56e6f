/* Pictures of tensors, each in one call, as SVG files that a browser shows and, where it is said, as PNG files.
 *
 *     tg_plot_lines("loss.svg", 2, (tg_series[]){{"train", .y = train}, {"test", .y = test}},
 *                   .title = "Loss", .x = "epoch", .y = "loss", .log_y = true);
 *     tg_plot_images("digits.png", images);                          // [n, h, w] or [n, c, h, w]
 *     tg_plot_confusion("confusion.svg", target, predicted, .names = names);
 *
 * The ending of the path, ".svg" or ".png", says which (TG_ERR_ARGUMENT for another). An SVG is light on a light page
 * and dark on a dark one (prefers-color-scheme), prints in black on white, and has colours that colour-blind people tell
 * apart (Okabe and Ito 2008; the map of heat is viridis). Titles and labels are UTF-8; what is none is replaced by U+FFFD. A
 * PNG has the pixels alone, without titles, axes and colour bar: of images and heat maps; other pictures are SVG only
 * (TG_ERR_ARGUMENT). It needs the library to be built with libpng, and so do an SVG of images and one of a heat map of more
 * than 65,536 cells, which have a PNG inside (TG_ERR_ARGUMENT, which says so).
 *
 * Tensors are of any dtype and layout, and are read only. NaN, infinity and what lies beyond 1e300 are gaps: a line is
 * interrupted, a cell is left empty. Nothing to draw is TG_ERR_ARGUMENT, as are no elements and none that is finite. A file
 * appears whole or not at all (core/io/text.h). While an error is pending nothing is written, and the pending status returned.
 */
#ifndef TG_OPS_NN_PLOT_PLOT_H
#define TG_OPS_NN_PLOT_PLOT_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- lines and points ---- */

/* Points (x_i, y_i), one for each element of y. */
typedef struct tg_series {
    const char *name; /* in the legend; NULL: not named there */
    const tg_tensor *y;
    const tg_tensor *x; /* as many as y; NULL: 0, 1, 2, .. */
    const tg_tensor *error; /* as many as y; NULL: none. Half the height of the band around the line, or of the bar at a point */
} tg_series;

typedef struct tg_plot_lines_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    const char *title, *x, *y;    /* above, and along the axes; NULL: none */
    bool log_x, log_y;            /* logarithmic; what is not positive is a gap */
    double x_min,
        x_max; /* the ends of the axis, where they differ; otherwise those of the data, with a margin */
    double y_min, y_max;
    int width, height; /* pixels; 640 and 400 when left out */
} tg_plot_lines_opts;
typedef tg_plot_lines_opts tg_plot_scatter_opts;

/* A line through the points of each of n series, at most 16, in their order; a point without neighbours is a dot. Of more
 * points than there is room for, the line goes through the first, least, largest and last of those that follow each other in one column of pixels, so that it
 * looks as with all of them. */
TG_API tg_status tg_plot_lines_with(const char *path, int n, const tg_series *series, tg_plot_lines_opts opts);

/* A dot at each point. Dots in the same place, to half a pixel, are drawn once. */
TG_API tg_status tg_plot_scatter_with(const char *path, int n, const tg_series *series,
                                      tg_plot_scatter_opts opts);

/* ---- distributions ---- */

typedef struct tg_plot_histogram_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    const char *title, *x, *y;    /* y is "count" when left out */
    int bins;        /* when left out as many as Freedman and Diaconis (1981) have it, 5 to 200 */
    double min, max; /* where they differ, the range of the bins; what lies outside does not count */
    bool log_y;
    int width, height; /* pixels; 640 and 400 when left out */
} tg_plot_histogram_opts;

/* How many of the elements of t lie in each of the bins of equal width, each of which has its lower end, and the last one
 * its upper end too. */
TG_API tg_status tg_plot_histogram_with(const char *path, const tg_tensor *t, tg_plot_histogram_opts opts);

/* ---- matrices ---- */

typedef struct tg_plot_heatmap_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    const char *title, *x, *y;
    const char *bar; /* beside the colour bar */
    double min,
        max; /* the values of the first and the last colour, where they differ; others beyond are theirs */
    bool diverging; /* blue, white, red, about 0: for what has a sign */
    double x_min,
        x_max; /* what the outer edges of the first and the last column stand for, where they differ; */
    double y_min, y_max; /* otherwise cells are numbered. y_min is below: row 0 is there then, otherwise above */
    const char *const *names; /* of the rows, beside them, every second or third where there are many; NULL: their numbers */
    int scale;                /* pixels of a cell, in a PNG; when left out, so many that it has about 400 */
} tg_plot_heatmap_opts;

/* The matrix t, [rows, columns], a coloured cell an element, with a colour bar. */
TG_API tg_status tg_plot_heatmap_with(const char *path, const tg_tensor *t, tg_plot_heatmap_opts opts);

typedef struct tg_plot_confusion_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    const char *title;            /* "accuracy 0.912 (912 of 1000)" when left out */
    const char *const *names;     /* of the classes; NULL: their numbers */
    int64_t classes;              /* when left out the largest of both and one more */
} tg_plot_confusion_opts;

/* How often class r (a row, by `target`) was taken for class c (a column, by `predicted`): both [n], of integers. A cell has
 * the count, and below it the rate among its row, which its colour shows. At most 64 classes; TG_ERR_ARGUMENT for one that
 * lies outside [0, classes), and TG_ERR_SHAPE where the shapes differ. */
TG_API tg_status tg_plot_confusion_with(const char *path, const tg_tensor *target, const tg_tensor *predicted,
                                        tg_plot_confusion_opts opts);

/* ---- images ---- */

typedef struct tg_plot_images_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    const char *title;
    const char *const *captions; /* n, one below each image; NULL: none, and NULL for one: none below it */
    int columns;                 /* when left out, such that the grid is about a square */
    int scale;                   /* pixels of a pixel; when left out, so many that an image has about 64 */

    /* The values of black and white, where they differ; otherwise 0 and 255 of u8, the least and the largest of all others. */
    double min, max;
} tg_plot_images_opts;

/* Images in a grid, row by row: grey of [n, h, w] and [n, 1, h, w], or of one [h, w]; red, green and blue of [n, 3, h, w].
 * TG_ERR_SHAPE for another shape. */
TG_API tg_status tg_plot_images_with(const char *path, const tg_tensor *t, tg_plot_images_opts opts);

#ifdef __cplusplus
}
#endif

#endif
