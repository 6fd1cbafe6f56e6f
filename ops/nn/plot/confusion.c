/* How often which class was taken for which. */
#include "ops/nn/plot/plot_private.h"

#include <math.h>

enum { MOST = 64, EDGE = 14, TEXT = 12, WIDEST = 150 }; /* classes; pixels */
static const char who[] = "tg_plot_confusion";

typedef struct confusion {
    int64_t classes, n, count[MOST][MOST]; /* [target][predicted] */
    const char *const *names;
} confusion;

static int64_t whole(const tg_array *a, int64_t i) { return (int64_t)((const double *)a->data)[i]; }

static tg_status check(const tg_tensor *target, const tg_tensor *predicted, const tg_array *t,
                       const tg_array *p) {
    char text[2][96];
    const char *a = tg_describe(target, text[0], sizeof text[0]),
               *b = tg_describe(predicted, text[1], sizeof text[1]);
    if (t->rank != 1 || p->rank != 1 || t->numel != p->numel)
        return tg_fail(TG_ERR_SHAPE, "%s: target and predicted must both be [n], and are %s and %s", who, a, b);
    for (int i = 0; i < 2; i++) {
        tg_dtype d = tg_dtype_of(i ? predicted : target);
        if (d == TG_F32 || d == TG_F64)
            return tg_fail(TG_ERR_DTYPE, "%s: classes are integers, as argmax gives them: %s", who, i ? b : a);
    }
    if (t->numel > 0) return TG_OK;
    return tg_fail(TG_ERR_ARGUMENT, "%s: there is nothing to draw: %s", who, a);
}

static tg_status count(confusion *c, const tg_array *t, const tg_array *p, int64_t classes) {
    c->n = t->numel;
    c->classes = classes;
    for (int64_t i = 0; !classes && i < 2 * c->n; i++) {
        int64_t k = whole(i < c->n ? t : p, i % c->n);
        if (k >= c->classes) c->classes = k + 1;
    }
    for (int64_t i = 0; i < c->n; i++) {
        int64_t r = whole(t, i), k = whole(p, i);
        if (c->classes < 1 || c->classes > MOST)
            return tg_fail(TG_ERR_ARGUMENT, "%s: there are to be 1 to %d classes, not %lld", who, MOST,
                           (long long)c->classes);
        if (r < 0 || k < 0 || r >= c->classes || k >= c->classes)
            return tg_fail(TG_ERR_ARGUMENT, "%s: element %lld has class %lld, outside [0, %lld)", who,
                           (long long)i, (long long)(r < 0 || r >= c->classes ? r : k), (long long)c->classes);
        c->count[r][k]++;
    }
    return TG_OK;
}

static const char *name_of(const confusion *c, int64_t i, char text[32]) {
    if (c->names && c->names[i]) return c->names[i];
    snprintf(text, 32, "%lld", (long long)i);
    return text;
}

/* How large a cell is, and where the first one is. */
typedef struct place {
    double cell, left, top, size;
} place;

static void draw_cell(tg_svg *s, const confusion *c, const place *p, int64_t r, int64_t k, int64_t row) {
    const int64_t n = c->count[r][k];
    double rate = row ? (double)n / (double)row : 0, x = p->left + (double)k * p->cell,
           y = p->top + (double)r * p->cell;
    if (n)
        fprintf(
            s->file,
            "<rect class=\"f0\" fill-opacity=\"%.3f\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
            0.06 + 0.94 * rate, x, y, p->cell, p->cell);
    if (p->cell < 22 || !n) return;
    char text[32];
    const char *class = rate > 0.55 ? "pale" : "count";
    bool both = p->cell >= 38;
    double size = p->cell < 30 ? 9 : 11;
    snprintf(text, sizeof text, "%lld", (long long)n);
    tg_svg_put_text(s, text,
                    (tg_svg_text){class, "middle", x + p->cell / 2, y + p->cell / 2 + (both ? -1 : 4), size,
                                  p->cell - 4, false});
    snprintf(text, sizeof text, rate < 0.0995 ? "%.1f%%" : "%.0f%%", 100 * rate);
    if (both)
        tg_svg_put_text(s, text,
                        (tg_svg_text){rate > 0.55 ? "pale" : "soft", "middle", x + p->cell / 2,
                                      y + p->cell / 2 + 12, 10, p->cell - 4, false});
}

