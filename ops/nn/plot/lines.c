/* Lines, and points without them. */
#include "ops/nn/plot/plot_private.h"

#include "core/memory.h"

#include <math.h>
#include <string.h>

enum { MOST_SERIES = 16, DOTS = 2 }; /* DOTS: to a pixel, in each direction */

/* The numbers of one series. */
typedef struct points {
    tg_array x, y, error;
    int64_t n;
} points;

static void drop(points *p) {
    tg_array_drop(&p->x);
    tg_array_drop(&p->y);
    tg_array_drop(&p->error);
}

static tg_status read_series(points *p, const tg_series *s, const char *who) {
    if (tg_plot_read(s->y, who, "y of a series", &p->y) != TG_OK) return tg_error_status();
    p->n = p->y.numel;
    if (s->x && tg_plot_read(s->x, who, "x of a series", &p->x) != TG_OK) return tg_error_status();
    if (s->error && tg_plot_read(s->error, who, "the error of a series", &p->error) != TG_OK)
        return tg_error_status();
    if ((!s->x || p->x.numel == p->n) && (!s->error || p->error.numel == p->n)) return TG_OK;
    char text[2][96];
    return tg_fail(TG_ERR_SHAPE, "%s: x and error of a series have as many elements as y: %s, %s", who,
                   tg_describe(s->y, text[0], sizeof text[0]),
                   tg_describe(s->x && p->x.numel != p->n ? s->x : s->error, text[1], sizeof text[1]));
}

static double x_of(const points *p, int64_t i) {
    return p->x.data ? ((const double *)p->x.data)[i] : (double)i;
}
static double y_of(const points *p, int64_t i) { return ((const double *)p->y.data)[i]; }
static double error_of(const points *p, int64_t i) {
    double e = p->error.data ? fabs(((const double *)p->error.data)[i]) : 0;
    return isfinite(e) ? e : 0;
}
static bool shown(const tg_frame *f, const points *p, int64_t i) {
    return tg_axis_shows(x_of(p, i), f->x.log) && tg_axis_shows(y_of(p, i), f->y.log);
}

/* ---- lines ---- */

/* The points from i on that fall in one column of pixels, one after the other, up to a gap: the index after the last, and
 * the least and the largest of them. */
static int64_t column_end(const tg_frame *f, const points *p, int64_t i, int64_t *least, int64_t *largest) {
    const double column = floor(tg_axis_at(&f->x, x_of(p, i)));
    *least = *largest = i;
    for (i++; i < p->n && shown(f, p, i) && floor(tg_axis_at(&f->x, x_of(p, i))) == column; i++) {
        if (y_of(p, i) < y_of(p, *least)) *least = i;
        if (y_of(p, i) > y_of(p, *largest)) *largest = i;
    }
    return i;
}

static void put_point(const tg_frame *f, char command, double x, double y) {
    fprintf(f->svg.file, "%c%.6g %.6g", command, tg_axis_at(&f->x, x), tg_axis_at(&f->y, y));
}

/* Points without neighbours. */
static void draw_lone(const tg_frame *f, const points *p) {
    for (int64_t i = 0; i < p->n; i++) {
        if (!shown(f, p, i) || (i > 0 && shown(f, p, i - 1)) || (i + 1 < p->n && shown(f, p, i + 1)))
            continue;
        put_point(f, 'M', x_of(p, i), y_of(p, i));
        fputs("h0", f->svg.file);
    }
}

static void draw_line(const tg_frame *f, const points *p) {
    for (int64_t i = 0; i < p->n;) {
        if (!shown(f, p, i)) {
            i++;
            continue;
        }
        char command = 'M';
        while (i < p->n && shown(f, p, i)) {
            int64_t least, largest, first = i, at[4];
            i = column_end(f, p, first, &least, &largest);
            at[0] = first, at[1] = least < largest ? least : largest,
            at[2] = least < largest ? largest : least, at[3] = i - 1;
            for (int k = 0; k < 4; k++)
                if (k == 0 || at[k] > at[k - 1])
                    put_point(f, command, x_of(p, at[k]), y_of(p, at[k])), command = 'L';
        }
    }
}

