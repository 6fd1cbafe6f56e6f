/* Private. What pictures are made of: a text in SVG, axes, colours, and pixels. */
#ifndef TG_OPS_NN_PLOT_PLOT_PRIVATE_H
#define TG_OPS_NN_PLOT_PLOT_PRIVATE_H

#include "ops/nn/plot/plot.h"

#include <locale.h>

/* ---- svg.c: the text ---- */

/* A picture that is being written. Coordinates are pixels from the upper left. */
typedef struct tg_svg {
    FILE *file; /* in memory; NULL: there was no memory for it */
    char *text;
    size_t size;
    locale_t plain, before; /* in which numbers have a decimal point */
} tg_svg;

/* Begins a picture of this size, with the styles that all share. `title` is what a screen reader says. */
void tg_svg_begin(tg_svg *s, const char *title, double width, double height);

/* Ends it, and where `status`, that of what was drawn, is TG_OK writes it to the path. */
tg_status tg_svg_end(tg_svg *s, const char *path, tg_status status);

/* Bytes of a file. */
tg_status tg_plot_save(const char *path, const void *bytes, size_t n);

/* A text of class `class` at (x, y), its anchor "start", "middle" or "end"; one wider than `room` is set smaller, down to
 * two thirds, and then cut. `turned`: upwards. */
typedef struct tg_svg_text {
    const char *class, *anchor;
    double x, y, size, room;
    bool turned;
} tg_svg_text;
void tg_svg_put_text(tg_svg *s, const char *text, tg_svg_text how);

/* About how wide the text is when its letters are `size` high. */
double tg_svg_width(const char *text, double size);

/* Whether the path ends so, in letters of any case; and which kind of file it is to be, `png` saying whether that is there:
 * TG_ERR_ARGUMENT for another. */
typedef enum tg_picture { TG_PICTURE_NONE, TG_PICTURE_SVG, TG_PICTURE_PNG } tg_picture;
tg_picture tg_picture_of(const char *path, const char *who, bool png);

/* ---- axis.c: numbers along a line ---- */

typedef struct tg_plot_axis {
    double lo, hi;   /* numbers at its ends, lo < hi */
    bool log;        /* both are positive */
    bool whole;      /* round numbers are whole ones, as of cells and bins */
    double from, to; /* pixels of lo and hi */
} tg_plot_axis;

/* The least and largest of the numbers that an axis can show: finite, at most 1e300 in size and, on a logarithmic one, at
 * least 1e-300. At first {0}. */
typedef struct tg_extent {
    double lo, hi;
    bool any;
} tg_extent;
bool tg_axis_shows(double v, bool log);

/* Whether options name a range: its ends differ, and an axis can show them. */
bool tg_range_given(double min, double max, bool log);
void tg_extent_add(tg_extent *e, double v, bool log);

/* An axis over the extent, `margin` of its length longer at both ends, but not past 0; or from min to max where they
 * differ. */
tg_plot_axis tg_axis_over(tg_extent e, bool log, double margin, double min, double max);

/* The pixel of a number, not further than 1e5 off. */
double tg_axis_at(const tg_plot_axis *a, double v);

/* Round numbers along the axis, about `want`, with their texts in UTF-8; `power`, where it is not 0, is the power of ten by
 * which they are to be multiplied. */
enum { TG_TICKS = 32, TG_TICK_TEXT = 32 };
typedef struct tg_ticks {
    int n, power;
    double at[TG_TICKS];
    char text[TG_TICKS][TG_TICK_TEXT];
} tg_ticks;
void tg_axis_ticks(const tg_plot_axis *a, int want, tg_ticks *t);

/* "×10⁶" */
void tg_power_text(int power, char text[TG_TICK_TEXT]);

/* ---- frame.c: what is around the data ---- */

typedef struct tg_legend { /* one entry */
    const char *name;
    int color;
    bool dot;
} tg_legend;

typedef struct tg_frame {
    tg_svg svg;
    double width, height;
    double left, right, top, bottom; /* of the field of the data */
    tg_plot_axis x, y;
} tg_frame;

typedef struct tg_frame_texts {
    const char *title, *x, *y;
    const tg_legend *legend; /* n entries; those without a name are left out */
    int n;
    double right; /* room to be left free on the right */
    bool no_grid;
    bool down;               /* y goes from above to below */
    const char *const *rows; /* names at 0, 1, .. along y, of which there are n_rows; NULL: numbers */
    int64_t n_rows;
} tg_frame_texts;

/* Begins the picture and draws all but the data; the axes get their pixels. What is drawn until tg_frame_end is cut at the
 * field of the data. */
void tg_frame_begin(tg_frame *f, const tg_frame_texts *texts);
tg_status tg_frame_end(tg_frame *f, const char *path, tg_status status);

/* Sizes given as options, checked: 100 to 10,000 pixels. */
tg_status tg_frame_size(tg_frame *f, const char *who, int width, int height);

/* The elements as f64, contiguous; to be dropped. */
tg_status tg_plot_read(const tg_tensor *t, const char *who, const char *what, tg_array *out);

/* ---- color.c ---- */

enum { TG_SERIES_COLORS = 8 }; /* lines beyond are dashed */
#define TG_DASHED " stroke-dasharray=\"6 4\""
typedef enum tg_color_map { TG_MAP_VIRIDIS, TG_MAP_DIVERGING } tg_color_map;

/* The colour at v in [0, 1], 0xrrggbb. */
uint32_t tg_color_at(tg_color_map map, double v);

/* ---- png.c ---- */

/* Pixels, 4 bytes each: red, green, blue, opacity. */
typedef struct tg_pixels {
    int64_t width, height;
    uint8_t *rgba;
} tg_pixels;

/* All of them transparent. TG_ERR_ARGUMENT for more than 2^26, TG_ERR_MEMORY. */
tg_status tg_pixels_new(tg_pixels *p, const char *who, int64_t width, int64_t height);
void tg_pixels_free(tg_pixels *p);

/* As the bytes of a PNG file, which the caller frees; in grey or without opacity where that is all there is. */
tg_status tg_png_encode(const tg_pixels *p, const char *who, void **bytes, size_t *n);
tg_status tg_png_save(const tg_pixels *p, const char *who, const char *path);

/* Puts them in a picture, as large as given. */
tg_status tg_svg_put_pixels(tg_svg *s, const char *who, const tg_pixels *p, double x, double y, double width,
                            double height);

#endif
