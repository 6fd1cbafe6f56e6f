/* Images in a grid. */
#include "ops/nn/plot/plot_private.h"

#include <math.h>
#include <string.h>

enum { ABOUT = 64, GAP = 4, EDGE = 12, CAPTION = 16, TITLE = 26, MOST = 100000 }; /* pixels; MOST images */
static const char who[] = "tg_plot_images";

typedef struct images {
    const double *v; /* [n, channels, height, width] */
    int64_t n, channels, height, width, columns, rows, scale;
    double lo, hi;
    int64_t below; /* pixels for a caption */
} images;

static tg_status set_shape(images *g, const tg_array *a, const tg_tensor *t) {
    const int64_t *s = a->shape;
    bool channels = a->rank == 4;
    char text[96];
    if (a->rank < 2 || a->rank > 4 || (channels && s[1] != 1 && s[1] != 3))
        return tg_fail(TG_ERR_SHAPE, "%s: needs images [n, h, w], [n, 1, h, w] or [n, 3, h, w], not %s", who,
                       tg_describe(t, text, sizeof text));
    g->n = a->rank == 2 ? 1 : s[0];
    g->channels = channels ? s[1] : 1;
    g->height = s[a->rank - 2];
    g->width = s[a->rank - 1];
    if (a->numel > 0 && g->n <= MOST) return TG_OK;
    return tg_fail(TG_ERR_ARGUMENT, "%s: there are to be 1 to %d images, of some pixels: %s", who, MOST,
                   tg_describe(t, text, sizeof text));
}

static tg_status set_range(images *g, const tg_array *a, bool bytes, const tg_plot_images_opts *o) {
    tg_extent e = {0};
    for (int64_t i = 0; i < a->numel; i++) tg_extent_add(&e, g->v[i], false);
    if (!e.any) return tg_fail(TG_ERR_ARGUMENT, "%s: there is nothing to draw: no pixel is finite", who);
    tg_plot_axis range = tg_axis_over(e, false, 0, o->min, o->max);
    g->lo = range.lo, g->hi = range.hi;
    if (bytes && !tg_range_given(o->min, o->max, false)) g->lo = 0, g->hi = 255;
    return TG_OK;
}

static void set_grid(images *g, const tg_plot_images_opts *o) {
    int64_t longer = g->height > g->width ? g->height : g->width;
    g->scale = o->scale ? o->scale : longer < ABOUT ? ABOUT / longer : 1;
    g->columns =
        o->columns ? o->columns : (int64_t)ceil(sqrt((double)g->n * (double)g->height / (double)g->width));
    if (g->columns > g->n) g->columns = g->n;
    g->rows = (g->n + g->columns - 1) / g->columns;
    g->below = o->captions ? CAPTION : 0;
}

static int64_t cell_width(const images *g) { return g->width * g->scale + GAP; }
static int64_t cell_height(const images *g) { return g->height * g->scale + GAP + g->below; }

static uint8_t shade(const images *g, double v) {
    double part = (v - g->lo) / (g->hi - g->lo);
    return (uint8_t)lround(255 * (part > 0 ? fmin(part, 1) : 0));
}

/* A pixel, and the square of `scale` that shows it; one that has a NaN stays transparent. */
static void put_pixel(const images *g, const tg_pixels *p, int64_t i, int64_t y, int64_t x) {
    uint8_t c[4] = {0, 0, 0, 255};
    for (int k = 0; k < 3; k++) {
        double v = g->v[((i * g->channels + (g->channels == 3 ? k : 0)) * g->height + y) * g->width + x];
        if (!tg_axis_shows(v, false)) return;
        c[k] = shade(g, v);
    }
    int64_t left = i % g->columns * cell_width(g) + x * g->scale,
            top = i / g->columns * cell_height(g) + y * g->scale;
    for (int64_t down = 0; down < g->scale; down++)
        for (int64_t right = 0; right < g->scale; right++)
            memcpy(p->rgba + 4 * ((top + down) * p->width + left + right), c, 4);
}

static tg_status rasterise(const images *g, tg_pixels *p) {
    if (g->width > INT32_MAX / g->scale || g->height > INT32_MAX / g->scale)
        return tg_fail(TG_ERR_ARGUMENT, "%s: a scale of %lld makes images too large", who, (long long)g->scale);
    if (tg_pixels_new(p, who, g->columns * cell_width(g) - GAP, g->rows * cell_height(g) - GAP) != TG_OK)
        return tg_error_status();
    for (int64_t i = 0; i < g->n; i++)
        for (int64_t y = 0; y < g->height; y++)
            for (int64_t x = 0; x < g->width; x++) put_pixel(g, p, i, y, x);
    return TG_OK;
}

static tg_status draw(const char *path, const images *g, const tg_pixels *p, const tg_plot_images_opts *o) {
    tg_svg svg;
    double top = EDGE + (o->title && *o->title ? TITLE : 0),
           width = fmax((double)p->width, o->title ? fmin(tg_svg_width(o->title, 16), 400) : 0) + 2 * EDGE;
    tg_svg_begin(&svg, o->title, width, top + (double)p->height + EDGE);
    tg_svg_put_text(&svg, o->title,
                    (tg_svg_text){"title", "start", EDGE, EDGE + 14, 16, width - 2 * EDGE, false});
    tg_status s = tg_svg_put_pixels(&svg, who, p, EDGE, top, (double)p->width, (double)p->height);
    for (int64_t i = 0; i < g->n && o->captions; i++)
        tg_svg_put_text(
            &svg, o->captions[i],
            (tg_svg_text){"soft", "middle",
                          EDGE + (double)(i % g->columns * cell_width(g)) + (double)(g->width * g->scale) / 2,
                          top + (double)(i / g->columns * cell_height(g) + g->height * g->scale) + 13, 11,
                          (double)(g->width * g->scale), false});
    return tg_svg_end(&svg, path, s);
}

tg_status tg_plot_images_with(const char *path, const tg_tensor *t, tg_plot_images_opts opts) {
    TG_NAMED(who);
    tg_array a = {.data = NULL};
    images g = {.n = 0};
    tg_pixels p = {.rgba = NULL};
    tg_picture kind = tg_picture_of(path, who, true);
    if (kind == TG_PICTURE_NONE) return tg_error_status();
    if (opts.columns < 0 || opts.scale < 0)
        return tg_fail(TG_ERR_ARGUMENT, "%s: columns %d and scale %d must not be negative", who, opts.columns,
                       opts.scale);
    if (kind == TG_PICTURE_PNG) opts.captions = NULL;
    if (tg_plot_read(t, who, "the tensor", &a) != TG_OK) return tg_error_status();
    g.v = a.data;
    tg_status s = set_shape(&g, &a, t);
    if (s == TG_OK) s = set_range(&g, &a, tg_dtype_of(t) == TG_U8, &opts);
    if (s == TG_OK) {
        set_grid(&g, &opts);
        s = rasterise(&g, &p);
    }
    if (s == TG_OK) s = kind == TG_PICTURE_PNG ? tg_png_save(&p, who, path) : draw(path, &g, &p, &opts);
    tg_pixels_free(&p);
    tg_array_drop(&a);
    return s;
}
