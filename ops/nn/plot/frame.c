/* What is around the data: title, legend, axes with round numbers, a grid. And tensors as numbers. */
#include "ops/nn/plot/plot_private.h"

#include "core/work.h"

#include <math.h>
#include <string.h>

enum {
    TITLE = 16,
    LABEL = 13,
    TICK = 12,
    MARGIN = 12,
    ENTRY = 28
}; /* sizes of letters; gaps; a legend's sample */

tg_status tg_plot_read(const tg_tensor *t, const char *who, const char *what, tg_array *out) {
    const tg_array *a = tg_check_argument(t, who, what) ? tg_array_within(t, "tg_array_of") : NULL;
    if (!a || !tg_may_read(a, who) || tg_array_alloc(out, TG_F64, tg_array_shape(a)) != TG_OK)
        return tg_error_status();
    tg_array_copy(out, a);
    return tg_error_status();
}

tg_status tg_frame_size(tg_frame *f, const char *who, int width, int height) {
    f->width = width ? width : 640;
    f->height = height ? height : 400;
    if (f->width >= 100 && f->width <= 10000 && f->height >= 100 && f->height <= 10000) return TG_OK;
    return tg_fail(TG_ERR_ARGUMENT, "%s: a picture of %d by %d pixels: each may be 100 to 10000", who, width,
                   height);
}

/* ---- the legend, in rows below the title ---- */

/* Draws it, or with `svg` NULL only measures: the height of all rows. */
static double legend(const tg_frame *f, tg_svg *svg, const tg_frame_texts *t, double top) {
    double x = f->left, y = top, room = f->width - f->left - MARGIN;
    for (int i = 0; i < t->n; i++) {
        const tg_legend *l = &t->legend[i];
        if (!l->name || !*l->name) continue;
        double width = ENTRY + tg_svg_width(l->name, TICK) + 14;
        if (width > room) width = room;
        if (x > f->left && x + width > f->left + room) {
            x = f->left;
            y += TICK + 7;
        }
        if (svg && svg->file) {
            const int c = l->color % TG_SERIES_COLORS;
            if (l->dot)
                fprintf(svg->file, "<path class=\"dots c%d\" d=\"M%.1f %.1fh0\"/>\n", c, x + 11, y + 8);
            else
                fprintf(svg->file, "<path class=\"s c%d\"%s d=\"M%.1f %.1fh20\"/>\n", c,
                        l->color >= TG_SERIES_COLORS ? TG_DASHED : "", x + 1, y + 8);
            tg_svg_put_text(svg, l->name,
                            (tg_svg_text){"soft", "start", x + ENTRY, y + 12, TICK, width - ENTRY - 4, false});
        }
        x += width;
    }
    return x > f->left || y > top ? y - top + TICK + 10 : 0;
}

/* ---- axes ---- */

static void put_line(const tg_frame *f, const char *class, double x1, double y1, double x2, double y2) {
    if (f->svg.file)
        fprintf(f->svg.file, "<path class=\"%s\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", class, x1, y1, x2, y2);
}

/* "epoch (×10³)" */
static const char *with_power(char text[512], const char *label, int power) {
    char times[TG_TICK_TEXT];
    if (!power) return label;
    tg_power_text(power, times);
    snprintf(text, 512, label && *label ? "%.440s (%s)" : "%.440s%s", label ? label : "", times);
    return text;
}

/* Texts that would touch their neighbour are left out. */
static void draw_x_axis(const tg_frame *f, const tg_ticks *t, const tg_frame_texts *texts) {
    double free = -1e9;
    for (int i = 0; i < t->n; i++) {
        double x = tg_axis_at(&f->x, t->at[i]), half = tg_svg_width(t->text[i], TICK) / 2;
        if (!texts->no_grid) put_line(f, "grid", x, f->top, x, f->bottom);
        put_line(f, "axis", x, f->bottom, x, f->bottom + 4);
        if (x - half < free + 6) continue;
        tg_svg_put_text((tg_svg *)&f->svg, t->text[i],
                        (tg_svg_text){"soft", "middle", x, f->bottom + 18, TICK, 0, false});
        free = x + half;
    }
    char text[512];
    tg_svg_put_text((tg_svg *)&f->svg, with_power(text, texts->x, t->power),
                    (tg_svg_text){"label", "middle", (f->left + f->right) / 2, f->bottom + 37, LABEL,
                                  f->right - f->left, false});
}

