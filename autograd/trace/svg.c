/* The graph of a trace as a picture. Of each box: what it is, its value and its adjoint where these are one number, else the shape. */
#include "autograd/trace/graph.h"

#include <inttypes.h>
#include <string.h>

enum { FOLD = 200, WIDTH = 168, HEIGHT = 56, GAP = 24, RISE = 44, MARGIN = 24, LETTERS = 24 };

static const char style[] =
    "<style>"
    "svg{font:12px sans-serif;background:#fff}"
    "rect{fill:#eef3fb;stroke:#4a6fa5}"
    ".parameter rect{fill:#fdf0d5;stroke:#b7791f}"
    ".input rect{fill:#f2f2f2;stroke:#8a8a8a}"
    ".apart{opacity:.45}"
    "path{fill:none;stroke:#7a8797}"
    "path.none{stroke-dasharray:3 3}"
    "text{text-anchor:middle;fill:#1d2733}"
    "@media(prefers-color-scheme:dark){svg{background:#14181d}rect{fill:#1e2b3d;stroke:#7fa6dc}"
    ".parameter rect{fill:#3a2c10;stroke:#e0b060}.input rect{fill:#2a2d31;stroke:#9a9a9a}"
    "path{stroke:#8b98a8}text{fill:#e6ebf0}}"
    "</style>\n";

static double left_of(const tg_graph *g, const int *in_level, const tg_box *b) {
    const double free = (double)(g->widest - in_level[b->level]) * (WIDTH + GAP) / 2;
    return MARGIN + free + (double)b->place * (WIDTH + GAP);
}

static double top_of(const tg_box *b) { return MARGIN + (double)b->level * (HEIGHT + RISE); }

/* As much of the text as a box has room for, whole characters. */
static void put_cut(tg_sink *o, const char *text, double x, double y) {
    char cut[4 * LETTERS + 8];
    size_t n = 0;
    int letters = 0;
    while (text[n] && letters < LETTERS && n < 4 * LETTERS) {
        n++;
        while ((text[n] & 0xc0) == 0x80 && n < 4 * LETTERS) n++;
        letters++;
    }
    snprintf(cut, sizeof cut, "%.*s%s", (int)n, text, text[n] ? "\xe2\x80\xa6" : "");
    tg_sink_format(o, "<text x=\"%g\" y=\"%g\">", x, y);
    tg_sink_xml(o, cut);
    tg_sink_text(o, "</text>");
}

/* "= 0.5", or "d = 1"; of other arrays than one number nothing. */
static bool put_number(tg_sink *o, const tg_trace *t, const char *name, int v, double x, double y) {
    if (v < 0 || !t->value[v].whole || t->value[v].n != 1) return false;
    tg_sink_format(o, "<text x=\"%g\" y=\"%g\">%s%.6g</text>", x, y, name, tg_trace_element(&t->value[v], 0));
    return true;
}

static void put_tensor(tg_sink *o, const tg_trace *t, int tensor, double x, double y) {
    const tg_traced_tensor *a = &t->tensor[tensor];
    char text[160];
    bool value = put_number(o, t, "= ", a->value, x + WIDTH / 4.0, y);
    bool grad = put_number(o, t, "d = ", a->grad, x + 3 * WIDTH / 4.0, y);
    if (!value && !grad && a->there)
        put_cut(o, tg_shape_text(a->shape, text, sizeof text), x + WIDTH / 2.0, y);
}

static void title_of(const tg_trace *t, const tg_box *b, char *text, size_t n) {
    const tg_traced_node *node = b->tensor < 0 ? &t->node[b->first] : NULL;
    if (!node)
        snprintf(text, n, "%s", t->tensor[b->tensor].name ? t->tensor[b->tensor].name : "input");
    else if (b->first == b->last)
        snprintf(text, n, "#%d %s", node->node->id, node->node->op->name);
    else
        snprintf(text, n, "%s%s%d nodes", b->group ? b->group : "", b->group ? ": " : "",
                 b->last - b->first + 1);
}