/* Below the columns all names are turned where one would not fit. */
static void draw_names(tg_svg *s, const confusion *c, const place *p, bool turned) {
    char text[32];
    const double bottom = p->top + (double)c->classes * p->cell;
    for (int64_t i = 0; i < c->classes; i++) {
        const char *name = name_of(c, i, text);
        double at = ((double)i + 0.5) * p->cell;
        tg_svg_put_text(
            s, name, (tg_svg_text){"soft", "end", p->left - 6, p->top + at + 4, p->size, p->left - 40, false});
        if (turned)
            tg_svg_put_text(s, name,
                            (tg_svg_text){"soft", "end", p->left + at + 4, bottom + 6, p->size, WIDEST, true});
        else
            tg_svg_put_text(s, name,
                            (tg_svg_text){"soft", "middle", p->left + at, bottom + 17, p->size, 0, false});
    }
}

static tg_status draw(const char *path, const confusion *c, const char *title) {
    char text[128], number[32];
    tg_svg s;
    int64_t right = 0;
    double widest = 0;
    for (int64_t i = 0; i < c->classes; i++) {
        right += c->count[i][i];
        widest = fmax(widest, tg_svg_width(name_of(c, i, number), TEXT));
    }
    widest = fmin(widest, WIDEST);
    double k = (double)c->classes, cell = c->classes <= 12 ? 46 : fmax(12, 560 / k);
    place p = {.cell = cell, .size = cell < 14 ? 9 : TEXT, .left = EDGE + 24 + widest + 6, .top = EDGE + 30};
    const bool turned = widest > cell - 4;
    double below = turned ? widest + 10 : 20, width = fmax(p.left + k * cell + EDGE, 300);
    snprintf(text, sizeof text, "accuracy %.3f (%lld of %lld)", (double)right / (double)c->n,
             (long long)right, (long long)c->n);
    tg_svg_begin(&s, title ? title : text, width, p.top + k * cell + below + 22 + EDGE);
    tg_svg_put_text(&s, title ? title : text,
                    (tg_svg_text){"title", "start", EDGE, EDGE + 12, 16, width - 2 * EDGE, false});
    for (int64_t r = 0; r < c->classes && s.file; r++) {
        int64_t row = 0;
        for (int64_t i = 0; i < c->classes; i++) row += c->count[r][i];
        for (int64_t i = 0; i < c->classes; i++) draw_cell(&s, c, &p, r, i, row);
    }
    if (s.file)
        fprintf(s.file,
                "<rect class=\"axis\" fill=\"none\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
                p.left, p.top, k * cell, k * cell);
    draw_names(&s, c, &p, turned);
    tg_svg_put_text(
        &s, "predicted",
        (tg_svg_text){"label", "middle", p.left + k * cell / 2, p.top + k * cell + below + 16, 13, 0, false});
    tg_svg_put_text(&s, "true class",
                    (tg_svg_text){"label", "middle", EDGE + 10, p.top + k * cell / 2, 13, 0, true});
    return tg_svg_end(&s, path, TG_OK);
}

tg_status tg_plot_confusion_with(const char *path, const tg_tensor *target, const tg_tensor *predicted,
                                 tg_plot_confusion_opts opts) {
    TG_NAMED(who);
    tg_array t = {.data = NULL}, p = {.data = NULL};
    confusion c = {.names = opts.names};
    if (tg_picture_of(path, who, false) == TG_PICTURE_NONE) return tg_error_status();
    if (opts.classes < 0 || opts.classes > MOST)
        return tg_fail(TG_ERR_ARGUMENT, "%s: there are to be 1 to %d classes, not %lld", who, MOST,
                       (long long)opts.classes);
    tg_status s = tg_plot_read(target, who, "the target", &t);
    if (s == TG_OK) s = tg_plot_read(predicted, who, "what is predicted", &p);
    if (s == TG_OK) s = check(target, predicted, &t, &p);
    if (s == TG_OK) s = count(&c, &t, &p, opts.classes);
    if (s == TG_OK) s = draw(path, &c, opts.title);
    tg_array_drop(&t);
    tg_array_drop(&p);
    return s;
}