/* A number of the y axis, kept where a logarithmic one can show it. */
static double on_axis(const tg_frame *f, double v) { return f->y.log && v < f->y.lo ? f->y.lo : v; }

/* One edge of the band over points [begin, end): for each column its highest above (sign 1) or its lowest below (-1). */
static void band_edge(const tg_frame *f, const points *p, int64_t begin, int64_t end, int sign, char command) {
    for (int64_t i = sign > 0 ? begin : end - 1; i >= begin && i < end; command = 'L') {
        const double x = x_of(p, i), column = floor(tg_axis_at(&f->x, x));
        double y = y_of(p, i) + sign * error_of(p, i);
        for (i += sign; i >= begin && i < end && floor(tg_axis_at(&f->x, x_of(p, i))) == column; i += sign)
            y = sign > 0 ? fmax(y, y_of(p, i) + error_of(p, i)) : fmin(y, y_of(p, i) - error_of(p, i));
        put_point(f, command, x, on_axis(f, y));
    }
}

static void draw_band(const tg_frame *f, const points *p) {
    for (int64_t i = 0; i < p->n;) {
        const int64_t begin = i;
        while (i < p->n && shown(f, p, i)) i++;
        if (i - begin > 1) {
            band_edge(f, p, begin, i, 1, 'M');
            band_edge(f, p, begin, i, -1, 'L');
            fputc('Z', f->svg.file);
        }
        if (i == begin) i++;
    }
}

/* ---- dots ---- */

/* One dot a half pixel: `seen` has a bit for each of them in the field. */
static void draw_dots(const tg_frame *f, const points *p, uint8_t *seen, int64_t across) {
    for (int64_t i = 0; i < p->n; i++) {
        if (!shown(f, p, i)) continue;
        double x = tg_axis_at(&f->x, x_of(p, i)), y = tg_axis_at(&f->y, y_of(p, i));
        if (x < f->left || x > f->right || y < f->top || y > f->bottom) continue;
        int64_t bit = (int64_t)(y * DOTS) * across + (int64_t)(x * DOTS);
        if (seen[bit / 8] >> (bit % 8) & 1) continue;
        seen[bit / 8] |= (uint8_t)(1 << (bit % 8));
        fprintf(f->svg.file, "M%.1f %.1fh0", x, y);
    }
}

static void draw_bars(const tg_frame *f, const points *p) {
    for (int64_t i = 0; i < p->n; i++) {
        double e = error_of(p, i);
        if (!shown(f, p, i) || e == 0) continue;
        put_point(f, 'M', x_of(p, i), y_of(p, i) + e);
        put_point(f, 'L', x_of(p, i), on_axis(f, y_of(p, i) - e));
    }
}

static tg_status scatter(const tg_frame *f, const points *p, int n, const char *who) {
    int64_t across = (int64_t)f->width * DOTS + 1;
    size_t bytes = (size_t)(across * ((int64_t)f->height * DOTS + 1) / 8 + 1);
    uint8_t *seen = tg_alloc(bytes);
    if (!seen) return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for the dots", who);
    for (int i = 0; i < n; i++) {
        memset(seen, 0, bytes);
        fprintf(f->svg.file, "<path class=\"s c%d\" d=\"", i % TG_SERIES_COLORS);
        draw_bars(f, &p[i]);
        fprintf(f->svg.file, "\"/>\n<path class=\"dots c%d\" d=\"", i % TG_SERIES_COLORS);
        draw_dots(f, &p[i], seen, across);
        fputs("\"/>\n", f->svg.file);
    }
    tg_dealloc(seen, bytes);
    return TG_OK;
}

