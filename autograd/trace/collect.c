/* What the tape holds: nodes, the tensors that they read and make, and which of them lead to the loss. */
#include "autograd/trace/model.h"
#include "autograd/walk.h"
#include "autograd/blame/blame.h"

#include <string.h>

/* ---- tensors, by handle ---- */

static int64_t start_of(const tg_trace *t, const tg_tensor *handle) {
    const uint64_t h = (uint64_t)(uintptr_t)handle * UINT64_C(0x9e3779b97f4a7c15);
    return (int64_t)(h >> 20) & (t->n_table - 1);
}

/* The place in the table of a tensor, or the empty one where it belongs. */
static int64_t probe(const tg_trace *t, const tg_tensor *handle) {
    int64_t i = start_of(t, handle);
    while (t->table[i] >= 0 && t->tensor[t->table[i]].handle != handle) i = (i + 1) & (t->n_table - 1);
    return i;
}

int tg_trace_find(const tg_trace *t, const tg_tensor *handle) { return t->table[probe(t, handle)]; }

int tg_trace_number(const tg_trace *t, int64_t id) {
    return id >= t->first && id < t->end ? (int)(id - t->first) : -1;
}

/* As many places as all inputs and outputs need at most, and as many again. */
static bool make_table(tg_trace *t) {
    int64_t all = 1;
    for (int64_t id = t->first; id < t->end; id++)
        all += tg_node_at(t->tape, id)->n_in + tg_node_at(t->tape, id)->n_out;
    for (t->n_table = 16; t->n_table < 2 * all;) t->n_table *= 2;
    if (!(t->table = tg_trace_room(t, (size_t)t->n_table, sizeof *t->table))) return false;
    for (int64_t i = 0; i < t->n_table; i++) t->table[i] = -1;
    return true;
}

const char *tg_trace_group(tg_trace *t, const char *name) {
    const char *dot = name ? strrchr(name, '.') : NULL;
    return dot && dot > name ? tg_trace_copy(t, name, (size_t)(dot - name)) : NULL;
}

static bool describe(tg_trace *t, tg_traced_tensor *x, const tg_slot *s) {
    const char *name = tg_slot_name(s);
    x->there = true;
    x->shape = tg_array_shape(&s->a), x->dtype = (tg_dtype)s->a.dtype;
    x->requires_grad = s->requires_grad;
    x->node = s->node ? tg_trace_number(t, s->node->id) : -1;
    if (x->node >= 0) x->role = TG_TRACE_RESULT, x->out = tg_output_index(s);
    if (x->node < 0 && s->requires_grad) x->role = TG_TRACE_PARAMETER;
    if (name && !(x->name = tg_trace_copy(t, name, strlen(name)))) return false;
    if (x->role == TG_TRACE_PARAMETER) x->group = tg_trace_group(t, name);
    if (!s->a.data || tg_error_status() != TG_OK) return tg_error_status() == TG_OK;
    x->value = tg_trace_values(t, &s->a, x->role == TG_TRACE_PARAMETER ? TG_TRACE_MAIN : TG_TRACE_MINOR);
    return x->value >= 0;
}

/* The number of a tensor, which is added where it is new; -1 with the error raised. */
static int number_of(tg_trace *t, const tg_tensor *handle) {
    const int64_t place = probe(t, handle);
    if (t->table[place] >= 0) return t->table[place];
    const tg_slot *s = tg_slot_peek(handle);
    tg_traced_tensor x = {
        .handle = handle, .role = TG_TRACE_INPUT, .node = -1, .value = -1, .grad = -1, .twice = -1, .broken = -1};
    if (s && !describe(t, &x, s)) return -1;
    if (!TG_TRACE_GROW(t->tensor, t->cap_tensors, t->n_tensors)) return -1;
    t->tensor[t->n_tensors] = x;
    return t->table[place] = (int)t->n_tensors++;
}

/* ---- nodes ---- */

static bool add_index(tg_trace *t, int i) {
    if (!TG_TRACE_GROW(t->index, t->cap_index, t->n_index)) return false;
    t->index[t->n_index++] = i;
    return true;
}

static int op_number(tg_trace *t, const tg_op *op) {
    for (int64_t i = 0; i < t->n_ops; i++)
        if (t->op[i] == op) return (int)i;
    if (!TG_TRACE_GROW(t->op, t->cap_ops, t->n_ops)) return -1;
    t->op[t->n_ops] = op;
    return (int)t->n_ops++;
}

/* The tensors whose elements the node's rule reads. */
static bool add_saved(tg_trace *t, tg_traced_node *n) {
    const tg_node *node = n->node;
    n->saved = (int)t->n_index;
    for (int k = 0; k < node->n_in + node->n_out; k++) {
        const int i = t->index[k < node->n_in ? n->in + k : n->out + k - node->n_in];
        bool again = i < 0 || !tg_saves(node->saved, node->n_in, k);
        for (int64_t j = n->saved; !again && j < t->n_index; j++) again = t->index[j] == i;
        if (!again && !add_index(t, i)) return false;
    }
    n->n_saved = (int)t->n_index - n->saved;
    return true;
}

static bool add_tensors(tg_trace *t, tg_traced_node *n) {
    const tg_node *node = n->node;
    n->in = (int)t->n_index;
    for (int i = 0; i < node->n_in; i++) {
        const int x = node->in[i] ? number_of(t, node->in[i]) : -1;
        if ((node->in[i] && x < 0) || !add_index(t, x)) return false;
        if (x >= 0 && !n->group) n->group = t->tensor[x].group;
    }
    n->out = (int)t->n_index;
    for (int o = 0; o < node->n_out; o++) {
        const int x = number_of(t, node->out[o]);
        if (x < 0 || !add_index(t, x)) return false;
    }
    return add_saved(t, n);
}

static bool add_node(tg_trace *t, tg_traced_node *n, const tg_node *node) {
    *n = (tg_traced_node){.node = node, .file = -1, .step = -1};
    const tg_slot *s = tg_slot_peek(node->out[0]);
    const tg_maker *m = s ? tg_slot_maker(s) : NULL;
    if (m && m->file) {
        n->line = m->line;
        if ((n->file = tg_trace_file(t, m->file)) < 0) return false;
    }
    return (n->op = op_number(t, node->op)) >= 0 && add_tensors(t, n);
}

static void mark_leading(tg_trace *t) {
    t->node[t->loss->node->id - t->first].leads = true;
    for (int64_t k = t->loss->node->id - t->first; k >= 0; k--) {
        const tg_node *node = t->node[k].node;
        for (int i = 0; t->node[k].leads && i < node->n_in; i++) {
            const int x = t->index[t->node[k].in + i];
            if (x >= 0 && t->tensor[x].node >= 0) t->node[t->tensor[x].node].leads = true;
        }
    }
}

tg_status tg_trace_collect(tg_trace *t) {
    const int64_t n = t->end - t->first;
    t->detail = n > 2000 ? 2 : n > 200 ? 1 : 0;
    if (!make_table(t) || !(t->node = tg_trace_room(t, (size_t)n, sizeof *t->node))) return tg_error_status();
    for (int64_t k = 0; k < n; k++)
        if (!add_node(t, &t->node[k], tg_node_at(t->tape, t->first + k))) return tg_error_status();
    t->loss_tensor = tg_trace_find(t, tg_handle(t->loss));
    mark_leading(t);
    return TG_OK;
}
