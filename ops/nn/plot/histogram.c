/* How often numbers lie where. */
#include "ops/nn/plot/plot_private.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FEWEST = 5, MOST = 200, MOST_ASKED = 10000 };
static const char who[] = "tg_plot_histogram";

typedef struct bins {
    double lo, hi;
    int n;
    int64_t *count, most;
} bins;

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Freedman and Diaconis (1981): a bin is 2 IQR / cbrt(n) wide. The numbers v are sorted. */
static int choose_bins(double *v, int64_t n, double length) {
    double spread = v[n * 3 / 4] - v[n / 4], width = 2 * spread / cbrt((double)n);
    double want = width > 0 ? ceil(length / width) : sqrt((double)n);
    return want < FEWEST ? FEWEST : want > MOST ? MOST : (int)want;
}

/* The numbers that count go to the front of v, sorted; returns how many they are. */
static int64_t gather(double *v, int64_t n, const tg_plot_histogram_opts *o) {
    const bool given = tg_range_given(o->min, o->max, false);
    int64_t used = 0;
    for (int64_t i = 0; i < n; i++)
        if (tg_axis_shows(v[i], false) && !(given && (v[i] < o->min || v[i] > o->max))) v[used++] = v[i];
    qsort(v, (size_t)used, sizeof *v, compare);
    return used;
}

/* Whole numbers, when there are few, have a bin each, in whose middle they stand. */
static bool are_few_integers(const double *v, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (v[i] != floor(v[i]) || fabs(v[i]) > 1e15) return false;
    return v[n - 1] - v[0] < 64;
}

static tg_status count(bins *b, double *v, int64_t n, const tg_plot_histogram_opts *o) {
    b->lo = v[0];
    b->hi = v[n - 1];
    if (tg_range_given(o->min, o->max, false))
        b->lo = o->min, b->hi = o->max;
    else if (!o->bins && are_few_integers(v, n))
        b->lo -= 0.5, b->hi += 0.5, b->n = (int)(b->hi - b->lo);
    else {
        tg_plot_axis a = tg_axis_over((tg_extent){b->lo, b->hi, true}, false, 0, 0, 0);
        b->lo = a.lo, b->hi = a.hi;
    }
    if (!b->n) b->n = o->bins ? o->bins : choose_bins(v, n, b->hi - b->lo);
    b->count = tg_alloc((size_t)b->n * sizeof *b->count);
    if (!b->count) return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for %d bins", who, b->n);
    memset(b->count, 0, (size_t)b->n * sizeof *b->count);
    for (int64_t i = 0; i < n; i++) {
        int k = (int)((v[i] - b->lo) / (b->hi - b->lo) * b->n);
        if (k >= b->n) k = b->n - 1;
        if (++b->count[k] > b->most) b->most = b->count[k];
    }
    return TG_OK;
}

static tg_status draw(const char *path, const bins *b, const tg_plot_histogram_opts *o) {
    tg_frame f = {.width = 0};
    if (tg_frame_size(&f, who, o->width, o->height) != TG_OK) return tg_error_status();
    f.x = (tg_plot_axis){.lo = b->lo, .hi = b->hi};
    f.y = (tg_plot_axis){
        .lo = o->log_y ? 0.7 : 0, .hi = (double)b->most * (o->log_y ? 1.5 : 1.05), .log = o->log_y};
    tg_frame_begin(&f, &(tg_frame_texts){.title = o->title, .x = o->x, .y = o->y ? o->y : "count"});
    if (f.svg.file) fputs("<path class=\"bars edge f0\" d=\"", f.svg.file);
    for (int i = 0; i < b->n && f.svg.file; i++) {
        if (b->count[i] == 0) continue;
        double width = (b->hi - b->lo) / b->n, x = tg_axis_at(&f.x, b->lo + i * width),
               right = tg_axis_at(&f.x, b->lo + (i + 1) * width);
        double y = tg_axis_at(&f.y, (double)b->count[i]);
        fprintf(f.svg.file, "M%.2f %.2fV%.2fH%.2fV%.2fZ", x, f.bottom, y, right, f.bottom);
    }
    if (f.svg.file) fputs("\"/>\n", f.svg.file);
    return tg_frame_end(&f, path, TG_OK);
}

tg_status tg_plot_histogram_with(const char *path, const tg_tensor *t, tg_plot_histogram_opts opts) {
    TG_NAMED(who);
    tg_array a = {.data = NULL};
    bins b = {.n = 0};
    if (tg_picture_of(path, who, false) == TG_PICTURE_NONE) return tg_error_status();
    if (opts.bins < 0 || opts.bins > MOST_ASKED)
        return tg_fail(TG_ERR_ARGUMENT, "%s: %d bins, outside [1, %d]", who, opts.bins, MOST_ASKED);
    if (tg_plot_read(t, who, "the tensor", &a) != TG_OK) return tg_error_status();
    int64_t n = gather(a.data, a.numel, &opts);
    tg_status s = n > 0 ? count(&b, a.data, n, &opts)
                        : tg_fail(TG_ERR_ARGUMENT,
                                  "%s: there is nothing to draw: no element is finite and in the range", who);
    if (s == TG_OK) s = draw(path, &b, &opts);
    tg_dealloc(b.count, (size_t)b.n * sizeof *b.count);
    tg_array_drop(&a);
    return s;
}