static void lines(const tg_frame *f, const points *p, int n) {
    for (int i = 0; i < n; i++) {
        if (!p[i].error.data) continue;
        fprintf(f->svg.file, "<path class=\"band f%d\" d=\"", i % TG_SERIES_COLORS);
        draw_band(f, &p[i]);
        fputs("\"/>\n", f->svg.file);
    }
    for (int i = 0; i < n; i++) {
        fprintf(f->svg.file, "<path class=\"s c%d\"%s d=\"", i % TG_SERIES_COLORS,
                i >= TG_SERIES_COLORS ? TG_DASHED : "");
        draw_line(f, &p[i]);
        fprintf(f->svg.file, "\"/>\n<path class=\"dots c%d\" d=\"", i % TG_SERIES_COLORS);
        draw_lone(f, &p[i]);
        fputs("\"/>\n", f->svg.file);
    }
}

/* ---- all of it ---- */

static tg_status set_axes(tg_frame *f, const points *p, int n, const tg_plot_lines_opts *o, bool dots,
                          const char *who) {
    tg_extent x = {0}, y = {0};
    for (int i = 0; i < n; i++)
        for (int64_t k = 0; k < p[i].n; k++) {
            double at = x_of(&p[i], k), v = y_of(&p[i], k), e = error_of(&p[i], k);
            if (!tg_axis_shows(at, o->log_x) || !tg_axis_shows(v, o->log_y)) continue;
            tg_extent_add(&x, at, o->log_x);
            tg_extent_add(&y, v, o->log_y);
            tg_extent_add(&y, v + e, o->log_y);
            if (!o->log_y) tg_extent_add(&y, v - e, false);
        }
    if (!y.any)
        return tg_fail(TG_ERR_ARGUMENT, "%s: there is nothing to draw: no series has a point that is finite%s",
                       who, o->log_x || o->log_y ? " and, on a logarithmic axis, positive" : "");
    f->x = tg_axis_over(x, o->log_x, dots ? 0.03 : 0, o->x_min, o->x_max);
    f->y = tg_axis_over(y, o->log_y, 0.05, o->y_min, o->y_max);
    return TG_OK;
}

static tg_status draw(const char *path, int n, const points *p, const tg_series *series,
                      const tg_plot_lines_opts *o, bool dots, const char *who) {
    tg_frame f = {.width = 0};
    tg_legend entry[MOST_SERIES];
    for (int i = 0; i < n; i++) entry[i] = (tg_legend){series[i].name, i, dots};
    if (tg_frame_size(&f, who, o->width, o->height) != TG_OK || set_axes(&f, p, n, o, dots, who) != TG_OK)
        return tg_error_status();
    tg_frame_begin(&f, &(tg_frame_texts){.title = o->title, .x = o->x, .y = o->y, .legend = entry, .n = n});
    tg_status s = TG_OK;
    if (f.svg.file && dots)
        s = scatter(&f, p, n, who);
    else if (f.svg.file)
        lines(&f, p, n);
    return tg_frame_end(&f, path, s);
}

static tg_status plot(const char *path, int n, const tg_series *series, const tg_plot_lines_opts *o,
                      bool dots, const char *who) {
    points p[MOST_SERIES] = {{.n = 0}};
    if (tg_picture_of(path, who, false) == TG_PICTURE_NONE) return tg_error_status();
    if (n < 1 || n > MOST_SERIES || !series)
        return tg_fail(TG_ERR_ARGUMENT, "%s: needs 1 to %d series, not %d", who, MOST_SERIES, series ? n : 0);
    tg_status s = TG_OK;
    for (int i = 0; i < n && s == TG_OK; i++) s = read_series(&p[i], &series[i], who);
    if (s == TG_OK) s = draw(path, n, p, series, o, dots, who);
    for (int i = 0; i < n; i++) drop(&p[i]);
    return s;
}

tg_status tg_plot_lines_with(const char *path, int n, const tg_series *series, tg_plot_lines_opts opts) {
    TG_NAMED("tg_plot_lines");
    return plot(path, n, series, &opts, false, "tg_plot_lines");
}

tg_status tg_plot_scatter_with(const char *path, int n, const tg_series *series, tg_plot_scatter_opts opts) {
    TG_NAMED("tg_plot_scatter");
    return plot(path, n, series, &opts, true, "tg_plot_scatter");
}
