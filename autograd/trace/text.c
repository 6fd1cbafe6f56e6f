/* A trace as text: the nodes forward with what they made, then backward with what each rule gives to whom, and the sums. */
#include "autograd/trace/write.h"

#include <inttypes.h>
#include <string.h>

enum { ALL = 8, SOME = 4 };

/* Names are the user's: control characters would act on the terminal. */
static void put_clean(tg_sink *o, const char *text) {
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        tg_sink_put(o, c < 0x20 || c == 0x7f ? "?" : text, 1);
    }
}

static void put_tensor(tg_sink *o, const tg_trace *t, int x) {
    char text[400];
    if (x < 0) {
        tg_sink_text(o, "none");
        return;
    }
    tg_trace_label(t, x, text, sizeof text);
    put_clean(o, text);
}

static void put_values(tg_sink *o, const tg_trace *t, int i) {
    if (i < 0) {
        tg_sink_text(o, "not there");
        return;
    }
    const tg_traced_values *v = &t->value[i];
    const int n = v->shown <= ALL && v->whole ? v->shown : v->shown < SOME ? v->shown : SOME;
    if (v->n == 0) tg_sink_text(o, "empty");
    for (int k = 0; k < n; k++) {
        if (k) tg_sink_text(o, ", ");
        tg_sink_element(o, v, k, false);
    }
    if (n < v->n) tg_sink_format(o, "%s.. of %" PRId64, n ? ", " : "", v->n);
    if (v->whole || !v->any) return;
    tg_sink_text(o, ", from ");
    tg_sink_number(o, v, v->min, false);
    tg_sink_text(o, " to ");
    tg_sink_number(o, v, v->max, false);
    if (v->nan) tg_sink_format(o, ", %" PRId64 " NaN", v->nan);
    if (v->inf) tg_sink_format(o, ", %" PRId64 " infinite", v->inf);
}

/* "#3 matmul(x [64, 10], w [10, 5])" */
static void put_call(tg_sink *o, const tg_trace *t, const tg_traced_node *n) {
    const tg_node *node = n->node;
    tg_sink_format(o, "#%d %s(", node->id, node->op->name);
    for (int i = 0; i < node->n_in; i++) {
        if (i) tg_sink_text(o, ", ");
        put_tensor(o, t, t->index[n->in + i]);
    }
    for (int i = 0; node->op->attrs && i < node->op->n_attrs; i++) {
        char text[160];
        if (!tg_attr_field_is_sound(&node->op->attrs[i], node->op->attr_size)) continue;
        tg_trace_attribute(text, sizeof text, node, &node->op->attrs[i]);
        tg_sink_format(o, ", %s=", node->op->attrs[i].name);
        put_clean(o, text);
    }
    tg_sink_text(o, ")");
}

static void put_place(tg_sink *o, const tg_trace *t, const tg_traced_node *n) {
    if (n->file < 0) return;
    tg_sink_text(o, "   ");
    put_clean(o, tg_base_name(t->file[n->file].path));
    tg_sink_format(o, ":%d", n->line);
}

/* ---- forward ---- */

static void put_leaves(tg_sink *o, const tg_trace *t) {
    for (int x = 0; x < t->n_tensors; x++) {
        if (t->tensor[x].role == TG_TRACE_RESULT) continue;
        tg_sink_text(o, t->tensor[x].role == TG_TRACE_PARAMETER ? "parameter " : "input ");
        put_tensor(o, t, x);
        tg_sink_text(o, "\n     = ");
        put_values(o, t, t->tensor[x].value);
        tg_sink_text(o, "\n");
    }
}

static void put_forward(tg_sink *o, const tg_trace *t, const tg_traced_node *n) {
    put_call(o, t, n);
    put_place(o, t, n);
    tg_sink_text(o, "\n");
    if (n->node->op->formula)
        tg_sink_text(o, "     "), put_clean(o, n->node->op->formula), tg_sink_text(o, "\n");
    for (int k = 0; k < n->node->n_out; k++) {
        const int x = t->index[n->out + k];
        tg_sink_text(o, "     ");
        if (t->tensor[x].name) put_tensor(o, t, x), tg_sink_text(o, " ");
        tg_sink_text(o, "= ");
        put_values(o, t, t->tensor[x].value);
        tg_sink_text(o, "\n");
    }
}

