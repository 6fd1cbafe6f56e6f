/* A trace as JSON: docs/trace-format.md. */
#include "autograd/trace/write.h"

#include <inttypes.h>
#include <string.h>

/* An index, or null. */
static void put_index(tg_sink *o, const char *name, int i) {
    if (i < 0)
        tg_sink_format(o, "\"%s\":null", name);
    else
        tg_sink_format(o, "\"%s\":%d", name, i);
}

static void put_named(tg_sink *o, const char *name, const char *string) {
    tg_sink_format(o, "\"%s\":", name);
    tg_sink_string(o, string);
}

static void put_list(tg_sink *o, const int *i, int n) {
    tg_sink_text(o, "[");
    for (int k = 0; k < n; k++) tg_sink_format(o, "%s%d", k ? "," : "", i[k]);
    tg_sink_text(o, "]");
}

static const char *comma(int64_t i) { return i ? "," : ""; }

/* Begins item i of a list, on a line of its own. */
static void put_item(tg_sink *o, int64_t i) { tg_sink_text(o, i ? ",\n" : "\n"); }

/* ---- sources and ops ---- */

static void put_source(tg_sink *o, const tg_traced_file *f) {
    tg_sink_text(o, "{");
    put_named(o, "file", tg_base_name(f->path));
    tg_sink_text(o, ",");
    put_named(o, "path", f->path);
    tg_sink_format(o, ",\"found\":%s,\"lines\":[", f->found ? "true" : "false");
    for (int64_t i = 0; i < f->n_lines; i++) {
        tg_sink_format(o, "%s[%d,", comma(i), f->line[i].number);
        tg_sink_string(o, f->line[i].text);
        tg_sink_text(o, "]");
    }
    tg_sink_text(o, "]}");
}

typedef bool name_fn(const tg_op *op, int k, char *text, size_t n);
static void put_names(tg_sink *o, const char *member, const tg_op *op, int n, name_fn *fn) {
    char text[32];
    tg_sink_format(o, ",\"%s\":", member);
    if (n < 0) {
        tg_sink_text(o, "null");
        return;
    }
    tg_sink_text(o, "[");
    for (int k = 0; k < n; k++) {
        tg_sink_text(o, comma(k));
        tg_sink_string(o, fn(op, k, text, sizeof text) ? text : NULL);
    }
    tg_sink_text(o, "]");
}

static void put_op(tg_sink *o, const tg_op *op) {
    tg_sink_text(o, "{");
    put_named(o, "name", op->name);
    tg_sink_text(o, ",");
    put_named(o, "formula", op->formula);
    tg_sink_text(o, ",");
    put_named(o, "rule", op->rule);
    tg_sink_text(o, ",");
    put_named(o, "kink", op->kink);
    tg_sink_format(o, ",\"elementwise\":%s", op->elementwise ? "true" : "false");
    put_names(o, "in", op, op->n_in, tg_trace_input_name);
    put_names(o, "out", op, op->n_out ? op->n_out : 1, tg_trace_output_name);
    tg_sink_text(o, "}");
}

/* ---- values ---- */

/* Of finite elements; without any it is null. */
static void put_real(tg_sink *o, const tg_traced_values *v, double number) {
    if (v->any)
        tg_sink_number(o, v, number, true);
    else
        tg_sink_text(o, "null");
}

/* What is no number of the tape has six digits. */
static void put_rounded(tg_sink *o, const tg_traced_values *v, double number) {
    if (v->any && number - number == 0)
        tg_sink_format(o, "%.6g", number);
    else
        put_real(o, v, number);
}

static void put_summary(tg_sink *o, const tg_traced_values *v) {
    tg_sink_text(o, ",\"min\":");
    put_real(o, v, v->min);
    tg_sink_text(o, ",\"max\":");
    put_real(o, v, v->max);
    tg_sink_text(o, ",\"mean\":");
    put_rounded(o, v, v->mean);
    tg_sink_text(o, ",\"std\":");
    put_rounded(o, v, v->std);
    if (v->zero) tg_sink_format(o, ",\"zero\":%" PRId64, v->zero);
    if (v->nan) tg_sink_format(o, ",\"nan\":%" PRId64, v->nan);
    if (v->inf) tg_sink_format(o, ",\"inf\":%" PRId64, v->inf);
    if (v->hist) {
        tg_sink_text(o, ",\"hist\":[");
        for (int i = 0; i < TG_TRACE_HIST; i++) tg_sink_format(o, "%s%" PRId64, comma(i), v->hist[i]);
        tg_sink_text(o, "]");
    }
    if (v->map) {
        tg_sink_format(o, ",\"map\":{\"rows\":%d,\"cols\":%d,\"v\":", v->rows, v->cols);
        tg_sink_string(o, v->map);
        tg_sink_text(o, "}");
    }
}

