/* Matrices as coloured cells, with a colour bar. */
#include "ops/nn/plot/plot_private.h"

#include <math.h>

/* Cells that are drawn one by one, of which pixels would take less room; or, without libpng, wherever that is possible. */
#if TG_HAVE_LIBPNG
enum { MOST_CELLS = 512 };
#else
enum { MOST_CELLS = 65536 };
#endif
enum { BAR_WIDTH = 14, BAR_ROOM = 92, STOPS = 11, ABOUT = 400 }; /* pixels; colours */
static const char who[] = "tg_plot_heatmap";

typedef struct heatmap {
    const double *v;
    int64_t rows, columns;
    double lo, hi; /* of the colours */
    tg_color_map map;
    bool up; /* row 0 is below */
} heatmap;

static bool is_empty(double v) { return !tg_axis_shows(v, false); }

static uint32_t color_of(const heatmap *h, double v) {
    return tg_color_at(h->map, (v - h->lo) / (h->hi - h->lo));
}

/* The element shown in row r from above. */
static double cell(const heatmap *h, int64_t r, int64_t c) {
    return h->v[(h->up ? h->rows - 1 - r : r) * h->columns + c];
}

static tg_status set_colors(heatmap *h, const tg_plot_heatmap_opts *o) {
    tg_extent e = {0};
    for (int64_t i = 0; i < h->rows * h->columns; i++) tg_extent_add(&e, h->v[i], false);
    if (!e.any) return tg_fail(TG_ERR_ARGUMENT, "%s: there is nothing to draw: no element is finite", who);
    if (o->diverging) {
        double most = fmax(fabs(e.lo), fabs(e.hi));
        e.lo = -most, e.hi = most;
    }
    tg_plot_axis a = tg_axis_over(e, false, 0, o->min, o->max);
    h->lo = a.lo, h->hi = a.hi;
    h->map = o->diverging ? TG_MAP_DIVERGING : TG_MAP_VIRIDIS;
    return TG_OK;
}

static void put_pixel(const tg_pixels *p, int64_t x, int64_t y, uint32_t color) {
    uint8_t *c = p->rgba + 4 * (y * p->width + x);
    c[0] = (uint8_t)(color >> 16), c[1] = (uint8_t)(color >> 8), c[2] = (uint8_t)color, c[3] = 255;
}

/* `scale` pixels a cell. */
static tg_status rasterise(const heatmap *h, tg_pixels *p, int64_t scale) {
    if (h->columns > INT64_MAX / scale || h->rows > INT64_MAX / scale ||
        tg_pixels_new(p, who, h->columns * scale, h->rows * scale) != TG_OK)
        return tg_error_status();
    for (int64_t y = 0; y < p->height; y++)
        for (int64_t x = 0; x < p->width; x++) {
            double v = cell(h, y / scale, x / scale);
            if (!is_empty(v)) put_pixel(p, x, y, color_of(h, v));
        }
    return TG_OK;
}

static tg_status draw_cells(tg_frame *f, const heatmap *h) {
    double width = (f->right - f->left) / (double)h->columns, height = (f->bottom - f->top) / (double)h->rows;
    if (h->rows * h->columns > MOST_CELLS) {
        tg_pixels p = {.rgba = NULL};
        tg_status s = rasterise(h, &p, 1);
        if (s == TG_OK)
            s = tg_svg_put_pixels(&f->svg, who, &p, f->left, f->top, f->right - f->left, f->bottom - f->top);
        tg_pixels_free(&p);
        return s;
    }
    fputs("<g shape-rendering=\"crispEdges\">\n", f->svg.file);
    for (int64_t r = 0; r < h->rows; r++)
        for (int64_t c = 0; c < h->columns; c++) {
            double v = cell(h, r, c);
            if (!is_empty(v))
                fprintf(f->svg.file, "<path fill=\"#%06x\" d=\"M%.2f %.2fh%.2fv%.2fh-%.2fz\"/>\n",
                        (unsigned)color_of(h, v), f->left + (double)c * width, f->top + (double)r * height,
                        width, height, width);
        }
    fputs("</g>\n", f->svg.file);
    return TG_OK;
}