/* ---- backward ---- */

static void put_part(tg_sink *o, const tg_trace *t, const tg_traced_node *n, const tg_traced_part *p) {
    char name[32];
    tg_sink_text(o, "     to ");
    if (p->input >= 0 && tg_trace_input_name(n->node->op, p->input, name, sizeof name))
        tg_sink_format(o, "%s, ", name);
    put_tensor(o, t, p->tensor);
    tg_sink_text(o, ": ");
    put_values(o, t, p->contribution);
    tg_sink_text(o, "\n");
    if (p->slope >= 0) {
        tg_sink_text(o, "          (slope ");
        put_values(o, t, p->slope);
        tg_sink_text(o, ")\n");
    }
    if (p->before < 0) return;
    tg_sink_text(o, "          added to ");
    put_values(o, t, p->before);
    tg_sink_text(o, "\n          makes    ");
    put_values(o, t, p->after);
    tg_sink_text(o, "\n");
}

static void put_step(tg_sink *o, const tg_trace *t, const tg_traced_step *s) {
    const tg_traced_node *n = &t->node[s->node];
    put_call(o, t, n);
    tg_sink_text(o, "\n");
    if (n->node->op->rule) tg_sink_text(o, "     "), put_clean(o, n->node->op->rule), tg_sink_text(o, "\n");
    for (int k = 0; k < n->node->n_out; k++) {
        tg_sink_text(o, n->node->n_out == 1 ? "     dout = " : "     ");
        if (n->node->n_out > 1) tg_sink_format(o, "dout %d = ", k);
        put_values(o, t, s->dout[k]);
        tg_sink_text(o, "\n");
    }
    if (s->why) tg_sink_text(o, "     not run: "), put_clean(o, s->why), tg_sink_text(o, "\n");
    for (int64_t i = 0; i < s->n_parts; i++) put_part(o, t, n, &t->part[s->part + i]);
    for (int i = 0; i < s->n_released; i++) {
        tg_sink_text(o, i ? ", " : "     lets go of ");
        put_tensor(o, t, t->index[s->released + i]);
    }
    if (s->n_released) tg_sink_text(o, "\n");
}

static void put_gradients(tg_sink *o, const tg_trace *t) {
    for (int x = 0; x < t->n_tensors; x++) {
        if (t->tensor[x].role != TG_TRACE_PARAMETER) continue;
        put_tensor(o, t, x);
        tg_sink_text(o, t->tensor[x].grad < 0 && t->tensor[x].broken < 0 ? ": none" : "\n     = ");
        if (t->tensor[x].grad >= 0) put_values(o, t, t->tensor[x].grad);
        if (t->tensor[x].broken >= 0)
            tg_sink_format(o, "not complete without #%" PRId64, t->first + t->tensor[x].broken);
        tg_sink_text(o, "\n");
    }
}

static void put_seeds(tg_sink *o, const tg_trace *t) {
    for (int i = 0; i < t->n_seeds; i++) {
        const tg_traced_seed *seed = &t->seed_table[i];
        tg_sink_text(o, "\n---- ");
        put_clean(o, seed->title ? seed->title : "by hand");
        tg_sink_text(o, " ----\n\n");
        for (int k = 0; k < seed->n; k++) {
            if (seed->row[k].name) put_clean(o, seed->row[k].name);
            if (seed->row[k].formula) tg_sink_text(o, " = "), put_clean(o, seed->row[k].formula);
            tg_sink_text(o, "\n     = ");
            put_values(o, t, seed->row[k].value);
            tg_sink_text(o, "\n");
        }
    }
}

void tg_trace_write_text(tg_trace *t, tg_sink *o) {
    put_clean(o, t->title);
    tg_sink_format(o, ": %" PRId64 " nodes\n\n---- forward ----\n\n", t->end - t->first);
    put_leaves(o, t);
    for (int64_t k = 0; k < t->end - t->first; k++) put_forward(o, t, &t->node[k]);
    tg_sink_text(o, "\n---- backward, from ");
    put_tensor(o, t, t->loss_tensor);
    tg_sink_text(o, " ----\n\n");
    for (int64_t k = 0; k < t->n_steps; k++) put_step(o, t, &t->step[k]);
    tg_sink_text(o, "\n---- gradients ----\n\n");
    put_gradients(o, t);
    put_seeds(o, t);
}