static void draw_y_axis(const tg_frame *f, const tg_ticks *t, const tg_frame_texts *texts) {
    for (int i = 0; i < t->n; i++) {
        double y = tg_axis_at(&f->y, t->at[i]);
        if (!texts->no_grid) put_line(f, "grid", f->left, y, f->right, y);
        put_line(f, "axis", f->left - 4, y, f->left, y);
        tg_svg_put_text((tg_svg *)&f->svg, t->text[i],
                        (tg_svg_text){"soft", "end", f->left - 7, y + 4, TICK, 0, false});
    }
    char text[512];
    tg_svg_put_text((tg_svg *)&f->svg, with_power(text, texts->y, t->power),
                    (tg_svg_text){"label", "middle", MARGIN + 4, (f->top + f->bottom) / 2, LABEL,
                                  f->bottom - f->top, true});
}

/* ---- all of it ---- */

static double widest(const tg_ticks *t) {
    double width = 0;
    for (int i = 0; i < t->n; i++) width = fmax(width, tg_svg_width(t->text[i], TICK));
    return width;
}

/* Names in place of numbers: as many as there is room for, at equal distances. */
static void name_rows(const tg_frame *f, const tg_frame_texts *texts, tg_ticks *t) {
    int64_t most = (int64_t)(f->height / (TICK + 8)), apart = 1;
    if (most > TG_TICKS) most = TG_TICKS;
    while ((texts->n_rows + apart - 1) / apart > most) apart++;
    t->n = t->power = 0;
    for (int64_t i = 0; i < texts->n_rows; i += apart) {
        const char *name = texts->rows[i] ? texts->rows[i] : "";
        size_t length = strlen(name), room = TG_TICK_TEXT - 1;
        if (length > room) length = room;
        while (length > 0 && length < strlen(name) && ((unsigned char)name[length] & 0xc0) == 0x80) length--;
        memcpy(t->text[t->n], name, length);
        t->text[t->n][length] = '\0';
        t->at[t->n++] = (double)i;
    }
}

void tg_frame_begin(tg_frame *f, const tg_frame_texts *texts) {
    tg_ticks x, y;
    tg_svg_begin(&f->svg, texts->title, f->width, f->height);
    if (texts->rows)
        name_rows(f, texts, &y);
    else
        tg_axis_ticks(&f->y, (int)(f->height / 55), &y);
    f->left = MARGIN + widest(&y) + 8 + ((texts->y && *texts->y) || y.power ? LABEL + 8 : 0);
    f->right = f->width - MARGIN - 6 - texts->right;
    tg_axis_ticks(&f->x, (int)((f->right - f->left) / 80), &x);
    bool titled = texts->title && *texts->title;
    double below = titled ? MARGIN + TITLE + 8 : MARGIN;
    f->top = below + legend(f, NULL, texts, below);
    f->bottom = f->height - MARGIN - TICK - 4 - ((texts->x && *texts->x) || x.power ? LABEL + 6 : 0);
    f->x.from = f->left;
    f->x.to = f->right;
    f->y.from = texts->down ? f->top : f->bottom;
    f->y.to = texts->down ? f->bottom : f->top;
    tg_svg_put_text(&f->svg, texts->title,
                    (tg_svg_text){"title", "start", f->left, MARGIN + TITLE - 2, TITLE,
                                  f->width - f->left - MARGIN, false});
    legend(f, &f->svg, texts, below);
    draw_y_axis(f, &y, texts);
    draw_x_axis(f, &x, texts);
    if (f->svg.file)
        fprintf(f->svg.file,
                "<clipPath id=\"field\"><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/></clipPath>\n"
                "<g clip-path=\"url(#field)\">\n",
                f->left, f->top - 1, f->right - f->left, f->bottom - f->top + 2);
}

tg_status tg_frame_end(tg_frame *f, const char *path, tg_status status) {
    if (f->svg.file) fputs("</g>\n", f->svg.file);
    put_line(f, "axis", f->left, f->bottom, f->right, f->bottom);
    return tg_svg_end(&f->svg, path, status);
}