static void draw_bar(tg_frame *f, const heatmap *h, const char *label) {
    tg_ticks t;
    tg_plot_axis a = {.lo = h->lo, .hi = h->hi, .from = f->bottom, .to = f->top};
    double x = f->right + 18;
    tg_axis_ticks(&a, (int)(f->height / 55), &t);
    fputs("<linearGradient id=\"bar\" x1=\"0\" y1=\"1\" x2=\"0\" y2=\"0\">", f->svg.file);
    for (int i = 0; i < STOPS; i++)
        fprintf(f->svg.file, "<stop offset=\"%.1f\" stop-color=\"#%06x\"/>", (double)i / (STOPS - 1),
                (unsigned)tg_color_at(h->map, (double)i / (STOPS - 1)));
    fprintf(f->svg.file,
            "</linearGradient>\n<rect x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%.1f\" fill=\"url(#bar)\"/>\n",
            x, f->top, BAR_WIDTH, f->bottom - f->top);
    for (int i = 0; i < t.n; i++) {
        double y = tg_axis_at(&a, t.at[i]);
        fprintf(f->svg.file, "<path class=\"axis\" d=\"M%.1f %.1fh4\"/>\n", x + BAR_WIDTH, y);
        tg_svg_put_text(&f->svg, t.text[i],
                        (tg_svg_text){"soft", "start", x + BAR_WIDTH + 7, y + 4, 12, 0, false});
    }
    char power[TG_TICK_TEXT] = "", text[512];
    if (t.power) tg_power_text(t.power, power);
    snprintf(text, sizeof text, t.power && label ? "%.400s (%s)" : "%.400s%s", label ? label : "", power);
    tg_svg_put_text(&f->svg, text,
                    (tg_svg_text){"label", "middle", f->width - 10, (f->top + f->bottom) / 2, 13,
                                  f->bottom - f->top, true});
}

/* Square cells where they are numbered, in a field that is at most so large. */
static void set_frame(tg_frame *f, const heatmap *h, const tg_plot_heatmap_opts *o, bool given_x, bool given_y) {
    double side = given_x && o->names  ? fmin(fmax(22 * (double)h->rows / 380, 0.3), 1)
                  : given_x || given_y ? 1
                                       : (double)h->rows / (double)h->columns;
    side = side < 0.2 ? 0.2 : side > 2 ? 2 : side;
    double across = side > 1 ? 380 / side : 380;
    if (across < 160) across = 160;
    double widest = 0;
    for (int64_t r = 0; o->names && r < h->rows; r++)
        if (o->names[r]) widest = fmax(widest, tg_svg_width(o->names[r], 12));
    f->width = across + 70 + BAR_ROOM + (o->y ? 20 : 0) + fmin(fmax(widest - 30, 0), 200);
    f->height = across * side + 60 + (o->title ? 24 : 0) + (o->x ? 20 : 0);
    f->x = given_x ? (tg_plot_axis){.lo = o->x_min, .hi = o->x_max}
                   : (tg_plot_axis){.lo = -0.5, .hi = (double)h->columns - 0.5, .whole = true};
    f->y = given_y ? (tg_plot_axis){.lo = o->y_min, .hi = o->y_max}
                   : (tg_plot_axis){.lo = -0.5, .hi = (double)h->rows - 0.5, .whole = true};
}

static tg_status draw(const char *path, const heatmap *h, const tg_plot_heatmap_opts *o, bool given_x,
                      bool given_y) {
    tg_frame f = {.width = 0};
    set_frame(&f, h, o, given_x, given_y);
    tg_frame_begin(&f, &(tg_frame_texts){.title = o->title,
                                         .x = o->x,
                                         .y = o->y,
                                         .right = BAR_ROOM - 18,
                                         .no_grid = true,
                                         .down = !given_y,
                                         .rows = given_y ? NULL : o->names,
                                         .n_rows = h->rows});
    tg_status s = TG_OK;
    if (f.svg.file) {
        s = draw_cells(&f, h);
        fputs("</g>\n", f.svg.file);
        draw_bar(&f, h, o->bar);
        fputs("<g>\n", f.svg.file);
    }
    return tg_frame_end(&f, path, s);
}

static tg_status save_png(const char *path, const heatmap *h, int scale) {
    tg_pixels p = {.rgba = NULL};
    int64_t longer = h->rows > h->columns ? h->rows : h->columns;
    tg_status s = rasterise(h, &p, scale ? scale : longer < ABOUT ? ABOUT / longer : 1);
    if (s == TG_OK) s = tg_png_save(&p, who, path);
    tg_pixels_free(&p);
    return s;
}

tg_status tg_plot_heatmap_with(const char *path, const tg_tensor *t, tg_plot_heatmap_opts opts) {
    TG_NAMED(who);
    tg_array a = {.data = NULL};
    tg_picture kind = tg_picture_of(path, who, true);
    if (kind == TG_PICTURE_NONE) return tg_error_status();
    if (opts.scale < 0) return tg_fail(TG_ERR_ARGUMENT, "%s: the scale is %d", who, opts.scale);
    if (tg_plot_read(t, who, "the tensor", &a) != TG_OK) return tg_error_status();
    char text[96];
    bool given_x = tg_range_given(opts.x_min, opts.x_max, false),
         given_y = tg_range_given(opts.y_min, opts.y_max, false);
    tg_status s = TG_OK;
    if (a.rank != 2)
        s = tg_fail(TG_ERR_SHAPE, "%s: needs a matrix [rows, columns], not %s", who,
                    tg_describe(t, text, sizeof text));
    heatmap h = {.v = a.data, .rows = a.shape[0], .columns = a.shape[1], .up = given_y};
    if (s == TG_OK) s = set_colors(&h, &opts);
    if (s == TG_OK)
        s = kind == TG_PICTURE_PNG ? save_png(path, &h, opts.scale) : draw(path, &h, &opts, given_x, given_y);
    tg_array_drop(&a);
    return s;
}
