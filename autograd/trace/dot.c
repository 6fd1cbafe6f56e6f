/* A trace for Graphviz. */
#include "autograd/trace/graph.h"

#include <inttypes.h>
#include <string.h>

/* In a string in quotes: quotes and backslashes are escaped, and control characters are question marks. */
static void put_escaped(tg_sink *o, const char *text) {
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') tg_sink_text(o, "\\");
        tg_sink_put(o, c < 0x20 || c == 0x7f ? "?" : text, 1);
    }
}

static void put_label(tg_sink *o, const tg_trace *t, int x) {
    char text[400];
    tg_trace_label(t, x, text, sizeof text);
    put_escaped(o, text);
}

/* The number itself, where it is one. */
static void put_number(tg_sink *o, const tg_trace *t, const char *name, int v) {
    if (v < 0 || !t->value[v].whole || t->value[v].n != 1) return;
    tg_sink_format(o, "\\n%s", name);
    tg_sink_element(o, &t->value[v], 0, false);
}

static void put_leaf(tg_sink *o, const tg_trace *t, int x) {
    const bool parameter = t->tensor[x].role == TG_TRACE_PARAMETER;
    tg_sink_format(o, "  t%d [shape=%s, style=\"rounded,filled\", fillcolor=\"%s\", label=\"", x, "box",
                   parameter ? "#fdf0d5" : "#eeeeee");
    put_label(o, t, x);
    put_number(o, t, "= ", t->tensor[x].value);
    put_number(o, t, "d = ", t->tensor[x].grad);
    tg_sink_text(o, "\"];\n");
}

static void put_node(tg_sink *o, const tg_trace *t, const tg_traced_node *n) {
    tg_sink_format(o, "  n%d [label=\"#%d ", (int)(n - t->node), n->node->id);
    put_escaped(o, n->node->op->name);
    for (int k = 0; k < n->node->n_out; k++) {
        const int x = t->index[n->out + k];
        tg_sink_text(o, "\\n");
        put_label(o, t, x);
        put_number(o, t, "= ", t->tensor[x].value);
        put_number(o, t, "d = ", t->tensor[x].grad);
    }
    if (n->file >= 0) {
        tg_sink_text(o, "\\n");
        put_escaped(o, tg_base_name(t->file[n->file].path));
        tg_sink_format(o, ":%d", n->line);
    }
    tg_sink_format(o, "\"%s];\n", n->step < 0 ? ", color=gray, fontcolor=gray" : "");
}

static void put_arrow(tg_sink *o, const tg_trace *t, int x, int to) {
    if (t->tensor[x].node >= 0)
        tg_sink_format(o, "  n%d -> n%d", t->tensor[x].node, to);
    else
        tg_sink_format(o, "  t%d -> n%d", x, to);
    if (t->tensor[x].grad < 0) tg_sink_text(o, " [color=gray]");
    tg_sink_text(o, ";\n");
}

void tg_trace_write_dot(tg_trace *t, tg_sink *o) {
    tg_sink_text(o, "digraph tape {\n  label=\"");
    put_escaped(o, t->title);
    tg_sink_text(o, "\";\n  node [shape=box, fontname=\"sans-serif\"];\n");
    for (int x = 0; x < t->n_tensors; x++)
        if (t->tensor[x].node < 0) put_leaf(o, t, x);
    for (int k = 0; k < t->end - t->first; k++) {
        const tg_traced_node *n = &t->node[k];
        put_node(o, t, n);
        for (int i = 0; i < n->node->n_in; i++)
            if (t->index[n->in + i] >= 0) put_arrow(o, t, t->index[n->in + i], k);
    }
    tg_sink_text(o, "}\n");
}