static void put_values(tg_sink *o, const tg_traced_values *v) {
    tg_sink_format(o, "{\"n\":%" PRId64 ",\"dtype\":\"%s\",\"%s\":[", v->n, tg_dtype_name(v->dtype),
                   v->whole ? "e" : "first");
    for (int i = 0; i < v->shown; i++) {
        tg_sink_text(o, comma(i));
        tg_sink_element(o, v, i, true);
    }
    tg_sink_text(o, "]");
    if (!v->whole) put_summary(o, v);
    tg_sink_text(o, "}");
}

/* ---- tensors and nodes ---- */

/* Why there is no gradient. */
static const char *why_none(const tg_trace *t, const tg_traced_tensor *x, char *text, size_t n) {
    if (x->grad >= 0) return NULL;
    if (!x->there) return "it is gone";
    if (!x->requires_grad) return "it requires no gradient";
    if (x->broken < 0) return "the loss does not depend on it";
    snprintf(text, n, "it is not complete without what #%" PRId64 " contributes, whose rule could not be run",
             t->first + x->broken);
    return text;
}

static void put_tensor(tg_sink *o, const tg_trace *t, const tg_traced_tensor *x) {
    static const char *const role[] = {"parameter", "input", "result"};
    char text[128];
    tg_sink_text(o, "{");
    put_named(o, "name", x->name);
    tg_sink_text(o, ",");
    put_named(o, "group", x->group);
    tg_sink_format(o, ",\"role\":\"%s\",\"shape\":[", role[x->role]);
    for (int i = 0; i < x->shape.rank; i++) tg_sink_format(o, "%s%" PRId64, comma(i), x->shape.dim[i]);
    tg_sink_format(o, "],\"dtype\":\"%s\",\"requires_grad\":%s,\"node\":%d,\"out\":%d,",
                   tg_dtype_name(x->dtype), x->requires_grad ? "true" : "false", x->node, x->out);
    put_index(o, "value", x->value);
    tg_sink_text(o, ",");
    put_index(o, "grad", x->grad);
    tg_sink_text(o, ",");
    put_named(o, "why", why_none(t, x, text, sizeof text));
    tg_sink_text(o, "}");
}

static void put_attributes(tg_sink *o, const tg_node *node) {
    int n = 0;
    tg_sink_text(o, ",\"attrs\":[");
    for (int i = 0; node->op->attrs && i < node->op->n_attrs; i++) {
        const tg_attr_field *f = &node->op->attrs[i];
        char text[TG_TRACE_TEXT];
        if (!tg_attr_field_is_sound(f, node->op->attr_size)) continue;
        tg_sink_text(o, n++ ? ",[" : "[");
        tg_sink_string(o, f->name);
        tg_sink_text(o, ",");
        tg_trace_attribute(text, sizeof text, node, f);
        tg_sink_string(o, text);
        tg_sink_text(o, "]");
    }
    tg_sink_text(o, "],");
}

static void put_node(tg_sink *o, const tg_trace *t, const tg_traced_node *n) {
    tg_sink_format(o, "{\"id\":%d,\"op\":%d,\"in\":", n->node->id, n->op);
    put_list(o, t->index + n->in, n->node->n_in);
    tg_sink_text(o, ",\"out\":");
    put_list(o, t->index + n->out, n->node->n_out);
    put_attributes(o, n->node);
    tg_sink_format(o, "\"file\":%d,\"line\":%d,", n->file, n->line);
    put_named(o, "group", n->group);
    tg_sink_text(o, ",\"saved\":");
    put_list(o, t->index + n->saved, n->n_saved);
    tg_sink_text(o, ",");
    put_named(o, "why", n->why);
    tg_sink_text(o, "}");
}

/* ---- the walk ---- */

static void put_part(tg_sink *o, const tg_traced_part *p) {
    tg_sink_format(o, "{\"input\":%d,\"tensor\":%d,\"contribution\":%d,", p->input, p->tensor, p->contribution);
    put_index(o, "before", p->before);
    tg_sink_format(o, ",\"after\":%d,%s", p->after, p->rounded ? "\"rounded\":true," : "");
    put_index(o, "slope", p->slope);
    tg_sink_text(o, "}");
}

static void put_step(tg_sink *o, const tg_trace *t, const tg_traced_step *s) {
    tg_sink_format(o, "{\"node\":%d,\"dout\":[", s->node);
    for (int k = 0; k < t->node[s->node].node->n_out; k++)
        if (s->dout[k] < 0)
            tg_sink_format(o, "%snull", comma(k));
        else
            tg_sink_format(o, "%s%d", comma(k), s->dout[k]);
    tg_sink_text(o, "],");
    put_named(o, "why", s->why);
    tg_sink_text(o, ",\"in\":[");
    for (int64_t i = 0; i < s->n_parts; i++) {
        tg_sink_text(o, comma(i));
        put_part(o, &t->part[s->part + i]);
    }
    tg_sink_text(o, "],\"released\":");
    put_list(o, t->index + (s->released < 0 ? 0 : s->released), s->n_released);
    tg_sink_text(o, "}");
}

/* ---- orders ---- */