/* What a reader of the screen is told, and the pointer shows. */
static void put_title(tg_sink *o, const tg_trace *t, const tg_box *b, const char *title) {
    tg_sink_text(o, "<title>");
    tg_sink_xml(o, title);
    if (b->tensor < 0 && t->node[b->first].file >= 0) {
        tg_sink_text(o, ", ");
        tg_sink_xml(o, tg_base_name(t->file[t->node[b->first].file].path));
        tg_sink_format(o, ":%d", t->node[b->first].line);
    }
    if (b->tensor < 0 && b->first == b->last && t->node[b->first].node->op->formula) {
        tg_sink_text(o, ", ");
        tg_sink_xml(o, t->node[b->first].node->op->formula);
    }
    tg_sink_text(o, "</title>");
}

static void put_box(tg_sink *o, const tg_trace *t, const tg_graph *g, const int *in_level, const tg_box *b) {
    const double x = left_of(g, in_level, b), y = top_of(b);
    const char *kind = b->tensor < 0                                     ? "node"
                       : t->tensor[b->tensor].role == TG_TRACE_PARAMETER ? "parameter"
                                                                         : "input";
    char title[TG_TRACE_TEXT + 32];
    bool apart = b->tensor < 0;
    for (int k = b->first; apart && k <= b->last; k++) apart = t->node[k].step < 0;
    title_of(t, b, title, sizeof title);
    tg_sink_format(o, "<g class=\"%s%s\">", kind, apart ? " apart" : "");
    put_title(o, t, b, title);
    tg_sink_format(o, "<rect x=\"%g\" y=\"%g\" width=\"%d\" height=\"%d\" rx=\"%d\"/>", x, y, WIDTH, HEIGHT,
                   b->tensor < 0 ? 3 : 12);
    put_cut(o, title, x + WIDTH / 2.0, y + 22);
    const int tensor = b->tensor >= 0 ? b->tensor : t->index[t->node[b->last].out];
    put_tensor(o, t, tensor, x, y + 42);
    tg_sink_text(o, "</g>\n");
}

static void put_arrow(tg_sink *o, const tg_trace *t, const tg_graph *g, const int *in_level, const tg_arrow *a) {
    const tg_box *from = &g->box[a->from], *to = &g->box[a->to];
    const double x0 = left_of(g, in_level, from) + WIDTH / 2.0, y0 = top_of(from) + HEIGHT;
    const double x1 = left_of(g, in_level, to) + WIDTH / 2.0, y1 = top_of(to);
    tg_sink_format(o, "<path%s d=\"M%g %gC%g %g %g %g %g %g\" marker-end=\"url(#arrow)\"/>\n",
                   t->tensor[a->tensor].grad < 0 ? " class=\"none\"" : "", x0, y0, x0, y0 + RISE, x1,
                   y1 - RISE, x1, y1 - 5);
}

static void put_head(tg_sink *o, const tg_trace *t, const tg_graph *g) {
    const int width = 2 * MARGIN + g->widest * (WIDTH + GAP) - GAP,
              height = 2 * MARGIN + g->n_levels * (HEIGHT + RISE) - RISE;
    tg_sink_format(
        o,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n"
        "<title>",
        width, height, width, height);
    tg_sink_xml(o, t->title);
    tg_sink_text(o, "</title>\n");
    tg_sink_text(o, style);
    tg_sink_text(
        o, "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"4\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" "
           "orient=\"auto\"><path d=\"M0 0L8 4L0 8\"/></marker></defs>\n");
}

void tg_trace_write_svg(tg_trace *t, tg_sink *o) {
    tg_graph g;
    int *in_level = NULL;
    if (tg_graph_make(&g, t, FOLD) && tg_graph_place(&g, t))
        in_level = tg_trace_room(t, (size_t)g.n_levels, sizeof *in_level);
    if (!in_level) {
        o->status = tg_error_status();
        return;
    }
    for (int i = 0; i < g.n_boxes; i++) in_level[g.box[i].level]++;
    put_head(o, t, &g);
    for (int i = 0; i < g.n_arrows; i++) put_arrow(o, t, &g, in_level, &g.arrow[i]);
    for (int i = 0; i < g.n_boxes; i++) put_box(o, t, &g, in_level, &g.box[i]);
    tg_sink_text(o, "</svg>\n");
}
