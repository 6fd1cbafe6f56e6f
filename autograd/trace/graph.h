/* Private. The graph of a trace as boxes and arrows, for pictures. */
#ifndef TG_AUTOGRAD_TRACE_GRAPH_H
#define TG_AUTOGRAD_TRACE_GRAPH_H

#include "autograd/trace/write.h"

typedef struct tg_box {
    int tensor;      /* a leaf, or -1: */
    int first, last; /* nodes of the trace, one or a run of them */
    const char *group;
    int level, place; /* from the top, from the left */
    double order;     /* what places are sorted by */
} tg_box;

typedef struct tg_arrow {
    int from, to, tensor;
} tg_arrow;

/* Boxes are in an order in which arrows point to later ones, but for leaves, which come last. */
typedef struct tg_graph {
    tg_box *box;
    int n_boxes, n_levels, widest; /* widest: boxes of a level */
    tg_arrow *arrow;
    int n_arrows;
    bool folded;
} tg_graph;

/* Made of the trace, whose memory it uses; false with the error raised. Of more than `most` nodes, runs of one line and layer are one box,
 * and parameters have none. */
bool tg_graph_make(tg_graph *g, tg_trace *t, int most);
bool tg_graph_place(tg_graph *g, tg_trace *t); /* sets levels and places */

#endif