static void put_right(tg_sink *o, const tg_trace *t) {
    tg_sink_text(o, "\n\"right\":[");
    for (int64_t k = 0; k < t->n_steps; k++) {
        const tg_traced_step *s = &t->step[k];
        put_item(o, k);
        tg_sink_format(o, "{\"node\":%d,", s->node);
        put_index(o, "dout", s->dout[0]);
        tg_sink_text(o, ",\"in\":[");
        for (int64_t i = 0; i < s->n_parts; i++)
            tg_sink_format(o, "%s{\"tensor\":%d,\"after\":%d}", comma(i), t->part[s->part + i].tensor,
                           t->part[s->part + i].after);
        tg_sink_text(o, "]}");
    }
}

static void put_wrong(tg_sink *o, const tg_trace *t, const tg_traced_orders *r) {
    tg_sink_text(o, "],\n\"wrong\":[");
    for (int64_t k = 0; k < r->n_steps; k++) {
        const tg_wrong_step *s = &r->step[k];
        put_item(o, k);
        tg_sink_format(o, "{\"node\":%d,", s->node);
        put_index(o, "dout", s->dout);
        tg_sink_text(o, ",");
        put_index(o, "complete", t->tensor[t->index[t->node[s->node].out]].grad);
        tg_sink_text(o, ",\"in\":[");
        for (int64_t i = 0; i < s->n_parts; i++)
            tg_sink_format(o, "%s{\"tensor\":%d,\"after\":%d}", comma(i), r->part[s->part + i].tensor,
                           r->part[s->part + i].after);
        tg_sink_text(o, "]}");
    }
    tg_sink_format(o, "],\n\"runs\":%" PRId64 ",\"cut\":%s,\"first\":%" PRId64 ",", r->runs,
                   r->cut ? "true" : "false", r->first);
    put_named(o, "reason", r->reason);
}

static bool is_leaf_with_grad(const tg_traced_tensor *x) {
    return x->role == TG_TRACE_PARAMETER && x->grad >= 0;
}

static void put_orders(tg_sink *o, const tg_trace *t) {
    if (!t->orders.made) {
        tg_sink_text(o, ",\n\"orders\":null");
        return;
    }
    tg_sink_text(o, ",\n\"orders\":{");
    put_right(o, t);
    put_wrong(o, t, &t->orders);
    tg_sink_text(o, ",\"leaves\":[");
    for (int x = 0, n = 0; x < t->n_tensors; x++) {
        if (!is_leaf_with_grad(&t->tensor[x])) continue;
        tg_sink_format(o, "%s{\"tensor\":%d,\"right\":%d,", comma(n++), x, t->tensor[x].grad);
        put_index(o, "wrong", t->orders.leaf[x]);
        tg_sink_text(o, "}");
    }
    tg_sink_text(o, "]}");
}

static void put_twice(tg_sink *o, const tg_trace *t) {
    tg_sink_text(o, ",\n\"twice\":[");
    for (int x = 0, n = 0; x < t->n_tensors; x++) {
        if (!is_leaf_with_grad(&t->tensor[x]) || t->tensor[x].twice < 0) continue;
        tg_sink_format(o, "%s{\"tensor\":%d,\"once\":%d,\"twice\":%d}", comma(n++), x, t->tensor[x].grad,
                       t->tensor[x].twice);
    }
    tg_sink_text(o, "]");
}

/* ---- all of it ---- */

static void put_lists(tg_sink *o, const tg_trace *t) {
    tg_sink_text(o, "\n\"sources\":[");
    for (int64_t i = 0; i < t->n_files; i++) put_item(o, i), put_source(o, &t->file[i]);
    tg_sink_text(o, "],\n\"ops\":[");
    for (int64_t i = 0; i < t->n_ops; i++) put_item(o, i), put_op(o, t->op[i]);
    tg_sink_text(o, "],\n\"values\":[");
    for (int64_t i = 0; i < t->n_values; i++) put_item(o, i), put_values(o, &t->value[i]);
    tg_sink_text(o, "],\n\"tensors\":[");
    for (int64_t i = 0; i < t->n_tensors; i++) put_item(o, i), put_tensor(o, t, &t->tensor[i]);
    tg_sink_text(o, "],\n\"nodes\":[");
    for (int64_t i = 0; i < t->end - t->first; i++) put_item(o, i), put_node(o, t, &t->node[i]);
    tg_sink_format(o, "],\n\"loss\":%d,\"seed\":{\"tensor\":%d,\"value\":%d},\n\"backward\":[",
                   t->loss_tensor, t->loss_tensor, t->seed);
    for (int64_t i = 0; i < t->n_steps; i++) put_item(o, i), put_step(o, t, &t->step[i]);
    tg_sink_text(o, "]");
}

void tg_trace_write_json(tg_trace *t, tg_sink *o) {
    tg_sink_text(o, "{\"format\":\"tapegrad trace\",\"version\":1,");
    put_named(o, "title", t->title);
    tg_sink_format(o, ",\"most\":%d,\"detail\":%d,", t->most, t->detail);
    put_lists(o, t);
    put_orders(o, t);
    put_twice(o, t);
    tg_trace_put_sections(t, o);
    tg_sink_text(o, "}\n");
}
