/* The graph of a trace as boxes and arrows, and where the boxes stand: in levels, each below all that it reads. */
#include "autograd/trace/graph.h"

#include <stdlib.h>
#include <string.h>

enum { LOOK_BACK = 64 };

/* ---- boxes ---- */

static bool same_group(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

/* Whether the node goes on with the run in the box: of the same line, and of no other layer. */
static bool goes_on(const tg_trace *t, const tg_box *b, const tg_traced_node *n) {
    const tg_traced_node *last = &t->node[b->last];
    return n->file >= 0 && n->file == last->file && n->line == last->line &&
           (!n->group || !b->group || same_group(n->group, b->group));
}

static void add_nodes(tg_graph *g, const tg_trace *t, int *box_of) {
    for (int k = 0; k < t->end - t->first; k++) {
        const tg_traced_node *n = &t->node[k];
        tg_box *b = g->n_boxes > 0 ? &g->box[g->n_boxes - 1] : NULL;
        if (!b || !g->folded || !goes_on(t, b, n)) {
            b = &g->box[g->n_boxes++];
            *b = (tg_box){.tensor = -1, .first = k};
        }
        b->last = k;
        if (!b->group) b->group = n->group;
        box_of[k] = g->n_boxes - 1;
    }
}

/* ---- arrows ---- */

/* Between two boxes one arrow is enough for a tensor; a few that are too many do no harm. */
static void add_arrow(tg_graph *g, int since, int from, int to, int tensor) {
    const int start = g->n_arrows - since > LOOK_BACK ? g->n_arrows - LOOK_BACK : since;
    for (int i = start; i < g->n_arrows; i++)
        if (g->arrow[i].from == from && g->arrow[i].to == to && g->arrow[i].tensor == tensor) return;
    g->arrow[g->n_arrows++] = (tg_arrow){from, to, tensor};
}

static int box_of_leaf(tg_graph *g, int *leaf, int x) {
    if (leaf[x] < 0) {
        leaf[x] = g->n_boxes;
        g->box[g->n_boxes++] = (tg_box){.tensor = x, .first = -1, .last = -1};
    }
    return leaf[x];
}

static void add_arrows(tg_graph *g, const tg_trace *t, const int *box_of, int *leaf) {
    for (int k = 0, since = 0; k < t->end - t->first; k++) {
        const tg_traced_node *n = &t->node[k];
        if (k == 0 || box_of[k] != box_of[k - 1]) since = g->n_arrows;
        for (int i = 0; i < n->node->n_in; i++) {
            const int x = t->index[n->in + i];
            if (x < 0 || (t->tensor[x].node < 0 && g->folded && t->tensor[x].role == TG_TRACE_PARAMETER))
                continue;
            const int from = t->tensor[x].node >= 0 ? box_of[t->tensor[x].node] : box_of_leaf(g, leaf, x);
            if (from != box_of[k]) add_arrow(g, since, from, box_of[k], x);
        }
    }
}

bool tg_graph_make(tg_graph *g, tg_trace *t, int most) {
    const size_t nodes = (size_t)(t->end - t->first), tensors = (size_t)t->n_tensors;
    size_t inputs = 0;
    for (size_t k = 0; k < nodes; k++) inputs += (size_t)t->node[k].node->n_in;
    *g = (tg_graph){.folded = (int64_t)nodes > most};
    int *box_of = tg_trace_room(t, nodes, sizeof *box_of), *leaf = tg_trace_room(t, tensors, sizeof *leaf);
    g->box = tg_trace_room(t, nodes + tensors, sizeof *g->box);
    g->arrow = tg_trace_room(t, inputs, sizeof *g->arrow);
    if (!box_of || !leaf || !g->box || !g->arrow) return false;
    for (size_t x = 0; x < tensors; x++) leaf[x] = -1;
    add_nodes(g, t, box_of);
    add_arrows(g, t, box_of, leaf);
    return true;
}

/* ---- places ---- */

/* Each box one level below the lowest that it reads; leaves one above the highest that reads them. */
static void set_levels(tg_graph *g) {
    for (int i = 0; i < g->n_boxes; i++) g->box[i].level = g->box[i].tensor < 0 ? 1 : 1 << 30;
    for (int i = 0; i < g->n_arrows; i++) { /* in the order of the boxes that they lead to */
        tg_box *to = &g->box[g->arrow[i].to];
        const tg_box *from = &g->box[g->arrow[i].from];
        if (from->tensor < 0 && to->level <= from->level) to->level = from->level + 1;
    }
    for (int i = 0; i < g->n_arrows; i++) {
        tg_box *from = &g->box[g->arrow[i].from];
        const int level = g->box[g->arrow[i].to].level - 1;
        if (from->tensor >= 0 && from->level > level) from->level = level;
    }
    for (int i = 0; i < g->n_boxes; i++)
        if (g->n_levels <= g->box[i].level) g->n_levels = g->box[i].level + 1;
}

typedef struct placed {
    double order;
    int box;
} placed;

static int compare(const void *a, const void *b) {
    const placed *x = a, *y = b;
    return x->order != y->order ? (x->order > y->order) - (x->order < y->order) : x->box - y->box;
}

/* Boxes stand below the middle of what they read. */
static void set_order(tg_graph *g, double *sum, int *count) {
    for (int i = 0; i < g->n_boxes; i++) sum[i] = 0, count[i] = 0;
    for (int i = 0; i < g->n_arrows; i++) {
        const tg_arrow *a = &g->arrow[i];
        sum[a->to] += g->box[a->from].place, count[a->to]++;
        if (g->box[a->from].tensor < 0) continue;
        sum[a->from] += g->box[a->to].place, count[a->from]++; /* a leaf: above what reads it */
    }
    for (int i = 0; i < g->n_boxes; i++)
        g->box[i].order = count[i] ? sum[i] / count[i] : (double)g->box[i].place;
}

static void number_places(tg_graph *g, placed *row, int *start) {
    for (int l = 0; l <= g->n_levels; l++) start[l] = 0;
    for (int i = 0; i < g->n_boxes; i++) start[g->box[i].level + 1]++;
    for (int l = 0; l < g->n_levels; l++) start[l + 1] += start[l];
    int *next = start + g->n_levels + 1;
    for (int l = 0; l < g->n_levels; l++) next[l] = start[l];
    for (int i = 0; i < g->n_boxes; i++) row[next[g->box[i].level]++] = (placed){g->box[i].order, i};
    for (int l = 0; l < g->n_levels; l++) {
        const int n = start[l + 1] - start[l];
        g->widest = n > g->widest ? n : g->widest;
        if (n > 1) qsort(row + start[l], (size_t)n, sizeof *row, compare);
        for (int k = 0; k < n; k++) g->box[row[start[l] + k].box].place = k;
    }
}

bool tg_graph_place(tg_graph *g, tg_trace *t) {
    const size_t n = (size_t)g->n_boxes;
    set_levels(g);
    double *sum = tg_trace_room(t, n, sizeof *sum);
    int *count = tg_trace_room(t, n, sizeof *count);
    placed *row = tg_trace_room(t, n, sizeof *row);
    int *start = tg_trace_room(t, 2 * (size_t)g->n_levels + 2, sizeof *start);
    if (!sum || !count || !row || !start) return false;
    number_places(g, row, start);
    for (int pass = 0; pass < 4; pass++) {
        set_order(g, sum, count);
        number_places(g, row, start);
    }
    return true;
}
